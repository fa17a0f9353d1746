"""Source E's main table as tidy tables: its cells, what it crosses, and its two batch sizes.

The outcome is measured by seed in every cell; a cell without runs still has its row, with ``n`` 0.
Means are over seeds, limits those of a 95% t interval. Below FEWEST seeds limits are NaN: that of
two is more than twelve times as wide as their difference, so that nothing follows from it.
"""

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from normlib.analysis import statistics
from normlib.analysis.contrasts import (
    Cell,
    Contrast,
    difference,
    interaction,
    normalizing,
    rescaling,
    single,
)
from normlib.analysis.outcome import FEWEST, Outcome
from normlib.records.choices import ABLATED

#: In the source's order.
METHODS = ABLATED
#: What crossing the two is asked for.
FACTORS = {"normalizing": normalizing, "re-scaling": rescaling, "interaction": interaction}
MEASURED = ("n", "mean", "sd", "low", "high")


def measured(contrast: Contrast, table: pd.DataFrame, outcome: Outcome) -> tuple[float, ...]:
    """Return n, mean, sd and the limits of ``contrast`` over the seeds that have all its cells."""
    values = contrast.values(table, outcome)
    if values.size < FEWEST:
        mean = float(values.mean()) if values.size else np.nan
        return (values.size, mean, np.nan, np.nan, np.nan)
    found = statistics.mean_interval(values)
    return (found.n, found.mean, found.sd, found.low, found.high)


def cells(
    table: pd.DataFrame, networks: Sequence[str], batch_sizes: Sequence[int], outcome: Outcome
) -> pd.DataFrame:
    """Return one row per network, batch size and method: model, batch_size, norm, MEASURED."""
    rows = []
    for model in networks:
        for batch_size in batch_sizes:
            for norm in METHODS:
                one = single(Cell(model=model, batch_size=batch_size, norm=norm))
                rows.append((model, batch_size, norm, *measured(one, table, outcome)))
    return pd.DataFrame(rows, columns=["model", "batch_size", "norm", *MEASURED])


def better_batches(table: pd.DataFrame) -> pd.DataFrame:
    """Return of ``cells`` the better batch size of each network and method, by its mean.

    That is what the source's bar chart shows. A choice made on the outcome itself flatters it; a
    row where only one batch size has runs is no choice at all.
    """
    found = table[table["n"] > 0].sort_values("mean", kind="stable")
    best = found.drop_duplicates(["model", "norm"], keep="last")
    return best.sort_index().reset_index(drop=True)


def factorial(
    table: pd.DataFrame, networks: Sequence[str], batch_sizes: Sequence[int], outcome: Outcome
) -> pd.DataFrame:
    """Return effect, model, batch_size, MEASURED, detectable: main effects and interaction.

    ``detectable`` is the effect that so many seeds of this spread find in 80% of cases, before any
    correction.
    """
    rows = (
        ((effect, model, batch_size), make(model, batch_size))
        for effect, make in FACTORS.items()
        for model in networks
        for batch_size in batch_sizes
    )
    return _effects(("effect", "model", "batch_size"), rows, table, outcome)


def between_batches(
    table: pd.DataFrame, networks: Sequence[str], batch_sizes: Sequence[int], outcome: Outcome
) -> pd.DataFrame:
    """Return norm, model, MEASURED, detectable: the largest batch size minus the smallest.

    There are no rows where only one batch size is asked for.
    """
    small, large = min(batch_sizes), max(batch_sizes)
    rows = (
        (
            (norm, model),
            difference(
                Cell(model=model, batch_size=large, norm=norm),
                Cell(model=model, batch_size=small, norm=norm),
            ),
        )
        for norm in METHODS
        for model in networks
        if small < large
    )
    return _effects(("norm", "model"), rows, table, outcome)


def _effects(
    names: Sequence[str],
    contrasts: Iterable[tuple[tuple[object, ...], Contrast]],
    table: pd.DataFrame,
    outcome: Outcome,
) -> pd.DataFrame:
    rows = []
    for labels, contrast in contrasts:
        n, mean, sd, low, high = measured(contrast, table, outcome)
        least = statistics.detectable(sd, int(n)) if n >= FEWEST else np.nan
        rows.append((*labels, n, mean, sd, low, high, least))
    return pd.DataFrame(rows, columns=[*names, *MEASURED, "detectable"])
