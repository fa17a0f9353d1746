"""The projection and its tangent projector as loops, compiled for one thread of a CPU by Numba.

They compute what `normlib.projection` states, reading each tensor once or twice instead of once
per step of the formula. Used where they apply (`layout_of` says so); everywhere else, and without
Numba, the formulas themselves are evaluated.

The tensors are contiguous, seen in one of two ways:

``rows`` (R, K, M): statistics over K x M for each of the R rows. ``gamma`` is (G, K), used in
    turn by the rows: LayerNorm has G = 1, M = 1; InstanceNorm G = C, K = 1; GroupNorm both.
``columns`` (N, C, M): statistics over N x M for each column. ``gamma`` is (1, C). BatchNorm; on
    channels_last activations M = 1.

``beta`` is of the shape of ``gamma``; there is none without ``gamma``.
"""

from normlib.kernels.calls import project, tangent
from normlib.kernels.compiling import VERSION, compiled, inlined
from normlib.kernels.layout import Layout, layout_of, readable, transformed

__all__ = [
    "VERSION",
    "Layout",
    "compiled",
    "inlined",
    "layout_of",
    "project",
    "readable",
    "tangent",
    "transformed",
]
