"""Which changes of definition could produce the differences that source A reports?

Tidy tables from the stored comparisons of hand-written definitions with Keras's layers.
"""

from typing import Any, Final

import numpy as np
import pandas as pd

from normlib.analysis.parity.definitions import PAIRS, Custom, Keras
from normlib.analysis.parity.setups import Setup, setups
from normlib.analysis.parity.stored import KerasSide

REPORTED: Final = {"batch": (2.176554, 0.008520), "layer": (0.106753, 0.000002)}
"""Source A's largest output and gradient differences between its layer and TensorFlow's."""

EPS: Final = 1e-3
TRAINED: Final = ((1.01, 0.01), (1.1, 0.1), (1.5, 0.5))
"""gamma and beta of an affine map that has been trained, more and more, against none."""
ROUNDING: Final = "none (rounding alone)"
NAMES: Final = {
    "epsilon": "epsilon",
    "outside": "epsilon outside the root, and 1e-5",
    "unbiased": "unbiased variance",
    "axes": "axes",
    "start": "running averages, never updated",
    "one": "running averages after 1 step",
    "hundred": "running averages after 100 steps",
    "affine": "affine map trained on one side",
}


def differences(keras: KerasSide) -> pd.DataFrame:
    """Return one row per set-up and pair of definitions.

    Columns: setup, title, family (batch, layer), ``change`` (what differs between the two
    definitions, in words), ``changes`` (how many things do), ``output``, the largest difference,
    and ``gradient <loss>`` for each loss.
    """
    rows = []
    for setup in setups():
        for (theirs, custom), found in zip(PAIRS, keras.setups[setup.name], strict=True):
            changed = _changes(theirs, custom, setup)
            rows.append(_row(setup, theirs.family, changed, found["output"], found["gradient"]))
        for family in REPORTED:
            rows += [_row(setup, family, ["affine"], found, {}) for found in _affine(setup, family)]
    return pd.DataFrame(rows)


def reach(table: pd.DataFrame, family: str) -> pd.DataFrame:
    """Return, per change made alone, the smallest and largest output difference over set-ups.

    Epsilon's place is the one that comes with another, its value: see ``definitions``.

    ``answer`` says whether the source's number lies between them ("could"), or above the largest
    ("too small"), or below the smallest ("too large").
    """
    number = REPORTED[family][0]
    alone = table[(table["family"] == family) & (table["changes"] <= 1)]
    graded = alone.groupby("change", sort=False)["output"].agg(["min", "max"]).reset_index()
    graded["answer"] = [
        "too small" if high < number else "too large" if low > number else "could"
        for low, high in zip(graded["min"], graded["max"], strict=True)
    ]
    return graded.sort_values("max").reset_index(drop=True)


def rounding(table: pd.DataFrame, family: str) -> float:
    """Return the largest output difference of two evaluations of one definition in float32."""
    same = table[(table["family"] == family) & (table["changes"] == 0)]
    return float(same["output"].max())


def _row(
    setup: Setup, family: str, changed: list[str], output: float, gradient: dict[str, Any]
) -> dict[str, Any]:
    return {
        "setup": setup.name,
        "title": setup.title,
        "family": family,
        "change": " + ".join(NAMES[name] for name in changed) or ROUNDING,
        "changes": len(changed),
        "output": output,
        **{f"gradient {loss}": of["difference"] for loss, of in gradient.items()},
    }


def _changes(theirs: Keras, custom: Custom, setup: Setup) -> list[str]:
    found = []
    if theirs.family == "batch" and not theirs.training:
        found.append({0: "start", 1: "one"}.get(theirs.updates, "hundred"))
    # With one axis besides the batch's, all axes and the last are the same.
    if theirs.family == "layer" and theirs.axes != custom.axes and setup.x.ndim > 2:
        found.append("axes")
    if custom.outside:
        found.append("outside")
    elif custom.eps != EPS:
        found.append("epsilon")
    if custom.unbiased:
        found.append("unbiased")
    return found


def _affine(setup: Setup, family: str) -> list[float]:
    """Return the largest output difference for each of ``TRAINED``."""
    x = setup.x
    axes = tuple(range(x.ndim))[:-1] if family == "batch" else tuple(range(x.ndim))[1:]
    xhat = (x - x.mean(axes, keepdims=True)) / np.sqrt(x.var(axes, keepdims=True) + EPS)
    return [float(np.abs(gamma * xhat + beta - xhat).max()) for gamma, beta in TRAINED]
