"""Probe ``steps``: loss and accuracy of every update of the first epoch."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from normlib.engine.probes.probe import Arrays, Batch, Moment
from normlib.records import Experiment


class Steps:
    """What the network made of each batch of epoch 1 before it was updated with it.

    Arrays, a value per update: ``loss``, the mean over the batch in training mode, in nats, and
    ``accuracy``, between 0 and 1.
    """

    def __init__(self, experiment: Experiment) -> None:
        self._totals: list[tuple[float, float, int]] = [(0.0, 0.0, 0)]
        self._resumed: Arrays = {}

    def before(self, at: Moment, model: nn.Module, batch: Batch) -> None:
        """Do nothing: the update itself computes both."""

    def after(self, at: Moment, model: nn.Module) -> None:
        """Note the sums over the epoch so far."""
        if at.epoch == 1:
            self._totals.append(at.totals())

    def state(self) -> Arrays:
        """Return the arrays so far."""
        if self._resumed:
            return self._resumed
        loss, right, images = np.diff(np.array(self._totals, np.float64), axis=0).T
        return {
            "loss": (loss / images).astype(np.float32),
            "accuracy": (right / images).astype(np.float32),
        }

    def restore(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Take the arrays of ``state``; epoch 1 is behind, so that there is nothing to add."""
        self._resumed = dict(arrays)
