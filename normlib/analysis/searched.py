"""A grid search as a tidy table: how much of it is recorded, and what it would select."""

from collections.abc import Sequence

import pandas as pd

from normlib.analysis.ablation import METHODS

#: What a search varies; a combination is one value of each.
VARIED = ["optimizer", "learning_rate", "batch_size"]
COLUMNS = ("model", "norm", "recorded", *VARIED, "accuracy", "seeds")


def selected(table: pd.DataFrame, networks: Sequence[str], epoch: int) -> pd.DataFrame:
    """Return per network and method what is best on held-out training images after ``epoch``.

    One row each, with COLUMNS: how many combinations are recorded to that epoch, the best one by
    its mean over seeds, its accuracy in percent and its seeds; None where nothing is recorded.
    The best of many is flattered by the choice, the more the fewer runs each has.

    Args:
        table: ``analysis.tables.runs``'s, of runs that hold images out.
        networks: Which to list.
        epoch: The last one.
    """
    within = table[(table["epoch"] == epoch) & (table["validation_size"] > 0)]
    rows = []
    for model in networks:
        for norm in METHODS:
            one = within[(within["model"] == model) & (within["norm"] == norm)]
            means = one.groupby(VARIED, observed=True)["validation_accuracy"].agg(["mean", "count"])
            rows.append((model, norm, len(means), *_best(means)))
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype(object)


def _best(means: pd.DataFrame) -> tuple[object, ...]:
    if means.empty:
        return (None,) * 5
    best = means.sort_values("mean", kind="stable").reset_index().iloc[-1]
    setting = (str(best["optimizer"]), float(best["learning_rate"]), int(best["batch_size"]))
    return (*setting, float(best["mean"]), int(best["count"]))
