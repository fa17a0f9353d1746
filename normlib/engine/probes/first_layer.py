"""Probe ``first-layer``: the weights of a two-layer network's hidden units, as images."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from normlib.datasets import INFO, load
from normlib.engine.initial import initial_arrays
from normlib.engine.probes import patterns
from normlib.engine.probes.eight_bits import quantized
from normlib.engine.probes.probe import Arrays, Batch, Moment, ProbeError
from normlib.records import Experiment

VARIED = 0.01
"""A pixel counts if it differs from its median in more than this share of the training images."""
MEASURES = ("autocorrelation", "roughness", "low_frequencies", "moved")


class FirstLayer:
    """What the hidden units of a network look at.

    At the start and after each epoch the measures of `patterns` are taken of each unit's incoming
    weights, and after the last one also its p value against its own pixels shuffled, by
    autocorrelation. Only pixels that `varied` finds count: the others are black in nearly all
    images, so that under SGD their weights stay near what they were at the start, noise. (Adam
    moves those far that see an image or two, too.)

    Arrays: ``autocorrelation``, ``roughness``, ``low_frequencies`` and ``moved`` of the shape
    (epochs made + 1, units); after the last epoch ``p`` (units,), and the weights themselves as
    ``image`` (units, channels, height, width) with ``scale`` (units,), as `eight_bits` makes them;
    before it both have no rows.

    Raises:
        ProbeError: the model has no hidden units that see the whole image.

    Source: "BatchNorm in Practice", which shows such weights on a grid.
    """

    def __init__(self, experiment: Experiment) -> None:
        if experiment.model != "mlp":
            raise ProbeError(
                f"probe 'first-layer' looks at model='mlp', not {experiment.model!r}; leave it out"
            )
        self._experiment = experiment
        self._shape = INFO[experiment.dataset].shape
        self._initial = self._as_images(initial_arrays(experiment)["fc.weight"])
        self._mask = varied(load(experiment.dataset, "train").images)
        self._measured: dict[str, list[NDArray[np.float64]]] = {name: [] for name in MEASURES}
        units = len(self._initial)
        self._last: Arrays = {
            "p": np.full(units, np.nan),
            "image": np.zeros((0, *self._shape), np.int8),
            "scale": np.zeros(0, np.float32),
        }

    def before(self, at: Moment, model: nn.Module, batch: Batch) -> None:
        """Measure the start."""
        if (at.epoch, at.step) == (1, 0):
            self._measure(model)

    def after(self, at: Moment, model: nn.Module) -> None:
        """Measure at the end of an epoch; after the last keep the weights."""
        if at.step < at.steps:
            return
        weights = self._measure(model)
        if at.epoch == self._experiment.epochs:
            image, scale = quantized(weights)
            p = patterns.null(weights, "autocorrelation", mask=self._mask)
            self._last = {"p": p, "image": image, "scale": scale}

    def state(self) -> Arrays:
        """Return the arrays so far."""
        units = len(self._initial)
        measured = {
            name: np.array(rows, np.float32).reshape(-1, units)
            for name, rows in self._measured.items()
        }
        return measured | self._last

    def restore(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Go on from the arrays of ``state``."""
        self._measured = {name: list(arrays[name]) for name in MEASURES}
        self._last = {name: arrays[name] for name in self._last}

    def _measure(self, model: nn.Module) -> NDArray[np.float32]:
        fc: Any = model.get_submodule("fc")
        # A method on weights gives here what it computes with.
        weights = self._as_images(fc.weight.detach().cpu().numpy())
        found = {
            "autocorrelation": patterns.autocorrelation(weights, self._mask),
            "roughness": patterns.roughness(weights, self._mask),
            "low_frequencies": patterns.low_frequencies(weights, mask=self._mask),
            "moved": patterns.moved(weights, self._initial, self._mask),
        }
        for name, values in found.items():
            self._measured[name].append(values)
        return weights

    def _as_images(self, weights: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.ascontiguousarray(weights).reshape(-1, *self._shape)


def varied(images: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Return which pixels differ from their median in more than VARIED of the images.

    Shape:
        (N, C, H, W) to (H, W); a pixel counts if it does in any channel.
    """
    differs = images != np.median(images, axis=0).astype(np.uint8)
    return np.asarray((differs.mean(axis=0) > VARIED).any(axis=0))
