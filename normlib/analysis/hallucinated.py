"""What the probe ``hallucinations`` left beside records, and the quantities of C7 and C8 in it.

`normlib.claims.source_c` says what each of them is, and what is claimed of it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from normlib.records import Experiment, Record, Store

PROBE = "hallucinations"
REGULARIZATIONS = ("none", "smooth")
"""The order in which the probe keeps them."""
CONFIDENT = 0.99
#: A quantity of a run, and from which array; ``judged`` has the judges in front.
QUANTITIES = {
    "recognized": "judged",
    "colour_alone": "colour_only",
    "own_confidence": "confidence",
    "sharpness": "sharpness",
    "high_frequencies": "high_frequencies",
    "diversity": "diversity",
    "distance": "distance",
}
JUDGES = ("none", "batch")
"""The norms of the judges, in the order of the probe."""


@dataclass(frozen=True, eq=False)
class Hallucinated:
    """A run's images and their measures, by regularization, class and start."""

    key: str
    experiment: Experiment
    arrays: Mapping[str, NDArray[Any]]

    def images(self, regularization: str) -> NDArray[np.uint8]:
        """Return (classes, starts, C, H, W)."""
        return np.asarray(self.arrays["image"][REGULARIZATIONS.index(regularization)])

    def measure(self, name: str, regularization: str) -> NDArray[np.float64]:
        """Return one of QUANTITIES by class, and start if it has one; mean over the judges."""
        found = self.arrays[QUANTITIES[name]].astype(np.float64)
        if name == "recognized":
            found = found.mean(axis=0)
        return np.asarray(found[REGULARIZATIONS.index(regularization)])


def same_judges(runs: Iterable[Hallucinated]) -> bool:
    """Return whether all were shown to the same networks, as their comparison takes."""
    return len({run.arrays["judges"].tobytes() for run in runs}) <= 1


def hallucinated(records: Iterable[Record], store: Store) -> list[Hallucinated]:
    """Return those of ``records`` that have images, each once."""
    found = []
    for record in {one.key: one for one in records if PROBE in one.probes}.values():
        own = store.measured_by(PROBE, record)
        if own:  # none in a run that diverged
            found.append(Hallucinated(record.key, record.experiment, own))
    return found


def with_measures(table: pd.DataFrame, runs: Iterable[Hallucinated]) -> pd.DataFrame:
    """Return ``tables.runs``'s table with the means of QUANTITIES in the row of the last epoch.

    In percent; those of regularized images end in ``_smooth``. NaN in the other rows.
    """
    names = [f"{name}{end}" for end in ("", "_smooth") for name in QUANTITIES]
    rows = [
        (
            run.key,
            run.experiment.epochs,
            *(
                100 * float(run.measure(name, kind).mean())
                for kind in REGULARIZATIONS
                for name in QUANTITIES
            ),
        )
        for run in runs
    ]
    measured = pd.DataFrame(rows, columns=["key", "epoch", *names])
    return table.merge(measured, on=["key", "epoch"], how="left")


def by_judge(runs: Iterable[Hallucinated]) -> pd.DataFrame:
    """Return a row per run, judge and regularization: what it recognizes, in percent."""
    rows = [
        {
            "norm": run.experiment.norm,
            "optimizer": run.experiment.optimizer,
            "seed": run.experiment.seed,
            "judge": judge,
            "regularization": kind,
            "recognized": 100 * float(run.arrays["judged"][number, place].mean()),
            "accuracy": 100 * float(run.arrays["accuracy"][number]),
        }
        for run in runs
        for number, judge in enumerate(JUDGES)
        for place, kind in enumerate(REGULARIZATIONS)
    ]
    columns = ["norm", "optimizer", "seed", "judge", "regularization", "recognized", "accuracy"]
    return pd.DataFrame(rows, columns=columns)


def unsure(runs: Iterable[Hallucinated]) -> pd.DataFrame:
    """Return the classes for which a run's own confidence stayed below CONFIDENT, and how far.

    A row per run, regularization and class: the highest confidence over the starts.
    """
    rows = [
        (run.experiment.norm, run.experiment.optimizer, run.experiment.seed, kind, one, best)
        for run in runs
        for kind in REGULARIZATIONS
        for one, best in enumerate(run.measure("own_confidence", kind).max(axis=-1).tolist())
        if not best >= CONFIDENT
    ]
    columns = ["norm", "optimizer", "seed", "regularization", "class", "confidence"]
    return pd.DataFrame(rows, columns=columns)
