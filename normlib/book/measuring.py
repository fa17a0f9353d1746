"""What was measured in source E's runs, as rows of text and sentences true of whatever there is."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from normlib.analysis import statistics
from normlib.analysis.histograms import Probed, condition, first_epoch
from normlib.analysis.outcome import FEWEST, Quantity
from normlib.book.showing import signed
from normlib.figures import starts
from normlib.figures.resnets import network
from normlib.records import Experiment


def covered(experiments: Iterable[Experiment], runs: Iterable[Probed]) -> pd.DataFrame:
    """Return a row per network, condition and length of run: runs planned and runs measured."""
    measured = {run.key for run in runs}
    counts: dict[tuple[str, str, int], list[int]] = {}
    for run in dict.fromkeys(experiments):
        count = counts.setdefault(
            (run.model, condition(run.norm, run.initialization), run.epochs), [0, 0]
        )
        count[0] += 1
        count[1] += run.key in measured
    rows = [
        (network(model), starts.label(name), epochs, planned, found)
        for (model, name, epochs), (planned, found) in counts.items()
    ]
    return pd.DataFrame(rows, columns=["network", "condition", "epochs", "planned", "measured"])


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
    return f"Epoch 1 of ResNet18 is measured for so many seeds: {said}{tail}"


def means(table: pd.DataFrame, quantities: Mapping[Quantity, str]) -> pd.DataFrame:
    """Return a row per condition: seeds, and each quantity's mean with its 95% interval.

    ``table`` is `figures.early_updates.conditioned`'s; of fewer than three seeds no interval.
    """
    rows = []
    for name in starts.present(table):
        own = table[table["condition"] == name]
        cells = [_mean(own[quantity].dropna().to_numpy(dtype=float)) for quantity in quantities]
        rows.append((starts.label(name), own["seed"].nunique(), *cells))
    return pd.DataFrame(rows, columns=["condition", "seeds", *quantities.values()])


def rounded(table: pd.DataFrame, quantities: Sequence[Quantity]) -> list[str]:
    """Return a line per condition with the means of ``quantities``, the same on every machine."""
    lines = []
    for name in starts.present(table):
        own = table[table["condition"] == name]
        numbers = [own[quantity].mean() for quantity in quantities]
        said = ", ".join("not defined" if np.isnan(x) else f"{x:.1f}" for x in numbers)
        lines.append(f"{name}: {said} over {own['seed'].nunique()} seeds")
    return lines


def _mean(values: NDArray[np.float64]) -> str | None:
    if not values.size:
        return None
    if values.size < FEWEST:
        return f"{signed(float(values.mean()))} ({'one run' if values.size == 1 else 'two runs'})"
    found = statistics.mean_interval(values)
    low, high = signed(found.low), signed(found.high)
    return f"{signed(found.mean)} [{low},\N{NO-BREAK SPACE}{high}]"
