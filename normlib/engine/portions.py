"""Which training images a run trains on, holds out, and re-evaluates; shared by all frameworks."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from normlib.errors import NormlibError
from normlib.records import Experiment

REEVALUATED = 10_000
"""At most so many training images are evaluated at the end of each epoch.

An accuracy over them is as precise as one over the test images (a standard error of at most 0.005).
Both together add an eighth to the epochs of a ResNet on CIFAR-10, all 50,000 would add a third.
"""
EVALUATION_BATCH = 1000
"""So many images are evaluated at once."""

Indices = NDArray[np.int64]


@dataclass(frozen=True)
class Portions:
    """Indices into the training set in its official order: three ranges counted from zero.

    ``validation`` are the last images of the set, ``train`` the first of the rest, ``reevaluated``
    the first of ``train``.
    """

    train: Indices
    reevaluated: Indices
    validation: Indices


def portions(experiment: Experiment, available: int) -> Portions:
    """Return the portions of ``available`` training images that ``experiment`` asks for.

    Raises NormlibError if there are too few, or if ``last_batch='drop'`` would drop the only batch.
    """
    left = available - experiment.validation_size
    size = left if experiment.train_size is None else experiment.train_size
    if not 0 < size <= left:
        raise NormlibError(
            f"train_size={experiment.train_size} and validation_size={experiment.validation_size} "
            f"do not fit into the {available} training images of {experiment.dataset}; choose less"
        )
    train = np.arange(size)
    if experiment.last_batch == "drop" and experiment.batch_size > size:
        raise NormlibError(
            f"batch_size={experiment.batch_size} with last_batch='drop' leaves no batch of {size} "
            "training images; choose a smaller batch"
        )
    return Portions(train, train[:REEVALUATED], np.arange(left, available))


def batches(indices: Indices, size: int, last: str = "keep") -> list[Indices]:
    """Split ``indices`` into batches of ``size``; a shorter last one is kept or dropped."""
    cut = [indices[start : start + size] for start in range(0, len(indices), size)]
    return cut if last == "keep" or len(cut[-1]) == size else cut[:-1]
