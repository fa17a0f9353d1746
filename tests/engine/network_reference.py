"""The report's network in NumPy, float64, from the formulas, in PyTorch's layouts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def convolution(x: Array, weight: Array, bias: Array) -> Array:
    """(N, I, H, W) by (O, I, 5, 5), padding 2."""
    padded = np.pad(x, ((0, 0), (0, 0), (2, 2), (2, 2)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (5, 5), axis=(2, 3))
    return np.einsum("nihwab,oiab->nohw", windows, weight) + bias[:, None, None]


def normalized(x: Array, axes: tuple[int, ...], eps: float) -> Array:
    mu = x.mean(axes, keepdims=True)
    sigma2 = ((x - mu) ** 2).mean(axes, keepdims=True)
    return (x - mu) / np.sqrt(sigma2 + eps)


def logits(arrays: Mapping[str, Any], h: Array) -> Array:
    """From the normalized convolution (N, C, H, W) to (N, 10)."""
    h = np.maximum(h, 0)
    n, c, height, width = h.shape
    h = h.reshape(n, c, height // 2, 2, width // 2, 2).max((3, 5)).reshape(n, -1)
    h = np.maximum(h @ arrays["fc.weight"].T + arrays["fc.bias"], 0)
    return h @ arrays["out.weight"].T + arrays["out.bias"]


def cross_entropy(z: Array, labels: NDArray[np.uint8]) -> tuple[float, Array]:
    """Mean loss, and its gradient by the logits."""
    z = z - z.max(1, keepdims=True)
    p = np.exp(z) / np.exp(z).sum(1, keepdims=True)
    rows = np.arange(len(z))
    loss = -np.log(p[rows, labels]).mean()
    p[rows, labels] -= 1
    return float(loss), p / len(z)
