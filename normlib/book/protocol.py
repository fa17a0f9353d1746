"""What a chapter's runs share, and how many there are of each condition: generated tables."""

from collections.abc import Iterable, Mapping

import pandas as pd

from normlib.analysis.contrasts import OPTIMIZERS
from normlib.claims import REPORTED
from normlib.figures.palette import label
from normlib.records import Experiment, Record
from normlib.sweep.plans import Plan

#: Fields of an experiment that a protocol names, and where sources A and B got their value from.
PROTOCOL = {
    "dataset": "both",
    "train_size": "not stated",
    "input_scaling": "not stated",
    "model": "B: convolution 5x5, ReLU, max pooling, fully connected; A: a CNN",
    "width": "not stated",
    "hidden": "not stated",
    "initialization": "not stated; the default of their framework",
    "optimizer": "B",
    "learning_rate": "B",
    "momentum": "B",
    "batch_size": "B",
    "epochs": "A: 10, B: 4",
}

SCALINGS = {
    "unit": "pixels from 0 to 1",
    "standard": "mean 0 and deviation 1 in each channel",
}


def protocol(plan: Plan, origins: Mapping[str, str] = PROTOCOL) -> pd.DataFrame:
    """Return the settings of the runs of ``plan`` that ``origins`` names, with their origin."""
    rows = []
    for field, origin in origins.items():
        meant = [run for run in plan.experiments if field != "momentum" or run.optimizer == "sgd"]
        found = dict.fromkeys(_value(plan, run, field) for run in meant)
        rows.append((field, ", ".join(found), origin))
    return pd.DataFrame(rows, columns=["setting", "value", "stated by"])


def _value(plan: Plan, run: Experiment, field: str) -> str:
    value = getattr(run, field)
    if value is None:
        return "all images"
    if field == "input_scaling":
        return SCALINGS[value]
    if field == "learning_rate" and len({one.optimizer for one in plan.experiments}) > 1:
        return f"{OPTIMIZERS[run.optimizer]} {value:g}"
    return str(value)


def conditions(plan: Plan, records: Iterable[Record]) -> pd.DataFrame:
    """Return the plan's conditions: what they stand for, seeds planned and seeds recorded."""
    planned, recorded = _count(plan.experiments), _count(record.experiment for record in records)
    stands = {number.norm: number.condition for number in REPORTED}
    rows = [
        (norm, label(norm), stands.get(norm), seeds, recorded.get(norm, 0))
        for norm, seeds in planned.items()
    ]
    names = ["condition", "in figures", "stands for the sources'", "seeds", "recorded"]
    return pd.DataFrame(rows, columns=names)


def _count(experiments: Iterable[Experiment]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for run in experiments:
        counts[run.norm] = counts.get(run.norm, 0) + 1
    return counts
