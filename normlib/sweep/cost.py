"""How long a run will take, judged by recorded ones."""

import statistics
from collections import defaultdict
from collections.abc import Iterable

from normlib.datasets import INFO
from normlib.records import Experiment, Record

GUESS = {
    "cnn": 3.5e-4,  # of 32 filters and 128 units
    "mlp": 2e-5,  # of 128 units
    "vgg": 2e-3,  # of 32 filters and 128 units
    "resnet18": 1.8e-3,
    "resnet34": 3.5e-3,
    "resnet50": 5.6e-3,
    "resnet101": 10.2e-3,
}
"""Seconds per training image on one core, where nothing similar is recorded."""


class Costs:
    """Seconds per epoch of an experiment, from the records at hand.

    Seconds per training image: the median of the recorded runs of the same data set, model, norm
    and batch size, else of all batch sizes, else of all norms, else a guess. Of records only those
    computed on the same kind of ``device`` count: a GPU tells nothing of a CPU.
    """

    def __init__(self, records: Iterable[Record] = (), device: str = "cpu") -> None:
        self._seen: dict[tuple[str, ...], list[float]] = defaultdict(list)
        for record in records:
            if (record.environment["device"] == "cpu") != (device == "cpu"):
                continue
            if _images(record.experiment) < 1:  # no run is, but its record could be written
                continue
            one = statistics.median(record.history["seconds"]) / _images(record.experiment)
            for kind in _kinds(record.experiment):
                self._seen[kind].append(one)

    def epoch(self, experiment: Experiment) -> float:
        """Return the expected seconds of one epoch."""
        for kind in _kinds(experiment):
            if kind in self._seen:
                return statistics.median(self._seen[kind]) * _images(experiment)
        scale = experiment.width * experiment.hidden / (32 * 128)  # 1 for a ResNet
        return GUESS[experiment.model] * _images(experiment) * max(scale, 0.05)

    def run(self, experiment: Experiment) -> float:
        """Return the expected seconds of all epochs."""
        return self.epoch(experiment) * experiment.epochs

    def guessed(self, experiment: Experiment) -> bool:
        """Return whether nothing similar is recorded."""
        return not any(kind in self._seen for kind in _kinds(experiment))


def duration(seconds: float) -> str:
    """Return seconds as a person says them: ``45 s``, ``12 min``, ``1 h 52 min``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02d} min"


def _images(experiment: Experiment) -> int:
    return experiment.train_size or (
        INFO[experiment.dataset].sizes["train"] - experiment.validation_size
    )


def _kinds(experiment: Experiment) -> tuple[tuple[str, ...], ...]:
    network = (
        experiment.dataset,
        experiment.model,
        str(experiment.width),
        str(experiment.hidden),
        experiment.precision,
    )
    norm = (*network, experiment.norm)
    return ((*norm, str(experiment.batch_size)), norm, network)
