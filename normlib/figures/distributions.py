"""Source E's histograms of weights and gradients, as densities over all seeds of a condition."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from normlib.analysis.early_updates import pooled, spreads
from normlib.analysis.histograms import Histogram, Kind, Layer, Period, Probed
from normlib.figures import starts, style

#: Of which a panel overlays two: the layer, and the first or last updates.
Where = tuple[Layer, Period]
#: The share of values that a panel shows of a distribution of middling width, and how finely.
SHOWN, CELLS = 0.97, 80


def changes(
    runs: Sequence[Probed], kind: Kind, first: Where, second: Where, *, plan: str, epoch: int = 1
) -> Figure:
    """Draw a panel per condition that overlays two distributions of weights or gradients.

    The horizontal axis of gradients ends between where SHOWN of the one and of the other lie.
    """
    shown = _conditions(runs)
    names = shown or list(starts.CONDITIONS)
    rows = -(-len(names) // 2)
    with style.drawing(1.9 * rows + 0.8, rows, 2, squeeze=False) as (figure, axes):
        for one in axes.flat[len(names) :]:
            one.set_axis_off()
        for one, name in zip(axes.flat, names, strict=False):
            found = [
                pooled(runs, name, epoch, when, layer, kind) for layer, when in (first, second)
            ]
            if None in found:
                style.say_empty(one)
                continue
            edges = _edges([histogram for histogram in found if histogram is not None], kind)
            colour = starts.look(name)["color"]
            for (layer, when), histogram, filled in zip(
                (first, second), found, (True, False), strict=True
            ):
                if histogram is not None:
                    density = histogram.density(edges)
                    said = f"{layer}-{when}"
                    if filled:
                        one.stairs(density, edges, fill=True, color=colour, alpha=0.3, label=said)
                    else:
                        one.stairs(density, edges, color=colour, lw=1.6, label=said)
            _finish(one, starts.label(name), kind)
            one.legend(loc="upper right", fontsize=8)
        starts.sign(figure, _table(runs), plan)
    return figure


def overlaid(runs: Sequence[Probed], where: Where, *, plan: str, epoch: int = 1) -> Figure:
    """Draw the conditions' weights of one layer over each other, and their gradients beside."""
    shown = _conditions(runs)
    kinds: tuple[Kind, ...] = ("weights", "gradients")
    with style.drawing(3.4, 1, 2) as (figure, axes):
        for one, kind in zip(axes, kinds, strict=True):
            layer, when = where
            found = {name: pooled(runs, name, epoch, when, layer, kind) for name in shown}
            there = {name: histogram for name, histogram in found.items() if histogram is not None}
            if not there:
                style.say_empty(one)
                continue
            edges = _edges(list(there.values()), kind)
            for name, histogram in there.items():
                look = {k: v for k, v in starts.look(name).items() if k != "marker"}
                density = histogram.density(edges)
                one.stairs(density, edges, label=starts.label(name), lw=1.6, **look)
            _finish(one, f"{layer}-{when} {kind}", kind)
        starts.legend(figure, shown, axes[0])
        starts.sign(figure, _table(runs), plan)
    return figure


def _conditions(runs: Sequence[Probed]) -> list[str]:
    return [name for name in starts.CONDITIONS if any(run.condition == name for run in runs)]


def _table(runs: Sequence[Probed]) -> pd.DataFrame:
    return spreads(runs)[["condition", "seed"]]


def _edges(found: Sequence[Histogram], kind: Kind) -> np.ndarray:
    """Return cells to where SHOWN of the gradients are within, by geometric mean, or most weights.

    Gradients have far tails, and scales of their own; weights have neither.
    """
    ends = [_end(one) for one in found if one.finite]
    ends = [end for end in ends if end > 0]
    end = float(np.exp(np.mean(np.log(ends)))) if ends else 1.0
    if kind == "weights" and ends:
        end = 1.3 * max(ends)
    return np.linspace(-end, end, CELLS + 1)


def _end(found: Histogram) -> float:
    """Return the size that SHOWN of the values do not exceed."""
    size = np.abs(found.values)
    order = np.argsort(size)
    reached = np.cumsum(found.counts[order])
    return float(size[order][int(np.searchsorted(reached, SHOWN * reached[-1]))])


def _finish(axes: Axes, title: str, kind: Kind) -> None:
    what = "weight" if kind == "weights" else "gradient of the mean loss"
    axes.set(title=title, xlabel=what, ylabel="density")
    axes.set_yticks([])
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.ticklabel_format(axis="x", style="sci", scilimits=(-2, 2))
    axes.set_ylim(bottom=0)
