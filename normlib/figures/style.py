"""What all figures share: size, fonts, white ground, the same bytes every time, the runs' names."""

import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from normlib.analysis import statistics
from normlib.analysis.outcome import FEWEST
from normlib.figures.palette import label

#: Inches; the width of a page's column.
WIDTH = 7.6
STYLE: dict[Any, Any] = {
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "axes.facecolor": "white",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.titlesize": 11,
    "axes.labelsize": 10,
    "grid.color": "#e5e5e5",
    "grid.linewidth": 0.8,
    "font.size": 10,
    "font.family": "DejaVu Sans",
    "legend.frameon": False,
    "legend.fontsize": 9,
    "lines.linewidth": 1.6,
    "lines.markersize": 4.5,
    "svg.hashsalt": "normlib",
}


@contextmanager
def drawing(
    height: float, rows: int = 1, columns: int = 1, **options: Any
) -> Iterator[tuple[Figure, Any]]:
    """Yield a new figure and its axes in the book's style; close it for pyplot afterwards.

    The figure stays usable: a notebook shows it once, where it is the cell's value.
    """
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(
            rows, columns, figsize=(WIDTH, height), layout="constrained", **options
        )
        try:
            yield figure, axes
        finally:
            plt.close(figure)


def sign(figure: Figure, counts: Mapping[str, int | str], plan: str) -> None:
    """Write below the figure which runs it shows: the plan, and each condition's seeds."""
    # Spaces that do not break keep a condition and its number on one line.
    named = [f"{label(norm)}: {count}".replace(" ", "\u00a0") for norm, count in counts.items()]
    text = f"Runs: plan {plan}; seeds of {', '.join(named) or 'no condition are recorded yet'}."
    name(figure, text)


def name(figure: Figure, source: str, width: int = 140) -> None:
    """Write below the figure what it was drawn from, in lines of ``width`` characters."""
    wrapped = "\n".join(textwrap.wrap(source, width))
    figure.supxlabel(wrapped, fontsize=7, color="#555555", x=0.01, ha="left")


def seeds(table: pd.DataFrame, norms: list[str] | None = None) -> dict[str, int]:
    """Return how many runs each condition of a tidy table has, in the table's order."""
    counts = table.groupby("norm", observed=True)["seed"].nunique()
    found = {str(norm): int(count) for norm, count in counts.items()}
    return {norm: n for norm, n in found.items() if norms is None or norm in norms}


def span(counts: Iterable[int]) -> str:
    """Return ``5``, or ``1 to 5`` where counts differ."""
    every = {int(one) for one in counts}
    few, many = min(every), max(every)
    return str(few) if few == many else f"{few} to {many}"


def rows(axes: Axes, names: Sequence[str]) -> None:
    """Give ``axes`` a row for each name, the first on top."""
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.grid(axis="y", visible=False)


def point(
    axes: Axes, values: np.ndarray, place: int, colour: str, marker: str, size: float = 6
) -> None:
    """Draw in row ``place`` a mean with its 95% interval, or fewer than FEWEST values hollow."""
    if values.size >= FEWEST:
        found = statistics.mean_interval(values)
        axes.plot([found.low, found.high], [place, place], color=colour)
        axes.plot(found.mean, place, marker=marker, color=colour, markersize=size)
    else:
        at = [place] * values.size
        axes.plot(values, at, linestyle="", marker=marker, color=colour, markerfacecolor="white")


def say_empty(axes: Axes) -> None:
    """Say on ``axes`` that nothing is recorded, rather than show an empty frame."""
    axes.text(0.5, 0.5, "no runs recorded yet", ha="center", va="center", transform=axes.transAxes)
    axes.set_axis_off()
