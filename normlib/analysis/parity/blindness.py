"""Which wrong backward passes does a comparison of gradients see, under which loss?

If the loss is a sum or a mean of the outputs, the upstream gradient is constant, and layer
normalization's true input gradient is zero for every input, since its outputs sum to zero. Many a
wrong backward pass returns zero, too, or next to it.
"""

from collections.abc import Callable
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Array = NDArray[Any]
Backward = Callable[[Array, Array, Array], Array]
STEP: Final = 1e-200

BACKWARDS: Final[dict[str, Backward]] = {
    "right": lambda h, xhat, s: (h - _mean(h) - xhat * _mean(h * xhat)) / s,
    "sign flipped": lambda h, xhat, s: -(h - _mean(h) - xhat * _mean(h * xhat)) / s,
    "three times as large": lambda h, xhat, s: 3 * (h - _mean(h) - xhat * _mean(h * xhat)) / s,
    "always zero": lambda h, xhat, s: np.zeros_like(h),
    "variance taken for a constant": lambda h, xhat, s: (h - _mean(h)) / s,
    "not divided by sigma": lambda h, xhat, s: h - _mean(h) - xhat * _mean(h * xhat),
    "mean taken for a constant": lambda h, xhat, s: (h - xhat * _mean(h * xhat)) / s,
    "statistics taken for constants": lambda h, xhat, s: h / s,
}
"""Gradient by x from ``h``, that of xhat; ``s = sqrt(sigma2 + eps)``. One right, seven wrong."""

LOSSES: Final[dict[str, Callable[[Array, Array], Array]]] = {
    "sum of y": lambda y, w: np.ones_like(y),
    "mean of y": lambda y, w: np.full_like(y, 1 / y.size),
    "mean of y²": lambda y, w: 2 * y / y.size,
    "⟨w, y⟩, w random": lambda y, w: w,
}
"""The upstream gradient of each loss, given y and a random w."""


def errors(x: Array, *, eps: float = 1e-3, seed: int = 0) -> pd.DataFrame:
    """Return the largest error of each backward's input gradient, under each loss.

    ``x`` (N, d) is normalized over d, with gamma 1. The truth is the derivative of the formula by
    a complex step, in which no backward pass takes part. Columns: backward, loss, ``error`` (the
    largest absolute one) and ``gradient`` (the largest true gradient).
    """
    w = np.random.default_rng(seed).normal(size=x.shape)
    y, s = _forward(x, eps)
    rows = []
    for loss, upstream in LOSSES.items():
        h = upstream(y, w)
        truth = derivative(x, h, eps)
        for name, backward in BACKWARDS.items():
            error = float(np.abs(backward(h, y, s) - truth).max())
            rows.append((name, loss, error, float(np.abs(truth).max())))
    return pd.DataFrame(rows, columns=["backward", "loss", "error", "gradient"])


def derivative(x: Array, h: Array, eps: float) -> Array:
    """Return the gradient of <h, xhat> by x, one complex step per feature; exact to rounding."""
    found = np.empty_like(x)
    for i in range(x.shape[1]):
        moved = x.astype(complex)
        moved[:, i] += 1j * STEP
        found[:, i] = (h * _forward(moved, eps)[0].imag).sum(1) / STEP
    return found


def unseen(table: pd.DataFrame, loss: str, threshold: float) -> list[str]:
    """Return the wrong backward passes whose error under ``loss`` is at most ``threshold``."""
    small = table[(table["loss"] == loss) & (table["error"] <= threshold)]
    return [name for name in small["backward"] if name != "right"]


def _forward(x: Array, eps: float) -> tuple[Array, Array]:
    z = x - _mean(x)
    s = np.sqrt(_mean(z * z) + eps)
    return z / s, s


def _mean(a: Array) -> Array:
    return np.asarray(a.mean(1, keepdims=True))
