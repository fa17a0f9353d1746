"""What a probe is, and how a run calls the probes it was given."""

import importlib
import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from normlib.engine.portions import Indices
from normlib.errors import NormlibError
from normlib.records import Experiment
from normlib.records.choices import suggest

if TYPE_CHECKING:
    from torch import Tensor, nn

Arrays = dict[str, NDArray[Any]]
OnStep = Callable[[int, int], None]

PROBES = {
    "first-layer": "normlib.engine.probes.first_layer:FirstLayer",
    "hallucinations": "normlib.engine.probes.hallucinations:Hallucinations",
    "histograms": "normlib.engine.probes.histograms:Histograms",
    "steps": "normlib.engine.probes.steps:Steps",
}
"""By name, the class that measures; loading it imports torch."""
_PREFIX = "probe/"


class ProbeError(NormlibError, ValueError):
    """A probe that does not exist, or cannot measure this run."""


@dataclass(frozen=True)
class Moment:
    """Where a run stands: ``step`` updates of ``steps`` are made in this ``epoch`` (from 1).

    ``totals()`` gives, of the images of the epoch's updates so far, each before its update: the
    sum of their losses, how many were right, and how many there are.
    """

    epoch: int
    step: int
    steps: int
    totals: Callable[[], tuple[float, float, int]]


class Probe(Protocol):
    """Measures at moments of a run, and keeps small arrays.

    It changes neither the network nor its gradients, and draws no random numbers from the run's
    generator: with and without it a run has the same bits.
    """

    def before(self, at: Moment, model: "nn.Module", batch: "Batch") -> None:
        """Measure before an update."""

    def after(self, at: Moment, model: "nn.Module") -> None:
        """Measure after an update, whose gradients are still there."""

    def state(self) -> Arrays:
        """Return what it has measured in whole epochs; ``restore`` takes it back."""

    def restore(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Go on from a ``state``."""


Batch = Callable[[], "tuple[Tensor, Tensor]"]
"""Gives the images and labels of the next update."""


def check(names: Sequence[str]) -> tuple[str, ...]:
    """Return ``names``, each once and in order; ProbeError if one is no probe's."""
    for name in names:
        if name not in PROBES:
            raise ProbeError(f"probe {name!r:.60} is unknown; {suggest(name, PROBES)}")
    return tuple(sorted(set(names)))


class Probes:
    """The probes of one run, called where it trains.

    Args:
        names: Of PROBES; none measure nothing.
        experiment: What is trained.

    Raises:
        ProbeError: there is no such probe, or it cannot measure this experiment.
    """

    def __init__(self, names: Sequence[str], experiment: Experiment) -> None:
        self.names = check(names)
        self._probes: dict[str, Probe] = {}
        for name in self.names:
            module, _, kind = PROBES[name].partition(":")
            self._probes[name] = getattr(importlib.import_module(module), kind)(experiment)

    def watching(
        self,
        on_step: OnStep | None,
        model: "nn.Module",
        epoch: int,
        todo: Sequence[Indices],
        batch: "Callable[[Indices], tuple[Tensor, Tensor]]",
        sums: "Tensor",
    ) -> OnStep | None:
        """Measure before an epoch's first update and return an ``on_step`` that goes on with it.

        ``todo`` are the indices of each update's images; ``batch`` gives images and labels, and
        ``sums`` hold the summed loss and the right answers of the epoch so far.
        """
        if not self._probes:
            return on_step
        images = list(itertools.accumulate(map(len, todo), initial=0))

        def moment(step: int) -> Moment:
            def totals() -> tuple[float, float, int]:
                loss, right = sums.tolist()
                return loss, right, images[step]

            return Moment(epoch, step, len(todo), totals)

        def look(step: int) -> None:
            for probe in self._probes.values():
                probe.before(moment(step), model, lambda: batch(todo[step]))

        def after(step: int, steps: int) -> None:
            for probe in self._probes.values():
                probe.after(moment(step), model)
            if step < steps:
                look(step)
            if on_step:
                on_step(step, steps)

        look(0)
        return after

    def state(self) -> Arrays:
        """Return what was measured so far, for a checkpoint beside the network's state."""
        return {f"{_PREFIX}{name}": array for name, array in self.arrays().items()}

    def restore(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Go on from the arrays of a checkpoint."""
        for name, probe in self._probes.items():
            start = f"{_PREFIX}{name}/"
            own = [key for key in arrays if key.startswith(start)]
            probe.restore({key.removeprefix(start): arrays[key] for key in own})

    def arrays(self) -> Arrays:
        """Return what was measured, by probe and name: ``histograms/count``."""
        return {
            f"{probe}/{name}": np.asarray(array)
            for probe, one in self._probes.items()
            for name, array in one.state().items()
        }
