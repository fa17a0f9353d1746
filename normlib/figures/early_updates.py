"""How far distributions are apart, how they change over epochs, and scales along the blocks."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from normlib.analysis import statistics
from normlib.analysis.histograms import KINDS, LAYERS, condition
from normlib.analysis.outcome import FEWEST, QUANTITIES, Quantity
from normlib.figures import starts, style

#: Inches per row.
ROW = 0.27
MOMENTS = {"start": "at the first update", "early": "after 20 updates"}
SIGNALS = {"activation": "outputs", "gradient": "gradients"}


def measured(
    table: pd.DataFrame,
    panels: Mapping[Quantity, str],
    *,
    plans: Sequence[str],
    margin: float = 0.0,
) -> Figure:
    """Draw quantities of epoch 1, a panel each under a title, a row per condition.

    A point is a mean over seeds with its 95% interval; of fewer than three seeds there are the
    runs themselves, as hollow points. ``table`` has the columns condition, seed and the
    quantities, a row per run; the band reaches from 0 to the ``margin`` of a claim.
    """
    shown = starts.present(table)
    columns = 3 if len(panels) % 3 == 0 else min(2, len(panels))
    rows = -(-len(panels) // columns)
    height = rows * (1.0 + ROW * max(4, len(shown))) + 0.4
    with style.drawing(height, rows, columns, sharey=True, squeeze=False) as (figure, axes):
        for one in axes.flat[len(panels) :]:
            one.set_axis_off()
        for one, (quantity, title) in zip(axes.flat, panels.items(), strict=False):
            if not shown:
                style.say_empty(one)
                continue
            one.axvspan(0, margin, color="#e8e8e8", lw=0)
            one.axvline(0, color="black", lw=1)
            for place, name in enumerate(shown):
                found = table.loc[table["condition"] == name, quantity].dropna().to_numpy(float)
                look = starts.look(name)
                style.point(one, found, place, look["color"], look["marker"], size=7)
            style.rows(one, [starts.label(name) for name in shown])
            one.set(title=title, xlabel=_unit(quantity))
        starts.sign(figure, table, plans)
    return figure


def over_epochs(table: pd.DataFrame, quantity: str, *, plans: Sequence[str]) -> Figure:
    """Draw a column of `early_updates.spreads` against the epochs made: a panel per layer and kind.

    The first updates of an epoch stand where it begins, the last where it ends. Lines are means
    over seeds (of spreads geometric ones), bands 95% intervals over at least three; spreads of
    gradients are on a scale of doublings.
    """
    shown = starts.present(table)
    words = {"spread": "spread", "apart": "distance from BN (%)"}
    with style.drawing(5.6, 2, 2, sharex=True, squeeze=False) as (figure, axes):
        for row, layer in zip(axes, LAYERS, strict=True):
            for one, kind in zip(row, KINDS, strict=True):
                part = table[(table["layer"] == layer) & (table["kind"] == kind)]
                _lines(one, part.assign(at=part["epoch"] - (part["period"] == "early")), quantity)
                one.set(title=f"{layer} {kind}", ylabel=words[quantity])
                if quantity == "spread" and kind == "gradients" and shown:
                    one.set_yscale("log", base=2)
        for one in axes[-1]:
            one.set_xlabel("epochs made")
            one.xaxis.set_major_locator(MaxNLocator(integer=True))
        starts.legend(figure, shown, axes[0, 0])
        starts.sign(figure, table, plans)
    return figure


def along_blocks(table: pd.DataFrame, *, plans: Sequence[str]) -> Figure:
    """Draw `early_updates.scales`: root mean squares block by block, a panel per moment and signal.

    Lines are geometric means over seeds, thin lines the seeds themselves.
    """
    shown = starts.present(table)
    with style.drawing(5.6, 2, 2, sharex=True, squeeze=False) as (figure, axes):
        for row, (signal, what) in zip(axes, SIGNALS.items(), strict=True):
            for one, (moment, when) in zip(row, MOMENTS.items(), strict=True):
                part = table[(table["signal"] == signal) & (table["moment"] == moment)]
                part = part[part["scale"] > 0]
                for name in shown:
                    _blocks(one, part[part["condition"] == name], name)
                one.set(title=f"{what}, {when}", ylabel="root mean square")
                if part.empty:
                    style.say_empty(one)
                else:
                    one.set_yscale("log", base=2)
        for one in axes[-1]:
            one.set_xlabel("residual block")
            one.xaxis.set_major_locator(MaxNLocator(integer=True))
        starts.legend(figure, shown, axes[0, 0])
        starts.sign(figure, table, plans)
    return figure


def _lines(axes: Axes, table: pd.DataFrame, quantity: str) -> None:
    if table.empty:
        style.say_empty(axes)
        return
    logarithmic = quantity == "spread"
    for name in starts.present(table):
        rows = []
        for when, found in table[table["condition"] == name].groupby("at")[quantity]:
            values = found.to_numpy(dtype=np.float64)
            values = values[np.isfinite(values) & ((values > 0) | (not logarithmic))]
            if values.size:
                rows.append((when, *_mean(np.log2(values) if logarithmic else values)))
        if not rows:
            continue
        at, mean, low, high = (
            np.array(column, dtype=np.float64) for column in zip(*rows, strict=True)
        )
        if logarithmic:
            mean, low, high = 2**mean, 2**low, 2**high
        look = starts.look(name)
        axes.plot(at, mean, label=starts.label(name), **look)
        axes.fill_between(at, low, high, color=look["color"], alpha=0.18, lw=0)


def _mean(values: np.ndarray) -> tuple[float, float, float]:
    if values.size < FEWEST:
        return float(values.mean()), np.nan, np.nan
    found = statistics.mean_interval(values)
    return found.mean, found.low, found.high


def _blocks(axes: Axes, table: pd.DataFrame, condition: str) -> None:
    if table.empty:
        return
    look = starts.look(condition)
    for _, one in table.groupby("seed"):
        axes.plot(one["block"], one["scale"], color=look["color"], lw=0.6, alpha=0.5)
    means = np.exp2(np.log2(table["scale"]).groupby(table["block"]).mean())
    axes.plot(means.index, means, label=starts.label(condition), **look)


def _unit(quantity: Quantity) -> str:
    return {"%": "% of the spread"}.get(QUANTITIES[quantity][1], QUANTITIES[quantity][1])


def conditioned(table: pd.DataFrame, quantities: Sequence[Quantity]) -> pd.DataFrame:
    """Return epoch 1 of the chapter's table with a column condition, a row per run and seed.

    Of a run and the same run cut short, one is left.
    """
    first = table[table["epoch"] == 1].dropna(subset=list(quantities), how="all")
    starts_of = zip(first["norm"], first["initialization"], strict=True)
    named = first.assign(condition=[condition(str(norm), start) for norm, start in starts_of])
    return named.drop_duplicates(["model", "condition", "seed"], keep="last")
