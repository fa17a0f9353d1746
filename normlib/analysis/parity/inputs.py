"""The declared inputs of the parity cases: arrays that every framework holds exactly.

All values are multiples of 2**-12 below 4096 in size: the same numbers in float32 and float64, and
no rounding of a platform's own logarithm or sum can move them.
"""

import hashlib
from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from normlib.datasets import load

Array = NDArray[np.float64]
QUANTUM: Final = 2.0**-12


def generator(*names: str) -> np.random.Generator:
    """Return a generator seeded by ``names``, so that adding an input changes no other."""
    digest = hashlib.sha256("/".join(("parity", *names)).encode()).digest()
    return np.random.Generator(np.random.PCG64(int.from_bytes(digest[:16], "little")))


def quantized(array: NDArray[np.floating]) -> Array:
    """Return ``array`` rounded to multiples of 2**-12, as float64; zero has no sign."""
    return np.asarray(np.round(array / QUANTUM) * QUANTUM + 0.0, np.float64)


def normal(*names: str, shape: tuple[int, ...], mean: float = 0.0, std: float = 1.0) -> Array:
    """Return quantized normal variates of the generator that ``names`` seed."""
    return quantized(generator(*names).normal(mean, std, shape))


def plain() -> Array:
    """(3, 4, 5, 4): channels of different means and scales, height and width different."""
    x = normal("plain", shape=(3, 4, 5, 4))
    scale, shift = np.array([0.5, 1.0, 2.0, 3.0]), np.array([-1.0, 0.0, 0.5, 4.0])
    return quantized(x * scale[:, None, None] + shift[:, None, None])


def large_mean() -> Array:
    """(4, 4, 5, 3) of mean 3000 and standard deviation 0.01.

    In float32 E[x^2] - E[x]^2 has no correct digit here, and may be negative.
    """
    return normal("large-mean", shape=(4, 4, 5, 3), mean=3000.0, std=0.01)


def small() -> Array:
    """(4, 4, 5, 3) of standard deviation 0.03: the variance is about as large as eps = 1e-3."""
    return normal("small", shape=(4, 4, 5, 3), std=0.03)


def images() -> Array:
    """(3, 4, 6, 6): three images of the bundled sample after a 5x5 convolution of stride 4.

    Pixels and kernels are integers, so the sums are exact in any order; the result is divided by
    2**12, which puts it into about -2..2.
    """
    pixels = load("fashion-mnist-sample", "train").images[:3, 0].astype(np.int64)
    kernels = generator("images").integers(-8, 9, (4, 5, 5))
    windows = np.lib.stride_tricks.sliding_window_view(pixels, (5, 5), axis=(1, 2))[:, ::4, ::4]
    sums = (windows[:, None] * kernels[None, :, None, None]).sum(axis=(-1, -2))
    return quantized(sums / 2.0**12)


INPUTS: Final[dict[str, Callable[[], Array]]] = {
    "plain": plain,
    "large-mean": large_mean,
    "small": small,
    "images": images,
}
"""Name and maker of each input, (N, C, H, W)."""


def sha256(arrays: dict[str, Array]) -> str:
    """Return one hash over names, shapes and float64 contents, little-endian."""
    digest = hashlib.sha256()
    for name, array in sorted(arrays.items()):
        digest.update(f"{name}\0{array.shape}\0".encode())
        digest.update(np.ascontiguousarray(array, "<f8").data)
    return digest.hexdigest()
