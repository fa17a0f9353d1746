"""Histograms with bins of one relative width, so that no range has to be chosen beforehand.

A bin holds the float32 numbers that agree in sign, exponent and the first 5 bits of the mantissa:
32 bins to every doubling, on both sides of 0, none wider than 1/32 of where it lies. A histogram of
values of any scale is exact to that width, and two of them can be compared whatever their scales.
"""

import numpy as np
from numpy.typing import NDArray

BITS = 5
"""Bits of the mantissa that tell bins apart."""
_DROPPED = 23 - BITS
COUNT = 1 << (32 - _DROPPED)
"""Bins there are, those of infinities and of what is no number included."""

Bins = NDArray[np.uint16]


def binned(values: NDArray[np.float32]) -> NDArray[np.int64]:
    """Return how many of ``values`` fall into each of the COUNT bins.

    Shape:
        Any to (COUNT,).
    """
    bits = np.ascontiguousarray(values, dtype=np.float32).view(np.uint32).ravel()
    return np.bincount(bits >> _DROPPED, minlength=COUNT)


def edges(bins: Bins) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the lower and the upper end of each bin; not finite for what was not.

    Shape:
        (N,) to (N,) and (N,).
    """
    start = np.asarray(bins, dtype=np.uint32) << _DROPPED
    with np.errstate(over="ignore", invalid="ignore"):
        near = start.view(np.float32).astype(np.float64)
        far = (start + np.uint32(1 << _DROPPED)).view(np.float32).astype(np.float64)
    negative = start >> 31 == 1
    lower, upper = np.where(negative, far, near), np.where(negative, near, far)
    outside = ~np.isfinite(near)
    return np.where(outside, np.nan, lower), np.where(outside, np.nan, upper)


def middles(bins: Bins) -> NDArray[np.float64]:
    """Return the middle of each bin, its values to within 1/64; NaN for what was not finite."""
    lower, upper = edges(bins)
    return (lower + upper) / 2
