"""What source C's probes left beside records, and the quantities of its claims made of it.

`normlib.claims.source_c` says what each of them is, and what is claimed of it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from normlib.engine.probes import discoveries
from normlib.engine.probes.eight_bits import restored
from normlib.records import Experiment, Record, Store

FIRST_LAYER, STEPS = "first-layer", "steps"


@dataclass(frozen=True, eq=False)
class Learned:
    """A run's first-layer weights and their measures, a row per moment: the start, then epochs."""

    key: str
    experiment: Experiment
    arrays: Mapping[str, NDArray[Any]]

    @property
    def whole(self) -> bool:
        """Whether it came to its last epoch."""
        return len(self.arrays["image"]) > 0

    @property
    def weights(self) -> NDArray[np.float64]:
        """The weights after the last epoch, to 8 bits: (units, channels, height, width)."""
        return restored(self.arrays["image"], self.arrays["scale"])

    @property
    def noisy(self) -> NDArray[np.bool_]:
        """Which units are no different from their own pixels shuffled."""
        p = self.arrays["p"]
        return np.asarray(~discoveries.structured(p) & ~np.isnan(p))


def first_layers(records: Iterable[Record], store: Store) -> list[Learned]:
    """Return the first layers of those of ``records`` that have them measured, each once."""
    once = {record.key: record for record in records if FIRST_LAYER in record.probes}
    return [
        Learned(record.key, record.experiment, store.measured_by(FIRST_LAYER, record))
        for record in once.values()
    ]


def with_measures(table: pd.DataFrame, runs: Iterable[Learned]) -> pd.DataFrame:
    """Return ``tables.runs``'s table with the claims' quantities of first layers, in percent.

    ``weights_autocorrelation`` in the row of each epoch, ``noisy_units`` in that of the last, NaN
    elsewhere.
    """
    rows = []
    for run in runs:
        last = run.experiment.epochs
        found = run.arrays["autocorrelation"][1:]
        for epoch, values in enumerate(found, start=1):
            noisy = (
                100 * discoveries.noisy(run.arrays["p"]) if epoch == last and run.whole else np.nan
            )
            rows.append((run.key, epoch, 100 * float(values.mean()), noisy))
    columns = ["key", "epoch", "weights_autocorrelation", "noisy_units"]
    return table.merge(pd.DataFrame(rows, columns=columns), on=["key", "epoch"], how="left")


def measures(runs: Iterable[Learned]) -> pd.DataFrame:
    """Return a row per run and moment: norm, optimizer, seed, epochs made, means over units."""
    rows = []
    for run in runs:
        experiment = run.experiment
        for epoch in range(len(run.arrays["moved"])):
            means = {
                name: float(run.arrays[name][epoch].mean()) for name in ("low_frequencies", "moved")
            }
            place = (experiment.norm, experiment.optimizer, experiment.seed, epoch)
            rows.append(
                dict(zip(("norm", "optimizer", "seed", "epoch"), place, strict=True)) | means
            )
    return pd.DataFrame(rows)


def steps(records: Iterable[Record], store: Store) -> pd.DataFrame:
    """Return a row per update of epoch 1: norm, optimizer, seed, update, loss, accuracy (%)."""
    parts = []
    for record in {one.key: one for one in records if STEPS in one.probes}.values():
        arrays = store.measured_by(STEPS, record)
        part = pd.DataFrame({"loss": arrays["loss"], "accuracy": 100 * arrays["accuracy"]})
        part["update"] = np.arange(1, len(part) + 1)
        experiment = record.experiment
        parts.append(
            part.assign(norm=experiment.norm, optimizer=experiment.optimizer, seed=experiment.seed)
        )
    columns = ["norm", "optimizer", "seed", "update", "loss", "accuracy"]
    if not parts:
        return pd.DataFrame(columns=columns)
    return pd.concat(parts, ignore_index=True)[columns].astype({"loss": float, "accuracy": float})
