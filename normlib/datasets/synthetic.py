"""Made-up sets for smoke tests: a pattern per class, blended with another class's, under noise.

For an image of class ``y``, with ``z`` another class, ``w`` in 9..15 and ``noise`` in 0..255::

    image = (3 * (w * pattern[y] + (16 - w) * pattern[z]) // 16 + noise) // 4

The patterns are blocks of 4 x 4 equal pixels. All arithmetic is on integers and the random bits are
PCG64's raw output, the part of NumPy's generators that never changes, so that the content hash is
the same everywhere.
"""

import hashlib

import numpy as np
from numpy.typing import NDArray

from normlib.datasets.imageset import Bytes
from normlib.datasets.info import Split

_BLOCK = 4


def make(
    name: str, split: Split, shape: tuple[int, int, int], size: int, classes: int
) -> tuple[Bytes, Bytes]:
    """Return ``size`` images ``(size, *shape)`` and their labels, fixed by ``name`` and ``split``.

    The classes are as balanced as ``size`` allows; ``shape`` is ``(C, H, W)``, H and W multiples
    of 4. Both splits share their patterns.
    """
    channels, height, width = shape
    coarse = _bits(f"{name}/patterns", classes * channels * height * width // _BLOCK**2)
    patterns = (coarse & np.uint64(255)).astype(np.int64)
    patterns = patterns.reshape(classes, channels, height // _BLOCK, width // _BLOCK)
    patterns = patterns.repeat(_BLOCK, axis=2).repeat(_BLOCK, axis=3)

    labels = np.argsort(_bits(f"{name}/{split}/labels", size), kind="stable") % classes
    step = 1 + _bits(f"{name}/{split}/others", size) % np.uint64(classes - 1)
    others = (labels + step.astype(np.int64)) % classes
    weight = 9 + (_bits(f"{name}/{split}/weights", size) % np.uint64(7)).astype(np.int64)
    weight = weight[:, None, None, None]
    noise = _bits(f"{name}/{split}/noise", size * channels * height * width) & np.uint64(255)

    blend = (weight * patterns[labels] + (16 - weight) * patterns[others]) // 16
    images = (3 * blend + noise.astype(np.int64).reshape(size, *shape)) // 4
    return images.astype(np.uint8), labels.astype(np.uint8)


def _bits(purpose: str, count: int) -> NDArray[np.uint64]:
    seed = int.from_bytes(hashlib.sha256(purpose.encode()).digest()[:16], "little")
    return np.asarray(np.random.PCG64(seed).random_raw(count), np.uint64)
