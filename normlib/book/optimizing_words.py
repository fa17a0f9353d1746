"""Sentences on source C's runs that are true of whatever there is."""

import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from normlib.analysis import tables
from normlib.analysis.contrasts import OPTIMIZERS
from normlib.analysis.hallucinated import REGULARIZATIONS, Hallucinated, unsure
from normlib.analysis.learned import Learned
from normlib.analysis.outcome import FEWEST, Outcome
from normlib.book.optimizing import GAPS, chosen_rates, gaps, mean_interval
from normlib.book.showing import signed
from normlib.claims.source_c import RATES
from normlib.engine.probes import patterns
from normlib.figures.palette import label


def tuned(table: pd.DataFrame, pair: Sequence[str]) -> str:
    """Say what the second of ``pair`` has above the first at the best rate of each.

    Differences are paired by seed; a best rate that is an end of its range is named.
    """
    chosen = chosen_rates(table, pair)
    last = tables.last_epochs(table)
    said, ends = [], []
    for optimizer, name in OPTIMIZERS.items():
        if not all((optimizer, norm) in chosen for norm in pair):
            continue
        rates = {norm: chosen[optimizer, norm][0] for norm in pair}
        own = last[last["optimizer"] == optimizer]
        tuned_gap, fixed_gap = (
            _gap(own, pair, each) for each in (rates, dict.fromkeys(pair, RATES[optimizer]))
        )
        said.append(f"{tuned_gap} under {name} ({fixed_gap} at the fixed rate)")
        for norm, rate in rates.items():
            tried = chosen[optimizer, norm][1].index
            if rate in (tried.min(), tried.max()):
                ends.append(f"{label(norm)} under {name} ({rate:g})")
    if not said:
        return "No learning rate has runs of both yet."
    words = (
        f"With the best rate for each, test accuracy with {label(pair[1])} minus that with "
        f"{label(pair[0])} is {' and '.join(said)}, in points."
    )
    if ends:
        are = "is best at an end of its range" if len(ends) == 1 else "are best at ends of theirs"
        words += f" {' and '.join(ends)} {are}, so that a better rate may lie beyond."
    return words


def _gap(table: pd.DataFrame, pair: Sequence[str], rates: Mapping[str, float]) -> str:
    """Return test accuracy of the second minus the first, each at its rate, paired by seed."""
    first, second = (
        table[(table["norm"] == norm) & (table["learning_rate"] == rates[norm])].set_index("seed")[
            "test_accuracy"
        ]
        for norm in pair
    )
    values = (second - first).dropna().to_numpy(dtype=np.float64)
    return _mean(values) if values.size else "unknown"


def _mean(values: NDArray[np.float64]) -> str:
    """Return a mean of differences, with its interval if there are enough of them."""
    return mean_interval(values) or signed(float(values.mean()))


def first_losses(steps: pd.DataFrame, pair: Sequence[str], optimizer: str = "sgd") -> str:
    """Say the loss of the very first update, before any weight has changed."""
    first = steps[(steps["update"] == 1) & (steps["optimizer"] == optimizer)]
    means = first.groupby("norm")["loss"].mean()
    if not set(pair) <= set(means.index):
        return "there is no run of both yet"
    return " and ".join(f"{means[norm]:.2f} with {label(norm)}" for norm in reversed(pair))


def left(table: pd.DataFrame, pair: Sequence[str], epochs: int) -> str:
    """Say what the second of ``pair`` has above the first under Adam, in the mean of all epochs."""
    found = gaps(table, pair, epochs)
    row = found[(found["optimizer"] == "Adam") & (found["quantity"] == GAPS["test_accuracy"])]
    gap = row["all epochs"].iloc[0]
    return f"{gap} points" if isinstance(gap, str) else "too few seeds to say"


def beside_batch(
    table: pd.DataFrame, norms: Sequence[str], epochs: int, optimizer: str = "sgd"
) -> str:
    """Say how far from BatchNorm the others end, in points of test accuracy, paired by seed."""
    last = Outcome(quantity="test_accuracy", first=epochs, last=epochs)
    wide = tables.outcomes(table[table["optimizer"] == optimizer], last)
    found = {norm: tables.paired(wide, norm, "batch") for norm in norms if norm != "batch"}
    said = [f"{label(norm)} {_mean(values)}" for norm, values in found.items() if values.size]
    return "; ".join(said) or "nothing yet, for lack of runs"


def over_all_pixels(runs: Iterable[Learned], norms: Sequence[str]) -> str:
    """Say the mean autocorrelation of whole runs where every pixel counts, by condition."""
    means: dict[tuple[str, str], list[float]] = {}
    for run in runs:
        if run.whole:
            found = 100 * float(patterns.autocorrelation(run.weights).mean())
            means.setdefault((run.experiment.optimizer, run.experiment.norm), []).append(found)
    said = []
    for optimizer, name in OPTIMIZERS.items():
        each = [
            f"{np.mean(means[optimizer, norm]):.1f}% for {label(norm)}"
            for norm in norms
            if (optimizer, norm) in means
        ]
        if each:
            said.append(f"{' and '.join(each)} under {name}")
    return "; ".join(said) or "not known, for lack of runs"


def related(table: pd.DataFrame, first: str, second: str) -> str:
    """Say Spearman's rank correlation of two columns' means over the conditions."""
    means = table.dropna(subset=[first, second]).groupby(["optimizer", "norm"], observed=True)
    each = means[[first, second]].mean()
    if len(each) < FEWEST:
        return "not known, for lack of runs"
    found = float(each[first].corr(each[second], method="spearman"))
    return f"{signed(found)} over {len(each)} conditions"


def sureness(runs: Sequence[Hallucinated]) -> str:
    """Say of how many classes networks could not be made sure."""
    if not runs:
        return "No hallucination is recorded yet."
    lacking = unsure(runs)
    total = len(runs) * len(REGULARIZATIONS) * len(runs[0].images(REGULARIZATIONS[0]))
    if lacking.empty:
        return (
            f"In all {total} cases, of {len(runs)} networks, an image was found to which the "
            "network itself gives its class with at least 99%."
        )
    # Rounded down, and never up to the 99% that it lacks.
    worst = min(math.floor(round(100 * lacking["confidence"].min(), 3)), 98) / 100
    return (
        f"In {total - len(lacking)} of {total} cases, of {len(runs)} networks, an image was found "
        "to which the network itself gives its class with at least 99%; in the others the highest "
        f"confidence is {worst:.2f} or more."
    )
