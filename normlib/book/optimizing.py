"""Source C's runs as rows of text, and as what its figures of images take."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from normlib.analysis import statistics, tables
from normlib.analysis.contrasts import OPTIMIZERS
from normlib.analysis.hallucinated import Hallucinated, by_judge
from normlib.analysis.learned import Learned, measures
from normlib.analysis.outcome import FEWEST, Outcome, Quantity
from normlib.book.gathering import Gathered
from normlib.book.showing import difference
from normlib.claims.source_c import RATES
from normlib.figures.palette import label

#: Fields of an experiment that a protocol names, and where source C's value comes from.
ORIGINS = {
    "dataset": "C",
    "train_size": "not stated",
    "input_scaling": "not stated",
    "model": "C: two layers on MNIST, a larger model on CIFAR-10",
    "width": "not stated",
    "hidden": "not stated",
    "initialization": "not stated; PyTorch's default",
    "optimizer": "C",
    "learning_rate": "not stated; our choice",
    "momentum": "not stated; PyTorch's default",
    "batch_size": "not stated; our choice",
    "epochs": "not stated; our choice",
}
#: What batch normalization is said to change, each with its unit.
GAPS: dict[Quantity, str] = {
    "train_loss_running": "training loss (nats)",
    "test_accuracy": "test accuracy (points)",
}


def covered(*gathered: Gathered) -> pd.DataFrame:
    """Return a row per plan and optimizer, a column per norm: runs recorded of planned."""
    rows = []
    for one in gathered:
        there = {record.key for record in one.records}
        for optimizer, name in OPTIMIZERS.items():
            row: dict[str, str] = {"plan": one.plan.name, "optimizer": name}
            for run in one.plan.experiments:
                if run.optimizer == optimizer and label(run.norm) not in row:
                    alike = [
                        other.key in there
                        for other in one.plan.experiments
                        if (other.optimizer, other.norm) == (optimizer, run.norm)
                    ]
                    row[label(run.norm)] = f"{sum(alike)} of {len(alike)}"
            rows.append(row)
    return pd.DataFrame(rows)


def gaps(table: pd.DataFrame, pair: Sequence[str], epochs: int) -> pd.DataFrame:
    """Return what the second of ``pair`` has above the first: per optimizer, quantity and period.

    ``table`` is ``tables.runs``'s; periods are epoch 1, all epochs, and the last one. A run that
    diverged has no loss: a cell that lacks seeds for that says how many it has.
    """
    last_epoch = f"epoch {epochs}"
    periods = {"epoch 1": (1, 1), "all epochs": (1, epochs), last_epoch: (epochs, epochs)}
    rows = []
    for optimizer, name in OPTIMIZERS.items():
        part = table[table["optimizer"] == optimizer]
        found = {
            (words, period): _paired(part, pair, Outcome(quantity=quantity, first=first, last=last))
            for quantity, words in GAPS.items()
            for period, (first, last) in periods.items()
        }
        most = max(values.size for values in found.values())
        for words in GAPS.values():
            row: dict[str, Any] = {"optimizer": name, "quantity": words}
            row |= {period: _of(found[words, period], most) for period in periods}
            rows.append(row)
    return pd.DataFrame(rows)


def _paired(table: pd.DataFrame, pair: Sequence[str], outcome: Outcome) -> NDArray[np.float64]:
    return tables.paired(tables.outcomes(table, outcome), pair[1], pair[0])


def _of(values: NDArray[np.float64], seeds: int) -> str | None:
    """Return a mean with its interval, and of how many of ``seeds`` if these are not all."""
    said = mean_interval(values)
    if values.size == seeds:
        return said
    count = f"{values.size} of {seeds} seeds"
    return f"{said} ({count})" if said else count


def rounded(table: pd.DataFrame, norms: Sequence[str], epochs: int) -> list[str]:
    """Return a line per condition: accuracy after the last epoch, the same on every machine."""
    last = table[table["epoch"] == epochs]
    lines = []
    for optimizer, name in OPTIMIZERS.items():
        for norm in norms:
            own = last[(last["optimizer"] == optimizer) & (last["norm"] == norm)]
            if len(own):
                mean = own["test_accuracy"].mean()
                lines.append(f"{norm}, {name}: {mean:.1f}% over {len(own)} seeds")
    return lines or ["no run reaches the last epoch yet"]


def times(table: pd.DataFrame, norms: Sequence[str]) -> pd.DataFrame:
    """Return a row per optimizer and norm: the median seconds of an epoch, by that of none.

    Seconds are those of a processor; what was timed by the wall clock is left out.
    """
    rows = []
    for optimizer, name in OPTIMIZERS.items():
        own = table[table["optimizer"] == optimizer]
        timed = own["processor_seconds"]
        seconds = {norm: timed[own["norm"] == norm].median() for norm in norms}
        for norm, median in seconds.items():
            if not np.isnan(median):
                rows.append((name, label(norm), float(median), float(median / seconds["none"])))
    return pd.DataFrame(rows, columns=["optimizer", "norm", "seconds", "times none"])


def chosen_rates(
    table: pd.DataFrame, norms: Sequence[str]
) -> dict[tuple[str, str], tuple[float, pd.DataFrame]]:
    """Return by optimizer and norm the rate that is best on held-out images, and all rates' means.

    Means over seeds after the last epoch, of validation and test accuracy by learning rate; of
    equals the smaller rate. A condition without runs is absent.
    """
    last = tables.last_epochs(table)
    chosen = {}
    for optimizer in OPTIMIZERS:
        for norm in norms:
            own = last[(last["optimizer"] == optimizer) & (last["norm"] == norm)]
            means = own.groupby("learning_rate")[["validation_accuracy", "test_accuracy"]].mean()
            if len(means):
                best = int(means["validation_accuracy"].argmax())
                chosen[optimizer, norm] = float(means.index[best]), means
    return chosen


def best_rates(table: pd.DataFrame, norms: Sequence[str]) -> pd.DataFrame:
    """Return `chosen_rates` as rows: each best rate and what it gives, beside the fixed one."""
    rows = []
    for (optimizer, norm), (rate, means) in chosen_rates(table, norms).items():
        found = means.loc[rate]
        fixed = float(means["test_accuracy"].get(RATES[optimizer], np.nan))
        said = (OPTIMIZERS[optimizer], label(norm), f"{rate:g}")
        rows.append((*said, found["validation_accuracy"], found["test_accuracy"], fixed))
    columns = ["optimizer", "norm", "best rate", "held out (%)", "test (%)", "test, fixed rate (%)"]
    return pd.DataFrame(rows, columns=columns)


def grids(
    runs: Iterable[Learned], pair: Sequence[str], seed: int
) -> tuple[
    dict[str, NDArray[np.float64] | None], dict[str, NDArray[Any]], dict[str, NDArray[np.bool_]]
]:
    """Return weights, order and marks of `weight_grids.weight_grid`, a panel per condition."""
    found = {
        (run.experiment.optimizer, run.experiment.norm): run
        for run in runs
        if run.experiment.seed == seed and run.whole
    }
    weights: dict[str, NDArray[np.float64] | None] = {}
    order, marked = {}, {}
    for optimizer, name in OPTIMIZERS.items():
        for norm in pair:
            title = f"{label(norm)}, {name}"
            run = found.get((optimizer, norm))
            weights[title] = None if run is None else run.weights[:, 0]
            if run is not None:
                order[title] = np.argsort(-run.arrays["autocorrelation"][-1])
                marked[title] = run.noisy
    return weights, order, marked


def pictures(
    runs: Iterable[Hallucinated],
    pair: Sequence[str],
    seed: int,
    regularization: str,
    classes: Sequence[str],
) -> dict[str, Any]:
    """Return what `image_grids.image_grid` takes: a column per condition, a row per class.

    Of a class's images the first start's is shown, whatever it is like; below it its network's own
    confidence, and that of the judges.
    """
    found = {
        (run.experiment.optimizer, run.experiment.norm): run
        for run in runs
        if run.experiment.seed == seed
    }
    places = [(optimizer, norm) for optimizer in OPTIMIZERS for norm in pair]
    images: list[list[NDArray[np.uint8] | None]] = [[] for _ in classes]
    notes: list[list[str]] = [[] for _ in classes]
    for place in places:
        run = found.get(place)
        for number in range(len(classes)):
            if run is None:
                images[number].append(None)
                notes[number].append("")
                continue
            images[number].append(run.images(regularization)[number, 0])
            own = run.measure("own_confidence", regularization)[number, 0]
            others = run.measure("recognized", regularization)[number, 0]
            notes[number].append(f"{own:.2f} / {others:.2f}")
    columns = [f"{label(norm)}, {OPTIMIZERS[optimizer]}" for optimizer, norm in places]
    return {"columns": columns, "rows": list(classes), "images": images, "notes": notes}


def judged(runs: Iterable[Hallucinated], norms: Sequence[str]) -> pd.DataFrame:
    """Return what each judge recognizes, a row per condition, a column per judge and way."""
    table = by_judge(runs)
    rows = []
    for optimizer, name in OPTIMIZERS.items():
        for norm in norms:
            own = table[(table["optimizer"] == optimizer) & (table["norm"] == norm)]
            if own.empty:
                continue
            row: dict[str, str] = {"optimizer": name, "norm": label(norm)}
            for (judge, kind), found in own.groupby(["judge", "regularization"], sort=False):
                column = f"{'plain' if kind == 'none' else 'regularized'}, by {label(str(judge))}"
                accuracy = found["accuracy"].mean()
                row[column] = f"{found['recognized'].mean():.1f} ({accuracy:.1f})"
            rows.append(row)
    return pd.DataFrame(rows)


def last_measures(table: pd.DataFrame, runs: Sequence[Learned]) -> pd.DataFrame:
    """Return a row per run after its last epoch: the claims' quantities and further measures, in %.

    ``table`` is ``learned.with_measures``'s.
    """
    last = table[table["noisy_units"].notna()]
    if not runs:
        return last.assign(low_frequencies=np.nan, moved=np.nan)
    keys = ["norm", "optimizer", "seed"]
    more = measures(runs)
    more = more[more["epoch"] == more.groupby(keys)["epoch"].transform("max")]
    more = more.assign(low_frequencies=100 * more["low_frequencies"], moved=100 * more["moved"])
    return last.merge(more[[*keys, "low_frequencies", "moved"]], on=keys, how="left")


def rounded_measures(
    table: pd.DataFrame, norms: Sequence[str], panels: Mapping[str, str]
) -> list[str]:
    """Return a line per condition with the means of ``panels``' columns.

    A measure that some of the runs lack says of how many its mean is.
    """
    lines = [", ".join(panels.values())]
    for optimizer, name in OPTIMIZERS.items():
        for norm in norms:
            own = table[(table["optimizer"] == optimizer) & (table["norm"] == norm)]
            if len(own):
                means = ", ".join(_mean(own[one]) for one in panels)
                lines.append(f"{norm}, {name}: {means} over {len(own)} seeds")
    return lines


def _mean(measured: pd.Series) -> str:
    """Return a mean over what is there: ``51.2``, ``51.2 (of 3)`` or ``not defined``."""
    there = measured.dropna()
    if there.empty:
        return "not defined"
    lacking = f" (of {len(there)})" if len(there) < len(measured) else ""
    return f"{there.mean():.1f}{lacking}"


def mean_interval(values: NDArray[np.float64]) -> str | None:
    """Return a mean of differences with its interval, None of fewer than three."""
    if values.size < FEWEST:
        return None
    found = statistics.mean_interval(values)
    return difference(found.mean, found.low, found.high)
