"""What was measured in source E's runs, as rows of text and sentences true of whatever there is."""

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from normlib.analysis import statistics
from normlib.analysis.contrasts import network
from normlib.analysis.histograms import Probed, condition, first_epoch
from normlib.analysis.outcome import FEWEST, QUANTITIES, Quantity
from normlib.book.showing import few
from normlib.figures import starts
from normlib.records import Experiment

#: Where source E's value comes from, where that is not as in the chapter on accuracies.
ORIGINS = {
    "initialization": "PyTorch's models come with torchvision's; the others are ours",
    "batch_size": "E's tables; not stated for its histograms",
}


def covered(experiments: Iterable[Experiment], runs: Iterable[Probed]) -> pd.DataFrame:
    """Return a row per network and condition: runs measured of planned, a column per length."""
    measured = {run.key for run in runs}
    planned = list(dict.fromkeys(experiments))
    lengths = sorted({run.epochs for run in planned})
    counts: dict[tuple[str, str], dict[int, list[bool]]] = {}
    for run in planned:
        row = counts.setdefault((run.model, condition(run.norm, run.initialization)), {})
        row.setdefault(run.epochs, []).append(run.key in measured)
    order = sorted(counts, key=lambda row: (row[0], starts.CONDITIONS.index(row[1])))
    rows = [
        (
            network(model),
            starts.label(name),
            *(_of(counts[model, name].get(length)) for length in lengths),
        )
        for model, name in order
    ]
    names = [f"{length} {'epoch' if length == 1 else 'epochs'}" for length in lengths]
    return pd.DataFrame(rows, columns=["network", "condition", *names])


def _of(there: list[bool] | None) -> str | None:
    return None if there is None else f"{sum(there)} of {len(there)}"


def first_epochs(runs: Iterable[Probed], model: str = "resnet18") -> dict[str, int]:
    """Return by condition how many seeds have epoch 1 measured, by a run of any length."""
    once = {first_epoch(run.experiment) for run in runs if run.experiment.model == model}
    counts = dict.fromkeys(starts.CONDITIONS, 0)
    for run in once:
        name = condition(run.norm, run.initialization)
        counts[name] = counts.get(name, 0) + 1
    return counts


def recorded(runs: Iterable[Probed]) -> str:
    """Say of how many seeds the first epoch of ResNet18 is measured."""
    counts = first_epochs(runs)
    if not any(counts.values()):
        return "No run has been measured yet, so that nothing below is decided."
    said = ", ".join(f"{starts.label(name)} {count}" for name, count in counts.items())
    lacking = sum(count < FEWEST for count in counts.values())
    tail = "."
    if lacking:
        tail = f"; {lacking} of them {'has' if lacking == 1 else 'have'} fewer than the three "
        tail += "seeds that a verdict takes."
    return f"Seeds of ResNet18 with epoch 1 measured: {said}{tail}"


def means(table: pd.DataFrame, quantities: Sequence[Quantity]) -> pd.DataFrame:
    """Return a row per quantity, a column per condition: the mean and half its 95% interval.

    ``table`` is `figures.early_updates.conditioned`'s; of fewer than three seeds no interval.
    """
    named = [f"{what} ({unit})" for what, unit in map(QUANTITIES.__getitem__, quantities)]
    columns: dict[str, list[str | None]] = {"": [*named, "seeds"]}
    for name in starts.present(table):
        own = table[table["condition"] == name]
        cells = [_mean(own[quantity].dropna().to_numpy(dtype=float)) for quantity in quantities]
        columns[starts.label(name)] = [*cells, str(own["seed"].nunique())]
    return pd.DataFrame(columns)


def listed(table: pd.DataFrame, quantity: Quantity) -> str:
    """Say the mean of one quantity for each condition, for a sentence: ``BN 0.8, Affine 0.9``."""
    said = []
    for name in starts.present(table):
        mean = table.loc[table["condition"] == name, quantity].mean()
        said.append(f"{starts.label(name)} {'not defined' if np.isnan(mean) else _number(mean)}")
    return ", ".join(said) or "not known yet"


def rounded(table: pd.DataFrame, quantities: Sequence[Quantity]) -> list[str]:
    """Return a line per condition with the means of ``quantities``, the same on every machine."""
    lines = []
    for name in starts.present(table):
        own = table[table["condition"] == name]
        numbers = [own[quantity].mean() for quantity in quantities]
        said = ", ".join("not defined" if np.isnan(x) else f"{x:.1f}" for x in numbers)
        lines.append(f"{starts.label(name)}: {said} over {own['seed'].nunique()} seeds")
    return lines


def _mean(values: NDArray[np.float64]) -> str | None:
    if not values.size:
        return None
    if values.size < FEWEST:
        return f"{_number(values.mean())} {few(values.size)}"
    found = statistics.mean_interval(values)
    half = _number((found.high - found.low) / 2)
    return f"{_number(found.mean)}\N{NO-BREAK SPACE}±\N{NO-BREAK SPACE}{half}"


def _number(value: float) -> str:
    """Return ``value`` to one decimal place, which a distance can bear."""
    return f"{value:.1f}".replace("-", "\N{MINUS SIGN}")
