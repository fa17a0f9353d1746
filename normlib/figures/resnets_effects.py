"""Effects with intervals, a panel per effect and a row per place, and the source's as crosses."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from normlib.analysis.contrasts import network
from normlib.figures import palette, style
from normlib.figures.resnets import drawing, sign, signature

#: Inches per row.
ROW = 0.3
#: Part of a row by which the source's cross stands below our point.
BELOW = 0.3
INK = "#333333"


def effects(
    found: pd.DataFrame,
    reported: pd.DataFrame,
    by: str,
    *,
    plan: str,
    margin: float | None = None,
) -> Figure:
    """Draw ``found`` with its 95% intervals, the values of ``reported`` as crosses.

    All panels have one scale. Both tables have the column ``by``, a panel for each of its values,
    and model, perhaps batch_size, n, mean, low, high. A point of fewer than three seeds has no
    interval and is hollow. The source's crosses stand a little below their row.

    Args:
        found: ``analysis.ablation.factorial``'s or ``between_batches``'s, of our runs.
        reported: The same of the source.
        by: ``effect`` or ``norm``.
        plan: Where the runs come from.
        margin: Half the width of a grey band around 0, in points.
    """
    panels = list(dict.fromkeys(found[by]))
    places = list(dict.fromkeys(_place(row) for _, row in found.iterrows()))
    height = 1.5 + ROW * max(4, len(places))
    with drawing(height, 1, max(1, len(panels)), sharex=True, sharey=True) as (figure, axes):
        for one, panel in zip(axes.flat, panels, strict=False):
            style.rows(one, places)
            if margin is not None:
                one.axvspan(-margin, margin, color="#e8e8e8", lw=0)
            one.axvline(0, color="black", lw=1)
            for _, row in reported[reported[by] == panel].iterrows():
                if _place(row) in places:
                    _cross(one, row["mean"], places.index(_place(row)))
            own = found[found[by] == panel]
            for _, row in own[own["n"] > 0].iterrows():
                _point(one, places.index(_place(row)), row, panel)
            one.set(title=palette.label(panel), xlabel="points")
        if panels:
            _legend(figure, "mean, 95% interval")
            sign(figure, signature(found, plan))
        else:
            style.say_empty(axes[0, 0])
            sign(figure, f"Runs: plan {plan}; one batch size only.")
    return figure


def predictions(predicted: pd.DataFrame, networks: list[str], *, plan: str) -> Figure:
    """Draw our 95% prediction intervals for a new mean like the source's, a panel per network.

    Args:
        predicted: ``claims.source_e.reported.predicted``'s.
        networks: Which, two panels to a row.
        plan: Where the runs come from.
    """
    rows, columns = -(-len(networks) // 2), min(2, len(networks))
    count = int(predicted.groupby("model").size().max())
    height = (0.8 + ROW * count) * rows + 0.6
    with drawing(height, rows, columns, sharex=True, sharey=True) as (figure, axes):
        for one, model in zip(axes.flat, networks, strict=False):
            here = predicted[predicted["model"] == model].reset_index(drop=True)
            style.rows(one, [f"{palette.label(r['norm'])}, batch {r['batch_size']}"
                             for _, r in here.iterrows()])  # fmt: skip
            for place, row in here.iterrows():
                _cross(one, row["reported"], int(str(place)))
                limits = row.rename({"new_low": "low", "new_high": "high"})
                if row["n"]:
                    _point(one, int(str(place)), limits, row["norm"])
            one.set_title(network(model))
        for one in axes[-1]:
            one.set_xlabel("test accuracy (%)")
        for one in axes.flat[len(networks) :]:
            one.set_axis_off()
        _legend(figure, "mean, 95% prediction interval")
        sign(figure, signature(predicted[predicted["model"].isin(networks)], plan))
    return figure


def _place(row: pd.Series) -> str:
    named = network(row["model"])
    return f"{named}, batch {row['batch_size']}" if "batch_size" in row else named


def _point(axes: Axes, place: int, row: pd.Series, panel: str) -> None:
    known = panel in palette.COLOURS
    colour = palette.colour(panel) if known else INK
    axes.plot([row["low"], row["high"]], [place, place], color=colour)
    axes.plot(
        row["mean"],
        place,
        marker=palette.marker(panel) if known else "o",
        markersize=6.5,
        color=colour,
        markerfacecolor="white" if pd.isna(row["low"]) else colour,
    )


def _cross(axes: Axes, x: float, place: int) -> None:
    # A little below its row, or it would hide the point that it agrees with.
    axes.plot(x, place + BELOW, marker="x", color="black", markersize=5, linestyle="")


def _legend(figure: Figure, ours: str) -> None:
    axes = figure.axes[0]
    axes.plot([], [], color=INK, marker="o", label=f"our runs: {ours}")
    axes.plot([], [], color="black", marker="x", linestyle="", label="source E")
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=2)
