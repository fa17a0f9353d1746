"""Every method of the catalogue beside its NumPy formula."""

from __future__ import annotations

from normlib.analysis.parity.formulas import Comparison
from tests.layers.methods import measured, measured_weights
from tests.layers.methods.core import CORE
from tests.layers.methods.gathered import CASES
from tests.layers.methods.training import FIXUP, clipping_row
from tests.layers.methods.weights import METHODS

WITHOUT = {"none": "it computes nothing"}
"""The methods of the catalogue without a formula to compare with, and why."""


def comparisons() -> list[Comparison]:
    """All of them, sorted."""
    found = [row for case in (*CORE, *CASES, *FIXUP) for row in measured.rows(case)]
    found += [row for name in METHODS for row in measured_weights.rows(name)]
    return sorted([*found, clipping_row()])
