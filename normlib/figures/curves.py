"""Learning curves: the mean over seeds, of at least three with its 95% interval, by epoch."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from normlib.analysis import statistics
from normlib.analysis.outcome import FEWEST
from normlib.figures import palette, style

AXIS = {
    "train_accuracy_running": "training accuracy (%)",
    "test_accuracy": "test accuracy (%)",
    "train_loss_running": "training loss (nats)",
    "test_loss": "test loss (nats)",
}


@dataclass(frozen=True, kw_only=True)
class Panel:
    """One pair of axes: a quantity of the tidy table, under a title."""

    title: str
    quantity: str


def means(table: pd.DataFrame, norm: str, quantity: str) -> pd.DataFrame:
    """Return mean and 95% limits over seeds per epoch; limits are NaN below FEWEST runs."""
    rows = []
    for epoch, found in table[table["norm"] == norm].groupby("epoch")[quantity]:
        values = found.dropna().to_numpy(dtype=np.float64)
        if values.size >= FEWEST:
            one = statistics.mean_interval(values)
            rows.append((epoch, one.mean, one.low, one.high, one.n))
        elif values.size:
            rows.append((epoch, float(values.mean()), np.nan, np.nan, values.size))
    return pd.DataFrame(rows, columns=["epoch", "mean", "low", "high", "n"])


def learning_curves(
    table: pd.DataFrame,
    norms: Sequence[str],
    panels: Sequence[Panel],
    *,
    plan: str,
    last: int | None = None,
    marks: pd.DataFrame | None = None,
) -> Figure:
    """Draw one panel per quantity, two to a row, with a line and, of three runs, a band each.

    ``table`` is ``analysis.tables.runs``'s; ``last`` ends the curves at that epoch. ``marks`` are
    single numbers to set beside the test accuracy: columns norm, epoch, accuracy (percent).
    """
    shown = [norm for norm in norms if (table["norm"] == norm).any()]
    within = table if last is None else table[table["epoch"] <= last]
    columns = min(2, len(panels))
    rows = -(-len(panels) // columns)
    with style.drawing(3.0 * rows + 0.7, rows, columns, squeeze=False) as (figure, axes):
        for one, panel in zip(axes.flat, panels, strict=False):
            if shown:
                draw(one, within, shown, panel, marks)
            else:
                style.say_empty(one)
        if shown:
            handles, labels = axes.flat[0].get_legend_handles_labels()
            figure.legend(handles, labels, loc="outside upper center", ncols=min(3, len(shown)))
        style.sign(figure, style.seeds(within, shown), plan)
    return figure


def draw(
    axes: Axes,
    table: pd.DataFrame,
    norms: Sequence[str],
    panel: Panel,
    marks: pd.DataFrame | None = None,
) -> None:
    """Draw one quantity over the epochs: a line per condition, a band where there are limits."""
    for norm in norms:
        curve = means(table, norm, panel.quantity)
        colour = palette.colour(norm)
        axes.plot(
            curve["epoch"],
            curve["mean"],
            marker=palette.marker(norm),
            label=palette.label(norm),
            color=colour,
            linestyle=palette.line(norm),
        )
        axes.fill_between(
            curve["epoch"], curve["low"], curve["high"], color=colour, alpha=0.18, lw=0
        )
        if marks is not None and panel.quantity == "test_accuracy":
            one = marks[marks["norm"] == norm]
            axes.plot(
                one["epoch"] + 0.35,
                one["accuracy"],
                linestyle="",
                marker=palette.marker(norm),
                markersize=8,
                markerfacecolor="none" if norm.startswith("tensorflow") else colour,
                markeredgecolor=colour,
            )
    axes.set(title=panel.title, xlabel="epoch", ylabel=AXIS[panel.quantity])
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
