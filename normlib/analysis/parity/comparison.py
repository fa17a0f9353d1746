"""How far apart two implementations are, quantity by quantity, and how far they may be."""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from normlib.analysis.parity import numpy_side, torch_side
from normlib.analysis.parity.cases import MOMENTUM, QUANTITIES, Case, cases
from normlib.analysis.parity.stored import KerasSide

PEERS: Final = {"torch": "torch.nn", "numpy": "NumPy", "keras": "Keras on TensorFlow"}
"""What normlib is compared with."""

LABELS: Final = dict(
    zip(
        QUANTITIES,
        ("output", "d/d input", "d/d gamma", "d/d beta", "second, input", "second, gamma",
         "second, upstream", "running mean", "running variance"),
        strict=True,
    )
)  # fmt: skip
BOUNDS: Final = {name: 1e-10 if name.startswith("h") else 1e-12 for name in QUANTITIES}
"""Bounds in float64: second derivatives 1e-10, everything else 1e-12."""

Array = NDArray[Any]


def table(keras: KerasSide) -> pd.DataFrame:
    """Compare normlib in float64 with each peer: one row per case, quantity and peer.

    Columns: method, training, input, quantity, peer, ``error`` (see `error`), ``condition`` (see
    `condition`), ``bound`` (`BOUNDS` times the condition) and ``within``.
    """
    rows = []
    for case in cases():
        ours = torch_side.results(case, "normlib")
        peers: dict[str, Mapping[str, Array]] = {
            "torch": torch_side.results(case, "torch"),
            "numpy": numpy_side.results(case),
            "keras": keras.results(case),
        }
        factor = condition(case)
        for quantity, mine in ours.items():
            for peer, found in peers.items():
                if quantity in found:
                    size = error(mine, found[quantity])
                    bound = BOUNDS[quantity] * factor
                    rows.append((case.method, case.training, case.input, quantity, peer, size,
                                 factor, bound, bool(size <= bound)))  # fmt: skip
    names = ["method", "training", "input", "quantity", "peer", "error", "condition", "bound",
             "within"]  # fmt: skip
    return pd.DataFrame(rows, columns=names)


def error(ours: Array, theirs: Array) -> float:
    """Return ``max |ours - theirs| / max |theirs|``; infinite if only theirs is all zeros."""
    if ours.shape != theirs.shape:
        return float("inf")
    difference = float(np.max(np.abs(ours - theirs), initial=0.0))
    largest = float(np.max(np.abs(theirs), initial=0.0))
    if largest == 0:
        return 0.0 if difference == 0 else float("inf")
    return difference / largest


def condition(case: Case) -> float:
    """Return how much the problem itself amplifies a rounding of its input, at least 1.

    Centering loses the digits that ``x`` and its mean share: ``max |x| / s`` with ``s`` the
    smallest ``sqrt(sigma2 + eps)``. About 10 for ordinary inputs, 1e5 for a mean of 3000 with a
    standard deviation of 0.01: no algorithm that starts from the rounded mean does better. That
    factor over 10 is returned; without centering nothing cancels, and it is 1.
    """
    if not case.centered:
        return 1.0
    shape, axes = case.grouped
    fixed = case.method == "batch" and not case.training
    sigma2 = case.running_var if fixed else case.x.reshape(shape).var(axes)
    return max(1.0, float(np.abs(case.x).max() / np.sqrt(sigma2.min() + case.eps)) / 10)


def biased_running_variance(case: Case) -> Array:
    """Return the running variance after the step with the biased new value: Keras's definition."""
    new = case.x.var((0, 2, 3)) if case.training else case.running_var
    return np.asarray((1 - MOMENTUM) * case.running_var + MOMENTUM * new)


def worst(compared: pd.DataFrame) -> pd.DataFrame:
    """Return the largest error, as a share of its bound too, per quantity, peer and method.

    Over the inputs; ``excess`` is the largest error over its bound (at most 1 means within).
    """
    graded = compared.assign(excess=compared["error"] / compared["bound"])
    keys = ["method", "training", "quantity", "peer"]
    return graded.groupby(keys, sort=False)[["error", "excess"]].max().reset_index()


def single_precision(keras: KerasSide) -> pd.DataFrame:
    """Return float32's errors against NumPy in extended precision, on the ordinary inputs.

    Columns: method, ``quantity`` (y or gx), and the largest error of normlib, torch and keras.
    """
    rows = []
    for case in cases():
        if case.input == "large-mean":
            continue
        exact = numpy_side.results(case)
        sides = {
            "normlib": torch_side.results(case, "normlib", "float32"),
            "torch": torch_side.results(case, "torch", "float32"),
            "keras": keras.results(case, "float32"),
        }
        for quantity in ("y", "gx"):
            found = {name: error(side[quantity], exact[quantity]) for name, side in sides.items()}
            rows.append({"method": case.method, "quantity": quantity, **found})
    table = pd.DataFrame(rows)
    return table.groupby(["method", "quantity"], sort=False).max().reset_index()
