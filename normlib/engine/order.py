"""The order of the training images, from the seed and the epoch alone."""

import hashlib

import numpy as np
from numpy.typing import NDArray


def batch_order(seed: int, epoch: int, size: int) -> NDArray[np.int64]:
    """Return the permutation of ``range(size)`` that ``epoch`` (counted from 1) walks through.

    It depends on nothing else, so every norm, framework and resumed run sees the same batches.
    """
    digest = hashlib.sha256(f"order/{seed}/{epoch}".encode()).digest()
    generator = np.random.Generator(np.random.PCG64(int.from_bytes(digest[:16], "little")))
    return generator.permutation(size)
