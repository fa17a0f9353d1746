"""Records to tidy tables, and from those one number per run, paired by seed."""

import time
from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from normlib.analysis.outcome import CHANCE, Outcome
from normlib.engine.recording import clock
from normlib.records import Record

#: The conditions of the book's first sweep, in the order in which tables and legends show them.
ORDER = (
    "none",
    "batch",
    "batch-batchstats",
    "layer",
    "layer-channels",
    "weight",
    "torch:batch",
    "torch:layer",
    "torch:weight",
    "tensorflow:none",
    "tensorflow:batch",
    "tensorflow:layer",
)
ACCURACIES = ("train_accuracy", "train_accuracy_running", "test_accuracy", "validation_accuracy")
COLUMNS = (
    "key",
    "name",
    "norm",
    "framework",
    "model",
    "batch_size",
    "optimizer",
    "learning_rate",
    "validation_size",
    "initialization",
    "seed",
    "status",
    "epoch",
    "train_loss",
    "train_accuracy",
    "train_loss_running",
    "train_accuracy_running",
    "test_loss",
    "test_accuracy",
    "validation_accuracy",
    "processor_seconds",
    "generalization_gap",
)


def runs(records: Iterable[Record]) -> pd.DataFrame:
    """Return one row per run and epoch, with COLUMNS; accuracies in percent.

    A diverged run counts with the accuracy of chance from the epoch at which it stopped on
    (and keeps no loss), since leaving it out would flatter its condition. Seconds are those of a
    processor, which can be compared; a run timed by the wall clock has none.
    """
    rows = [row for record in records for row in _epochs(record)]
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    numbers: dict[str, type] = dict.fromkeys(COLUMNS[COLUMNS.index("epoch") + 1 :], float)
    table = table.astype(numbers | {"seed": int, "epoch": int})
    present = table["norm"].unique()
    order = [norm for norm in ORDER if norm in present] + sorted(set(present) - set(ORDER))
    table["norm"] = pd.Categorical(table["norm"], categories=order, ordered=True)
    return table.sort_values(["norm", "seed", "epoch"], ignore_index=True)


def _epochs(record: Record) -> Iterable[dict[str, Any]]:
    experiment, history = record.experiment, dict(record.history)
    seconds = history.pop("seconds")
    if clock(record.environment["device"], record.environment["threads"]) is time.process_time:
        history["processor_seconds"] = seconds
    for index in range(experiment.epochs):
        row: dict[str, Any] = {
            "key": record.key,
            "name": experiment.name,
            "norm": experiment.norm,
            "framework": experiment.framework,
            "model": experiment.model,
            "batch_size": experiment.batch_size,
            "optimizer": experiment.optimizer,
            "learning_rate": experiment.learning_rate,
            "validation_size": experiment.validation_size,
            "initialization": experiment.initialization,
            "seed": experiment.seed,
            "status": record.status,
            "epoch": index + 1,
        }
        for quantity, values in history.items():
            value = values[index] if index < len(values) else None
            if quantity in ACCURACIES:
                row[quantity] = 100 * (CHANCE if value is None else value)
            elif quantity in COLUMNS and quantity != "epoch":
                row[quantity] = np.nan if value is None else value
        row["generalization_gap"] = row["train_accuracy"] - row["test_accuracy"]
        yield row


def conditions(table: pd.DataFrame) -> list[str]:
    """Return the norms of ``table``, in order."""
    return [str(norm) for norm in table["norm"].cat.categories]


def last_epochs(table: pd.DataFrame) -> pd.DataFrame:
    """Return the last row of each run."""
    if table.empty:
        return table
    return table[table["epoch"] == table.groupby("key")["epoch"].transform("max")]


def outcomes(table: pd.DataFrame, outcome: Outcome) -> pd.DataFrame:
    """Return ``outcome`` per run, in its unit: one row per seed, one column per norm.

    A run whose history does not reach the outcome's last epoch is absent.
    """
    within = table[table["epoch"].between(outcome.first, outcome.last)]
    grouped = within.groupby(["seed", "norm"], observed=True)[outcome.quantity]
    mean = grouped.mean()[grouped.count() == outcome.last - outcome.first + 1]
    wide = pd.DataFrame(mean.unstack("norm"))
    wide.columns = wide.columns.astype(str)
    return wide


def values(wide: pd.DataFrame, norm: str) -> npt.NDArray[np.float64]:
    """Return one condition's outcomes, by seed; empty if there are none."""
    if norm not in wide:
        return np.empty(0)
    return wide[norm].dropna().to_numpy(dtype=np.float64)


def paired(wide: pd.DataFrame, first: str, second: str) -> npt.NDArray[np.float64]:
    """Return ``first`` minus ``second`` for every seed that has both; empty if there are none."""
    if first not in wide or second not in wide:
        return np.empty(0)
    return (wide[first] - wide[second]).dropna().to_numpy(dtype=np.float64)


def baseline(norm: str) -> str:
    """Return the condition without a norm that ``norm`` is compared with: of the same framework.

    The ``torch:`` conditions share everything but the layer with normlib's own, so ``none``.
    """
    return "tensorflow:none" if norm.startswith("tensorflow:") else "none"
