"""What the probe ``histograms`` left beside records, read back."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from normlib.analysis import distributions
from normlib.engine.probes import bins
from normlib.records import Experiment, Record, Store

PROBE = "histograms"
Period = Literal["early", "late"]
Layer = Literal["input", "final"]
Kind = Literal["weights", "gradients"]
PERIODS: tuple[Period, ...] = ("early", "late")
LAYERS: tuple[Layer, ...] = ("input", "final")
KINDS: tuple[Kind, ...] = ("weights", "gradients")

Numbers = NDArray[np.float64]


class Place(NamedTuple):
    """Which histogram of a run: the first or last updates of an epoch, a layer, and of what."""

    epoch: int
    period: Period
    layer: Layer
    kind: Kind


@dataclass(frozen=True)
class Histogram:
    """A distribution as the occupied bins of `engine.probes.bins` and how many values each has."""

    occupied: NDArray[np.uint16]
    counts: NDArray[np.int64]

    @property
    def values(self) -> Numbers:
        """The middle of each bin; NaN for one of values that were not finite."""
        return bins.middles(self.occupied)

    @property
    def spread(self) -> float:
        """`distributions.spread`; NaN if a value was not finite."""
        values = self.values
        return distributions.spread(values, self.counts) if self.finite else float("nan")

    @property
    def finite(self) -> bool:
        """Whether all values were finite."""
        return bool(np.isfinite(self.values).all())

    def distance(self, other: "Histogram", *, shape: bool = False) -> float:
        """Return `distributions.distance`, NaN where one is not finite or both are one value.

        With ``shape`` the median is taken off each before, and each is divided by its spread.
        """
        if not (self.finite and other.finite):
            return float("nan")
        x, y = (one._standard() if shape else one.values for one in (self, other))
        try:
            return distributions.distance(x, y, self.counts, other.counts)
        except distributions.DistributionError:
            return float("nan")

    def density(self, edges: Numbers) -> Numbers:
        """Return the share of values per unit between ``edges``, a bin's values evenly in it.

        Shape:
            (N + 1,) to (N,); NaN if a value was not finite.
        """
        if not self.finite:
            return np.full(len(edges) - 1, np.nan)
        lower, upper = bins.edges(self.occupied)
        order = np.argsort(lower, kind="stable")
        at = np.stack((lower[order], upper[order]), axis=1).ravel()
        reached = np.cumsum(self.counts[order])
        below = np.stack((reached - self.counts[order], reached), axis=1).ravel()
        share = np.interp(edges, at, below / reached[-1])
        return np.asarray(np.diff(share) / np.diff(edges), dtype=np.float64)

    def _standard(self) -> Numbers:
        values = self.values
        spread = distributions.spread(values, self.counts)
        with np.errstate(divide="ignore", invalid="ignore"):
            return (values - distributions.median(values, self.counts)) / spread


@dataclass(frozen=True)
class Probed:
    """A run and what was measured in it.

    ``scales`` are root mean squares of the shape (2, 2, blocks): at the first update and after 20
    (NaN if there was none to come), of the blocks' outputs and of the loss's gradients there.
    """

    key: str
    experiment: Experiment
    histograms: dict[Place, Histogram]
    scales: Numbers

    @property
    def condition(self) -> str:
        """What the run stands for: `condition`."""
        return condition(self.experiment.norm, self.experiment.initialization)


def condition(norm: str, initialization: str) -> str:
    """Return what a run stands for: its norm, ``fixup`` for none so started, ``affine-data``."""
    if initialization == "fixup":
        return initialization
    return f"{norm}-data" if initialization == "data" else norm


def probed(records: Iterable[Record], store: Store) -> list[Probed]:
    """Return what was measured in those of ``records`` that have it, each once.

    Raises RecordError if the arrays of one are lost or damaged.
    """
    once = {record.key: record for record in records if PROBE in record.probes}
    return [_read(record, store) for record in once.values()]


def longest(runs: Iterable[Probed]) -> list[Probed]:
    """Return of runs that differ in the number of epochs alone the longest one."""
    found: dict[Experiment, Probed] = {}
    for run in sorted(runs, key=lambda run: run.experiment.epochs):
        found[first_epoch(run.experiment)] = run
    return list(found.values())


def first_epoch(experiment: Experiment) -> Experiment:
    """Return ``experiment`` cut to its first epoch, which is the same for any number of them."""
    return experiment.replace(epochs=1)


def _read(record: Record, store: Store) -> Probed:
    arrays = store.measured_by(PROBE, record)
    epoch, period, part = (arrays[name].astype(np.int64) for name in ("epoch", "period", "part"))
    found: dict[Place, Histogram] = {}
    for one in np.unique(np.stack((epoch, period, part)), axis=1).T:
        rows = (epoch == one[0]) & (period == one[1]) & (part == one[2])
        layer, kind = divmod(int(one[2]), len(KINDS))
        place = Place(int(one[0]), PERIODS[one[1]], LAYERS[layer], KINDS[kind])
        counts = arrays["count"][rows].astype(np.int64)
        found[place] = Histogram(arrays["bin"][rows], counts)
    return Probed(record.key, record.experiment, found, arrays["scale"].astype(np.float64))
