"""Weights as 8-bit images, and back."""

import numpy as np
from numpy.typing import NDArray

LEVELS = 127
"""On either side of zero."""


def quantized(weights: NDArray[np.float32]) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Return ``round(LEVELS * w / scale)`` and ``scale = max |w|`` of each unit.

    Shape:
        (units, C, H, W) to (units, C, H, W) and (units,); of weights that are not finite 0 and NaN.
    """
    scale = np.abs(weights).max(axis=(1, 2, 3))
    finite: NDArray[np.bool_] = np.isfinite(scale)
    usable = np.where(finite & (scale > 0), scale, 1.0)[:, None, None, None]
    levels = np.round(LEVELS * np.nan_to_num(weights, posinf=0.0, neginf=0.0) / usable)
    image = np.where(finite[:, None, None, None], levels, 0).astype(np.int8)
    return image, np.where(finite, scale, np.nan).astype(np.float32)


def restored(image: NDArray[np.int8], scale: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the weights that `quantized` gave ``image`` and ``scale`` of, to half a level."""
    return np.asarray(image / LEVELS * scale.astype(np.float64)[:, None, None, None])
