"""The measure of a difference, and how large it may be."""

from __future__ import annotations

import numpy as np

from tests.layers.methods.case import Array

BOUNDS = {"formula": 1e-12, "differences": 1e-8, "stated": 1e-12}
"""In float64, by what the expected value comes from (`normlib.analysis.parity.formulas.MEANS`).

Differences are measured to 1e-10 at worst, where a sum that is differentiated nearly cancels."""


def relative_error(found: Array, expected: Array) -> float:
    """max |found - expected| / max |expected|; NaN counts as infinitely wrong."""
    assert found.shape == expected.shape, f"shape {found.shape} is not {expected.shape}"
    if not np.isfinite(expected).all():
        raise AssertionError("the expected value is not finite")
    if not np.isfinite(found).all():
        return float("inf")
    difference, largest = np.abs(found - expected).max(), np.abs(expected).max()
    return float(difference / largest) if largest > 0 else float(difference)
