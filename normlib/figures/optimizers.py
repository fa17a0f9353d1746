"""Source C's conditions side by side: SGD at the left, Adam at the right, a line per norm."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from normlib.analysis import statistics
from normlib.analysis.contrasts import OPTIMIZERS
from normlib.analysis.outcome import FEWEST
from normlib.analysis.tables import last_epochs
from normlib.figures import palette, style
from normlib.figures.curves import AXIS, Panel, draw

#: Updates over which a curve of steps is averaged: single batches jump.
WINDOW = 20
#: Inches per row of points.
ROW = 0.24


def curves(
    table: pd.DataFrame, norms: Sequence[str], quantities: Sequence[str], *, plan: str
) -> Figure:
    """Draw quantities over the epochs: a row of panels each, mean over seeds with 95% interval.

    ``table`` is ``analysis.tables.runs``'s of one network.
    """
    rows = len(quantities)
    with style.drawing(2.7 * rows + 0.7, rows, 2, sharey="row", squeeze=False) as (figure, axes):
        for row, quantity in zip(axes, quantities, strict=True):
            for one, (optimizer, title) in zip(row, OPTIMIZERS.items(), strict=True):
                part = table[table["optimizer"] == optimizer]
                shown = _present(part, norms)
                if shown:
                    draw(one, part, shown, Panel(title=title, quantity=quantity))
                else:
                    style.say_empty(one)
        for one in axes[:, 1]:
            one.set_ylabel("")
        _finish(figure, axes, table, norms, plan)
    return figure


def first_steps(table: pd.DataFrame, norms: Sequence[str], quantity: str, *, plan: str) -> Figure:
    """Draw a column of ``analysis.learned.steps`` over the updates of epoch 1.

    Lines are means over seeds of averages over the last WINDOW updates, bands 95% intervals.
    """
    with style.drawing(3.2, 1, 2, sharey=True, squeeze=False) as (figure, axes):
        for one, (optimizer, title) in zip(axes.flat, OPTIMIZERS.items(), strict=True):
            part = table[table["optimizer"] == optimizer]
            shown = _present(part, norms)
            if not shown:
                style.say_empty(one)
            for norm in shown:
                wide = part[part["norm"] == norm].pivot(
                    index="update", columns="seed", values=quantity
                )
                smooth = wide.rolling(WINDOW, min_periods=1).mean()
                _band(one, smooth, norm)
            one.set(title=title, xlabel="update")
        axes[0, 0].set_ylabel({"loss": "training loss (nats)"}.get(quantity, "accuracy (%)"))
        _finish(figure, axes, table, norms, plan)
    return figure


def rates(
    table: pd.DataFrame,
    norms: Sequence[str],
    quantity: str,
    fixed: Mapping[str, float],
    *,
    plan: str,
) -> Figure:
    """Draw a quantity after the last epoch over the learning rate, with the ``fixed`` one marked.

    Points are means over seeds, bands 95% intervals over at least three.
    """
    last = last_epochs(table)
    with style.drawing(3.2, 1, 2, sharey=True, squeeze=False) as (figure, axes):
        for one, (optimizer, title) in zip(axes.flat, OPTIMIZERS.items(), strict=True):
            part = last[last["optimizer"] == optimizer]
            shown = _present(part, norms)
            if not shown:
                style.say_empty(one)
                continue
            one.axvline(fixed[optimizer], color="#888888", lw=1, linestyle=":")
            for norm in shown:
                wide = part[part["norm"] == norm].pivot(
                    index="learning_rate", columns="seed", values=quantity
                )
                _band(one, wide, norm, marker=palette.marker(norm))
            one.set_xscale("log")
            one.set(title=title, xlabel="learning rate")
        axes[0, 0].set_ylabel(AXIS.get(quantity, "accuracy on held-out images (%)"))
        _finish(figure, axes, table, norms, plan, "learning_rate")
    return figure


def points(
    table: pd.DataFrame, norms: Sequence[str], panels: Mapping[str, str], *, plan: str
) -> Figure:
    """Draw columns of a table with a row per run: a panel each, a row per norm and optimizer.

    A point is a mean over seeds with its 95% interval; of fewer than three seeds there are the
    runs themselves, as hollow points.
    """
    places = [(one, norm) for one in OPTIMIZERS for norm in norms]
    columns = min(2, len(panels))
    rows = -(-len(panels) // columns)
    height = rows * (0.9 + ROW * len(places)) + 0.5
    with style.drawing(height, rows, columns, sharey=True, squeeze=False) as (figure, axes):
        for one in axes.flat[len(panels) :]:
            one.set_axis_off()
        for one, (quantity, title) in zip(axes.flat, panels.items(), strict=False):
            for place, (optimizer, norm) in enumerate(places):
                chosen = (table["optimizer"] == optimizer) & (table["norm"] == norm)
                values = table.loc[chosen, quantity].dropna().to_numpy(float)
                style.point(one, values, place, palette.colour(norm), palette.marker(norm))
            if table[quantity].isna().all():
                style.say_empty(one)
            one.axhline(len(norms) - 0.5, color="#cccccc", lw=0.8)
            style.rows(one, [_named(place) for place in places])
            one.set(title=title)
        _sign(figure, table, norms, plan)
    return figure


def _named(place: tuple[str, str]) -> str:
    return f"{palette.label(place[1])}, {OPTIMIZERS[place[0]]}"


def _present(table: pd.DataFrame, norms: Sequence[str]) -> list[str]:
    return [norm for norm in norms if (table["norm"] == norm).any()]


def _band(axes: Axes, wide: pd.DataFrame, norm: str, **look: Any) -> None:
    """Draw the mean over the columns of ``wide`` and, of at least FEWEST, the 95% interval."""
    colour = palette.colour(norm)
    mean = wide.mean(axis=1)
    axes.plot(
        wide.index,
        mean,
        color=colour,
        linestyle=palette.line(norm),
        label=palette.label(norm),
        **look,
    )
    if wide.shape[1] >= FEWEST:
        half = [
            statistics.mean_interval(row[~np.isnan(row)]).high - row[~np.isnan(row)].mean()
            if (~np.isnan(row)).sum() >= FEWEST
            else np.nan
            for row in wide.to_numpy(dtype=np.float64)
        ]
        axes.fill_between(wide.index, mean - half, mean + half, color=colour, alpha=0.18, lw=0)


def _finish(
    figure: Figure,
    axes: np.ndarray,
    table: pd.DataFrame,
    norms: Sequence[str],
    plan: str,
    *also: str,
) -> None:
    found: dict[str, Artist] = {}
    for one in axes.flat:
        handles, labels = one.get_legend_handles_labels()
        found |= dict(zip(labels, handles, strict=True))
    if found:
        figure.legend(
            list(found.values()), list(found), loc="outside upper center", ncols=min(5, len(found))
        )
    _sign(figure, table, norms, plan, *also)


def _sign(figure: Figure, table: pd.DataFrame, norms: Sequence[str], plan: str, *also: str) -> None:
    """Name the runs; seeds are counted by norm and optimizer, and by the columns ``also``."""
    seeds = table.groupby(["norm", "optimizer", *also], observed=True)["seed"].nunique()
    counts = {norm: style.span(seeds.loc[[norm]]) for norm in _present(table, norms)}
    style.sign(figure, counts, plan)
