"""The bar chart of source E's Figure 5: every method in every network, at its better batch size."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

from normlib.analysis.ablation import METHODS
from normlib.analysis.contrasts import network
from normlib.analysis.outcome import CHANCE
from normlib.figures import palette
from normlib.figures.resnets import drawing, sign, signature

WIDTH = 0.2
#: White with a black edge, to be seen on a bar and beside it.
_THEIRS: dict[str, Any] = {
    "color": "white",
    "lw": 0.9,
    "path_effects": [withStroke(linewidth=2.2, foreground="black")],
}


def bars(
    better: pd.DataFrame,
    reported: pd.DataFrame,
    cells: pd.DataFrame,
    networks: Sequence[str],
    *,
    plan: str,
) -> Figure:
    """Draw our means as bars with 95% intervals, the source's numbers as white ones across.

    The batch size that was better stands at the foot of each bar. Bars start at 0.

    Args:
        better: ``analysis.ablation.better_batches`` of our cells.
        reported: The same of the source's.
        cells: ``analysis.ablation.cells`` of ours, for the seeds that the figure names.
        networks: Which, in this order.
        plan: Where the runs come from.
    """
    with drawing(4.4) as (figure, ((axes,),)):
        for place, model in enumerate(networks):
            for offset, norm in zip(np.linspace(-1.5, 1.5, 4) * WIDTH, METHODS, strict=True):
                ours = better[(better["model"] == model) & (better["norm"] == norm)]
                theirs = reported[(reported["model"] == model) & (reported["norm"] == norm)]
                _bar(axes, place + offset, norm, ours, theirs)
        axes.axhline(100 * CHANCE, color="#666666", lw=0.9, linestyle=":", zorder=3)
        axes.set_xticks(range(len(networks)), [network(model) for model in networks])
        axes.set(ylim=(0, 100), ylabel="test accuracy (%)", xlim=(-0.6, len(networks) - 0.4))
        axes.grid(axis="x", visible=False)
        _legend(figure, axes)
        sign(figure, signature(cells, plan))
    return figure


def _bar(axes: Axes, x: float, norm: str, ours: pd.DataFrame, theirs: pd.DataFrame) -> None:
    for _, row in ours.iterrows():
        axes.bar(x, row["mean"], WIDTH * 0.92, color=palette.colour(norm))
        axes.plot([x, x], [row["low"], row["high"]], color="black", lw=1.2)
        axes.text(x, 2, str(row["batch_size"]), ha="center", color="white", fontsize=7.5)
    for _, row in theirs.iterrows():
        half = WIDTH * 0.46
        axes.plot([x - half, x + half], [row["mean"]] * 2, **_THEIRS)


def _legend(figure: Figure, axes: Axes) -> None:
    for norm in METHODS:
        axes.bar(0, 0, color=palette.colour(norm), label=palette.label(norm))
    axes.plot([], [], label="source E", **_THEIRS)
    axes.plot([], [], color="#666666", lw=0.9, linestyle=":", label="chance")
    handles, labels = axes.get_legend_handles_labels()
    order = [*range(2, len(handles)), 0, 1]
    figure.legend(
        [handles[i] for i in order],
        [labels[i] for i in order],
        loc="outside upper center",
        ncols=3,
    )
