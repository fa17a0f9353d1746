"""Probe ``histograms``: weights and gradients of a ResNet's first and last layer, block scales."""

import copy
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from normlib.engine.probes.bins import COUNT, binned
from normlib.engine.probes.probe import Arrays, Batch, Moment, ProbeError
from normlib.records import Experiment
from normlib.records.choices import RESNETS

UPDATES = 20
"""Updates that are early, at the start of an epoch, and late, at its end."""
EPOCHS = (1, 2, 3, 5, 10, 15)
"""Epochs whose updates are pooled; source E has the first."""
LAYERS = {"input": "conv1", "final": "fc"}
KINDS = ("weights", "gradients")
PARTS = tuple((layer, kind) for layer in LAYERS for kind in KINDS)
"""Of what there are histograms: (input, weights), (input, gradients), (final, weights), ..."""
PERIODS = ("early", "late")
SCALED_AT = (0, UPDATES)
"""Updates made in the first epoch when the blocks' scales are taken: start and early."""


class Histograms:
    r"""The distributions that source E draws, and how signals grow through the blocks.

    After each of the first and the last UPDATES updates of an epoch in EPOCHS, the values of the
    first convolution's and of the classifier's weight, and of their gradients in that update, are
    counted, in the bins of `normlib.engine.probes.bins`. With 0 and with UPDATES updates made, at
    the batch of the next update, the root mean square of each residual block's output, and of the
    gradient of the mean loss with respect to it, are taken from a copy of the network.

    Arrays, a row per occupied bin, sorted: ``epoch``, ``period`` (in PERIODS), ``part`` (in PARTS),
    ``bin``, ``count``; and ``scale`` of the shape (moments of SCALED_AT, 2, blocks), outputs first,
    NaN where there was no such update.

    Raises:
        ProbeError: the model is no ResNet, or a weight is not a parameter itself.

    Source: Peerthum and Stamp 2023, section 4.3
    """

    def __init__(self, experiment: Experiment) -> None:
        if experiment.model not in RESNETS:
            raise ProbeError(
                f"probe 'histograms' measures ResNets, not model={experiment.model!r}; leave it out"
            )
        self._rows: dict[tuple[int, int, int], NDArray[np.int64]] = {}
        self._scales: dict[int, list[list[float]]] = {}

    def before(self, at: Moment, model: nn.Module, batch: Batch) -> None:
        """Take the blocks' scales."""
        if at.epoch == 1 and at.step in SCALED_AT:
            self._scales[SCALED_AT.index(at.step)] = block_scales(model, *batch())

    def after(self, at: Moment, model: nn.Module) -> None:
        """Count weights and gradients."""
        periods = [at.step <= UPDATES, at.step > at.steps - UPDATES]
        if at.epoch not in EPOCHS or not any(periods):
            return
        for part, values in enumerate(_values(model)):
            counted = binned(values)
            for period, within in enumerate(periods):
                if within:
                    place = (at.epoch, period, part)
                    self._rows[place] = self._rows.get(place, np.int64(0)) + counted

    def state(self) -> Arrays:
        """Return the arrays so far."""
        columns: list[list[NDArray[Any]]] = [[], [], [], [], []]
        for place in sorted(self._rows):
            counted = self._rows[place]
            occupied = np.flatnonzero(counted)
            for column, value in zip(columns, place, strict=False):
                column.append(np.full(occupied.size, value))
            columns[3].append(occupied)
            columns[4].append(counted[occupied])
        types = {
            "epoch": np.uint16,
            "period": np.uint8,
            "part": np.uint8,
            "bin": np.uint16,
            "count": np.uint32,
        }
        none = [np.zeros(0, np.int64)]
        arrays: Arrays = {
            name: np.concatenate(column or none).astype(kind)
            for (name, kind), column in zip(types.items(), columns, strict=True)
        }
        blocks = max((len(found[0]) for found in self._scales.values()), default=0)
        arrays["scale"] = np.full((len(SCALED_AT), 2, blocks), np.nan)
        for moment, found in self._scales.items():
            arrays["scale"][moment] = found
        return arrays

    def restore(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Go on from the arrays of ``state``."""
        self._rows = {}
        columns = (arrays[name].tolist() for name in ("epoch", "period", "part", "bin", "count"))
        for epoch, period, part, occupied, count in zip(*columns, strict=True):
            row = self._rows.setdefault((epoch, period, part), np.zeros(COUNT, np.int64))
            row[occupied] = count
        self._scales = dict(enumerate(arrays["scale"].tolist()))


def block_scales(model: nn.Module, x: Tensor, y: Tensor) -> list[list[float]]:
    """Return root mean squares over the residual blocks: of outputs, and of the loss's gradients.

    The loss is the mean cross-entropy over the batch, in training mode. A copy is run, so that
    neither running averages nor gradients nor the random numbers of ``model`` change.

    Shape:
        (N, 3, H, W) and (N,) to 2 lists of one number per block, in order.
    """
    outputs: list[Tensor] = []
    devices = [x.device] if x.device.type == "cuda" else []
    with torch.random.fork_rng(devices):
        parameters: dict[int, Any] = {id(one): one for one in model.parameters()}
        again = copy.deepcopy(model, parameters).train()  # they are shared: buffers are what moves
        for block in _blocks(again):
            block.register_forward_hook(lambda _, __, output: outputs.append(output))
        loss = F.cross_entropy(again(x), y)
        gradients = torch.autograd.grad(loss, outputs)
    return [[_rms(one) for one in outputs], [_rms(one) for one in gradients]]


def _blocks(model: nn.Module) -> Iterator[nn.Module]:
    for stage in range(1, 5):
        yield from model.get_submodule(f"layer{stage}").children()


def _rms(values: Tensor) -> float:
    return float(values.detach().double().square().mean().sqrt())


def _values(model: nn.Module) -> Iterator[NDArray[np.float32]]:
    for name in LAYERS.values():
        weight = model.get_submodule(name)._parameters.get("weight")
        if weight is None or weight.grad is None:
            raise ProbeError(
                f"probe 'histograms' finds no weight with a gradient in {name!r}; "
                "it cannot measure methods on weights"
            )
        for values in (weight.detach(), weight.grad.detach()):
            yield values.float().cpu().numpy()
