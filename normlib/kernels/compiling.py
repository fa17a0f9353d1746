"""Compiling loops with Numba, where it is installed."""

from typing import Any

try:
    import numba
    from numba import njit as njit
except ImportError:  # without it the formulas are evaluated as they stand
    numba = njit = None

VERSION: str | None = None if numba is None else numba.__version__

# Sums may be reordered to use vector registers; NaN and infinity keep their meaning.
_FLAGS: dict[str, Any] = {"fastmath": {"reassoc", "contract", "nsz"}, "error_model": "numpy"}


def compiled(function: Any) -> Any:
    """Compile a loop, and keep its code on disk; the function itself where there is no Numba."""
    return function if njit is None else njit(cache=True, **_FLAGS)(function)


def inlined(function: Any) -> Any:
    """Make a function part of each loop that calls it.

    A function of its own would be compiled alone as well as with its caller, and which of the two
    runs, with other last bits, would depend on whether the caller was loaded from a cache.
    """
    return function if njit is None else njit(inline="always", **_FLAGS)(function)
