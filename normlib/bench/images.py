"""Random images to train on: the speed of a step does not depend on what they show."""

import numpy as np
from numpy.typing import NDArray

from normlib.datasets import ImageSet

Bytes = NDArray[np.uint8]

CIFAR = (3, 32, 32)
"""The shape of an image of CIFAR-10."""


def drawn(count: int, shape: tuple[int, ...]) -> tuple[Bytes, Bytes]:
    """Return ``count`` images of this ``shape`` and labels of ten classes, every time the same."""
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (count, *shape), dtype=np.uint8)
    return images, random.integers(0, 10, count, dtype=np.uint8)


def as_set(images: Bytes, labels: Bytes) -> ImageSet:
    """Return images ``(N, C, H, W)`` and their labels as a data set for the engine."""
    return ImageSet("bench", "train", images, labels, "", tuple("0123456789"))
