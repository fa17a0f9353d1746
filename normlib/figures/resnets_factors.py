"""Normalizing crossed with re-scaling: the four means of each network, joined by lines."""

from collections.abc import Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from normlib.analysis.contrasts import network
from normlib.figures import palette
from normlib.figures.resnets import drawing, look, sign, signature

#: From not normalized to normalized: with re-scaling, and without.
LINES = {"re-scaled": ("affine", "batch"), "not re-scaled": ("none", "batch-minus")}
STROKES = {"re-scaled": "-", "not re-scaled": "--"}


def crossing(
    cells: pd.DataFrame,
    networks: Sequence[str],
    batch_sizes: Sequence[int],
    *,
    plan: str,
    reported: pd.DataFrame,
) -> Figure:
    """Draw a panel per batch size and network, with 95% intervals; the source's means are thin.

    Two parallel lines: normalizing gains the same with re-scaling and without.

    Args:
        cells: ``analysis.ablation.cells`` of our runs.
        networks: A column of panels each.
        batch_sizes: A row of panels each.
        plan: Where the runs come from.
        reported: ``cells`` of the source.
    """
    size = (2.15 * len(batch_sizes) + 1.3, len(batch_sizes), len(networks))
    with drawing(*size, sharex=True, sharey=True) as (figure, axes):
        for row, batch_size in zip(axes, batch_sizes, strict=True):
            for one, model in zip(row, networks, strict=True):
                _panel(one, _of(reported, model, batch_size), ours=False)
                _panel(one, _of(cells, model, batch_size), ours=True)
                one.set_title(network(model), fontsize=10)
            row[0].set_ylabel(f"batch {batch_size}: test accuracy (%)", fontsize=9)
        for one in axes.flat:
            one.set_xticks([0, 1], ["not", "normalized"], fontsize=8.5)
            one.set_xlim(-0.35, 1.35)
        _legend(figure)
        sign(figure, signature(cells, plan))
    return figure


def _of(table: pd.DataFrame, model: str, batch_size: int) -> pd.DataFrame:
    return table[(table["model"] == model) & (table["batch_size"] == batch_size)].set_index("norm")


def _panel(axes: Axes, found: pd.DataFrame, *, ours: bool) -> None:
    for words, norms in LINES.items():
        here = found.reindex(list(norms))
        if not ours:
            axes.plot([0, 1], here["mean"], color="#b0b0b0", lw=0.9, linestyle=STROKES[words])
            continue
        axes.plot([0, 1], here["mean"], color="#333333", lw=1.3, linestyle=STROKES[words])
        for place, (norm, row) in enumerate(here.iterrows()):
            colour = palette.colour(str(norm))
            axes.plot([place, place], [row["low"], row["high"]], color=colour, lw=1.6)
            axes.plot(place, row["mean"], marker=palette.marker(str(norm)), markersize=7,
                      color=colour, linestyle="")  # fmt: skip


def _legend(figure: Figure) -> None:
    axes = figure.axes[0]
    for norm in ("none", "affine", "batch-minus", "batch"):
        axes.plot([], [], **look(norm) | {"linestyle": ""}, label=palette.label(norm))
    for words, stroke in STROKES.items():
        axes.plot([], [], color="#333333", lw=1.3, linestyle=stroke, label=words)
    axes.plot([], [], color="#b0b0b0", lw=0.9, label="source E")
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=4)
