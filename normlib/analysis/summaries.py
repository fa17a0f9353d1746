"""What the experimental chapters tabulate: accuracies in percent, differences in points."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from normlib.analysis import statistics
from normlib.analysis.outcome import FEWEST, Outcome
from normlib.analysis.tables import baseline, conditions, outcomes, paired, values


def summary(table: pd.DataFrame, outcome: Outcome) -> pd.DataFrame:
    """Return per norm: n, mean; sd, confidence and prediction limits (NaN below FEWEST runs)."""
    wide, rows = outcomes(table, outcome), []
    for norm in conditions(table):
        found = values(wide, norm)
        if found.size >= FEWEST:
            mean = statistics.mean_interval(found)
            new = statistics.prediction_interval(found)
            limits = (mean.sd, mean.low, mean.high, new.low, new.high)
        else:
            limits = (np.nan,) * 5
        if found.size:
            rows.append((norm, found.size, float(found.mean()), *limits))
    columns = ["norm", "n", "mean", "sd", "low", "high", "new_low", "new_high"]
    return pd.DataFrame(rows, columns=columns)


def differences(
    table: pd.DataFrame, outcome: Outcome, pairs: Sequence[tuple[str, str]] | None = None
) -> pd.DataFrame:
    """Return paired differences in points with 95% intervals, p values and Holm's correction.

    ``pairs`` defaults to every norm against none of its framework; they are one family. With
    ``detectable``: the difference that so many pairs of this spread find in 80% of cases, before
    correction. Pairs with fewer than FEWEST common seeds are left out.
    """
    if pairs is None:
        pairs = [(n, baseline(n)) for n in conditions(table) if n != baseline(n)]
    wide, rows = outcomes(table, outcome), []
    for first, second in pairs:
        found = paired(wide, first, second)
        if found.size >= FEWEST:
            mean = statistics.mean_interval(found)
            p = min(1.0, 2 * min(statistics.one_sided(found, 0.0)))
            least = statistics.detectable(mean.sd, mean.n)
            rows.append((first, second, mean.n, mean.mean, mean.low, mean.high, p, least))
    columns = ["first", "second", "n", "mean", "low", "high", "p", "detectable"]
    result = pd.DataFrame(rows, columns=columns)
    result.insert(7, "p_holm", statistics.holm(result["p"].to_numpy(dtype=np.float64)))
    return result


def equivalences(
    table: pd.DataFrame, outcome: Outcome, pairs: Sequence[tuple[str, str]], margin: float
) -> pd.DataFrame:
    """Return ``differences`` of ``pairs`` with ``p`` and ``p_holm`` of equivalence instead.

    ``p`` is twice the larger of two one-sided tests', as of a verdict, below 0.05 where a 95%
    interval lies within the margin; ``equivalent`` is true where it still is after correction.
    """
    wide = outcomes(table, outcome)
    result = differences(table, outcome, pairs).drop(columns="detectable")
    result["p"] = [
        min(1.0, 2 * statistics.equivalence(paired(wide, first, second), margin))
        for first, second in zip(result["first"], result["second"], strict=True)
    ]
    result["p_holm"] = statistics.holm(result["p"].to_numpy(dtype=np.float64))
    result["margin"] = margin
    result["equivalent"] = result["p_holm"] < 0.05
    return result


def timing(table: pd.DataFrame) -> pd.DataFrame:
    """Return processor seconds per epoch of training by norm: median, quartiles, ratio to none.

    Medians, since a machine shared with other work slows some epochs, never speeds one up.
    """
    measured = table.dropna(subset=["processor_seconds"])
    seconds = measured.groupby("norm", observed=True)["processor_seconds"]
    result = pd.DataFrame(
        {
            "seeds": measured.groupby("norm", observed=True)["seed"].nunique(),
            "epochs": seconds.size(),
            "low": seconds.quantile(0.25),
            "median": seconds.median(),
            "high": seconds.quantile(0.75),
        }
    ).reset_index()
    result["norm"] = result["norm"].astype(str)
    medians = dict(zip(result["norm"], result["median"], strict=True))
    result["ratio"] = [
        medians[norm] / medians[baseline(norm)] if baseline(norm) in medians else np.nan
        for norm in result["norm"]
    ]
    return result
