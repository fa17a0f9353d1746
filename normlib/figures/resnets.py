"""Source E's ablation drawn: learning curves of one network, a column per batch size."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from normlib.analysis.ablation import METHODS
from normlib.analysis.contrasts import network
from normlib.analysis.outcome import FEWEST
from normlib.figures import palette, style
from normlib.figures.curves import AXIS, means

#: Quantities of the rows of panels; the source's marks are set beside the first.
SHOWN = ("test_accuracy", "train_accuracy_running")
#: Inches: narrower than a page, so that a phone need not shrink it much.
WIDTH = 6.2


@contextmanager
def drawing(
    height: float, rows: int = 1, columns: int = 1, **options: Any
) -> Iterator[tuple[Figure, Any]]:
    """Yield a figure of this width and its axes, in two dimensions, in the book's style."""
    with style.drawing(height, rows, columns, squeeze=False, **options) as (figure, axes):
        figure.set_size_inches(WIDTH, height)
        yield figure, axes


def signature(found: pd.DataFrame, plan: str) -> str:
    """Return which runs a figure shows, from a table with the columns model and n.

    ``n`` counts the seeds of a row; rows of one network are told by their smallest and largest.
    """
    if not (found["n"] > 0).any():
        return f"Runs: plan {plan}; no runs recorded yet."
    said = []
    for model, n in found.groupby("model", sort=False)["n"]:
        said.append(f"{network(str(model))}: {style.span(n)}")
    counts = ", ".join(said).replace(" ", "\N{NO-BREAK SPACE}").replace(",\u00a0", ", ")
    return f"Runs: plan {plan}; seeds behind each number of {counts}."


def sign(figure: Figure, text: str) -> None:
    """Write ``text`` below a figure of this width."""
    style.name(figure, text, 112)


def look(norm: str) -> dict[str, Any]:
    """Return a method's colour, marker and stroke, as matplotlib's options."""
    return {
        "color": palette.colour(norm),
        "marker": palette.marker(norm),
        "linestyle": palette.line(norm),
    }


def curves(
    table: pd.DataFrame,
    model: str,
    batch_sizes: Sequence[int],
    *,
    plan: str,
    epochs: int,
    reported: pd.DataFrame | None = None,
) -> Figure:
    """Draw test and training accuracy by epoch: means over seeds with 95% intervals.

    Of fewer than three seeds, thin lines show the runs themselves instead of an interval.

    Args:
        table: ``analysis.tables.runs``'s, of runs of one length only.
        model: Which network.
        batch_sizes: A column of panels each.
        plan: Where the runs come from.
        epochs: How many a run has.
        reported: Single numbers to set beside the test accuracy: columns model, batch_size, norm,
            epoch and test_accuracy (percent).
    """
    own = table[table["model"] == model]
    panel = 1.8 if own.empty else 2.6  # inches: to say that there is nothing takes little room
    size = (panel * len(SHOWN) + 0.8, len(SHOWN), len(batch_sizes))
    with drawing(*size, sharex=True, sharey="row") as (figure, axes):
        for column, batch_size in enumerate(batch_sizes):
            shown = own[own["batch_size"] == batch_size]
            for row, quantity in zip(axes, SHOWN, strict=True):
                _panel(row[column], shown, quantity)
            if reported is not None:
                _marks(axes[0, column], reported, model, batch_size)
            axes[0, column].set_title(f"{network(model)}, batch {batch_size}")
            axes[-1, column].set_xlabel("epoch")
            axes[-1, column].set_xlim(0.5, epochs + (0.5 if reported is None else 1))
        for row, quantity in zip(axes, SHOWN, strict=True):
            row[0].set_ylabel(AXIS[quantity])
            if own.empty:
                row[0].set_ylim(0, 100)
        _legend(figure, reported is not None)
        sign(figure, f"Runs: plan {plan}; {_seeds(own, batch_sizes)}.")
    return figure


def _panel(axes: Axes, table: pd.DataFrame, quantity: str) -> None:
    for norm in METHODS:
        curve = means(table, norm, quantity)
        if curve.empty:
            continue
        axes.plot(curve["epoch"], curve["mean"], **look(norm))
        colour = palette.colour(norm)
        if curve["n"].max() >= FEWEST:
            low, high = curve["low"].clip(lower=0), curve["high"].clip(upper=100)
            axes.fill_between(curve["epoch"], low, high, color=colour, alpha=0.18, lw=0)
            continue
        for _, run in table[table["norm"] == norm].groupby("key"):
            axes.plot(run["epoch"], run[quantity], color=colour, lw=0.7, alpha=0.6)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    if table.empty:
        axes.text(0.5, 0.5, "no runs recorded yet", ha="center", va="center",
                  transform=axes.transAxes)  # fmt: skip


def _marks(axes: Axes, reported: pd.DataFrame, model: str, batch_size: int) -> None:
    here = reported[(reported["model"] == model) & (reported["batch_size"] == batch_size)]
    for _, one in here.iterrows():
        axes.plot(
            one["epoch"] + 0.45,
            one["test_accuracy"],
            linestyle="",
            marker=palette.marker(one["norm"]),
            markersize=7,
            markerfacecolor="white",
            markeredgecolor=palette.colour(one["norm"]),
        )


def _legend(figure: Figure, marked: bool) -> None:
    axes = figure.axes[0]
    for norm in METHODS:
        axes.plot([], [], label=palette.label(norm), **look(norm))
    if marked:
        axes.plot([], [], label="source E (hollow)", linestyle="", marker="o",
                  markerfacecolor="white", markeredgecolor="black")  # fmt: skip
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=len(labels), columnspacing=1.2)


def _seeds(own: pd.DataFrame, batch_sizes: Sequence[int]) -> str:
    said = []
    for batch_size in batch_sizes:
        found = style.seeds(own[own["batch_size"] == batch_size], list(METHODS))
        counts = ", ".join(
            f"{palette.label(norm)}\N{NO-BREAK SPACE}{found[norm]}"
            for norm in METHODS
            if norm in found
        )
        said.append(f"seeds at batch {batch_size}: {counts or 'none recorded yet'}")
    return "; ".join(said)
