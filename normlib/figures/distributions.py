"""Source E's histograms of weights and gradients, as densities over all seeds of a condition."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullLocator

from normlib.analysis.early_updates import pooled, spreads
from normlib.analysis.histograms import Histogram, Kind, Layer, Period, Probed
from normlib.figures import starts, style

#: Of which a panel overlays two: the layer, and the first or last updates.
Where = tuple[Layer, Period]
#: The share of values that a panel shows of its widest distribution.
SHOWN = 0.97
#: In how many cells; those of gradients are of very different widths.
CELLS: dict[Kind, int] = {"weights": 80, "gradients": 160}
#: Densities of gradients are shown down to this share of the highest.
LOWEST = 1e-4


def changes(
    runs: Sequence[Probed],
    kind: Kind,
    first: Where,
    second: Where,
    *,
    plans: Sequence[str],
) -> Figure:
    """Draw a panel per condition that overlays two distributions of weights or gradients, epoch 1.

    Densities of gradients are on a logarithmic scale.
    """
    shown = _conditions(runs)
    names = shown or list(starts.CONDITIONS)
    rows = -(-len(names) // 2)
    with style.drawing(1.9 * rows + 0.8, rows, 2, squeeze=False) as (figure, axes):
        for one in axes.flat[len(names) :]:
            one.set_axis_off()
        for one, name in zip(axes.flat, names, strict=False):
            found = [pooled(runs, name, 1, when, layer, kind) for layer, when in (first, second)]
            there = [histogram for histogram in found if histogram is not None]
            if len(there) < len(found):
                style.say_empty(one)
                continue
            edges, colour = _edges(there, kind), starts.look(name)["color"]
            looks = {"fill": True, "color": colour, "alpha": 0.3}, {"color": colour, "lw": 1.6}
            for (layer, when), histogram, look in zip((first, second), there, looks, strict=True):
                _outline(one, histogram, edges, kind, label=f"{layer}-{when}", **look)
            _finish(one, starts.label(name), kind)
            one.legend(loc="upper right", fontsize=8)
        starts.sign(figure, _table(runs), plans)
    return figure


def overlaid(runs: Sequence[Probed], where: Where, *, plans: Sequence[str]) -> Figure:
    """Draw the weights of one layer in epoch 1, conditions overlaid, and the gradients beside."""
    shown = _conditions(runs)
    kinds: tuple[Kind, ...] = ("weights", "gradients")
    with style.drawing(3.4, 1, 2) as (figure, axes):
        for one, kind in zip(axes, kinds, strict=True):
            layer, when = where
            found = {name: pooled(runs, name, 1, when, layer, kind) for name in shown}
            there = {name: histogram for name, histogram in found.items() if histogram is not None}
            if not there:
                style.say_empty(one)
                continue
            edges = _edges(list(there.values()), kind)
            for name, histogram in there.items():
                look = {k: v for k, v in starts.look(name).items() if k != "marker"}
                _outline(one, histogram, edges, kind, label=starts.label(name), lw=1.6, **look)
            _finish(one, f"{layer}-{when} {kind}", kind)
        starts.legend(figure, shown, axes[0])
        starts.sign(figure, _table(runs), plans)
    return figure


def _conditions(runs: Sequence[Probed]) -> list[str]:
    return [name for name in starts.CONDITIONS if any(run.condition == name for run in runs)]


def _table(runs: Sequence[Probed]) -> pd.DataFrame:
    return spreads(runs)[["condition", "seed"]]


def _edges(found: Sequence[Histogram], kind: Kind) -> np.ndarray:
    """Return cells to where SHOWN of the widest distribution are within, of weights nearly all.

    Gradients have far tails, weights have none.
    """
    end = max((_end(one) for one in found if one.finite), default=0.0) or 1.0
    end *= 1.3 if kind == "weights" else 1.0
    return np.linspace(-end, end, CELLS[kind] + 1)


def _end(found: Histogram) -> float:
    """Return the size that SHOWN of the values do not exceed."""
    size = np.abs(found.values)
    order = np.argsort(size)
    reached = np.cumsum(found.counts[order])
    return float(size[order][int(np.searchsorted(reached, SHOWN * reached[-1]))])


def _outline(axes: Axes, histogram: Histogram, edges: np.ndarray, kind: Kind, **look: Any) -> None:
    """Draw a density; that of gradients from LOWEST of its highest point on, for a log scale."""
    density = histogram.density(edges)
    lowest = LOWEST * float(np.nanmax(density, initial=0.0)) if kind == "gradients" else 0.0
    baseline = lowest if look.get("fill") else None  # an outline has no sides
    axes.stairs(np.maximum(density, lowest), edges, baseline=baseline, **look)


def _finish(axes: Axes, title: str, kind: Kind) -> None:
    what = "weight" if kind == "weights" else "gradient of the mean loss"
    axes.set(title=title, xlabel=what, ylabel="density")
    if kind == "gradients":  # a narrow peak would hide how far the tails reach
        axes.set_yscale("log")
        axes.set_ylabel("density (log)")
    else:
        axes.set_ylim(bottom=0)
    axes.yaxis.set_major_locator(NullLocator())
    axes.yaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.ticklabel_format(axis="x", style="sci", scilimits=(-2, 2))
