"""How far every method is from other implementations: methods as rows, quantities as columns."""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from normlib.figures import families, palette, powers, style

#: Inches: narrow, so that a phone need not shrink it much; a row; what is above and below them.
WIDTH, ROW, REST = 4.4, 0.19, 2.2
DOT: dict[str, Any] = {"marker": "o", "markersize": 2.6, "color": "black", "linestyle": ""}


def agreement(
    worst: pd.DataFrame,
    family: Mapping[str, str],
    peers: Mapping[str, str],
    quantities: Mapping[str, str],
    *,
    source: str,
) -> Figure:
    """Draw the power of ten of each largest error, a panel per peer; a box where out of bounds.

    Args:
        worst: One row per method, peer and quantity: those and ``error``, ``bound`` (the widest
            is written beside the quantity), ``excess`` (the error over its own bound) and
            ``stated`` (marked by a dot). A missing pair stays empty.
        family: Of each method: its rows stand together, and its colour is that of their names.
        peers: Names in ``worst`` and titles, from left to right.
        quantities: Names in ``worst`` and labels, from left to right.
        source: What the figure was drawn from.
    """
    order = families.ordered(family.values())
    met = set(worst["method"])
    methods = sorted((m for m in family if m in met), key=lambda m: order.index(family[m]))
    height = ROW * len(methods) + REST
    with style.drawing(height, 1, len(peers), sharey=True) as (figure, axes):
        figure.set_size_inches(WIDTH, height)
        panels = np.atleast_1d(axes)
        for one, (peer, title) in zip(panels, peers.items(), strict=True):
            mine = worst[worst["peer"] == peer]
            _panel(one, mine, methods, list(quantities))
            for below, (above, method) in enumerate(pairwise(methods), 1):
                if family[above] != family[method]:
                    one.axhline(below - 0.5, color="#999999", lw=0.8)
            one.set_title(f"beside {title}", fontsize=10)
            widest = mine.groupby("quantity")["bound"].max()
            one.set_xticks(
                range(len(quantities)),
                [_bounded(label, widest.get(name)) for name, label in quantities.items()],
                rotation=90,
            )
            one.tick_params(length=0, labelsize=8.5, pad=3, labeltop=True, labelbottom=False)
            one.spines[:].set_visible(False)
        panels[0].set_yticks(range(len(methods)), [palette.label(method) for method in methods])
        for label, method in zip(panels[0].get_yticklabels(), methods, strict=True):
            label.set_color(families.colour(family[method]))
        figure.legend(handles=_legend(), loc="outside upper left", ncols=2, handletextpad=0.5)
        style.name(figure, source, 72)
    return figure


def _panel(axes: Axes, worst: pd.DataFrame, methods: list[str], quantities: list[str]) -> None:
    errors = np.full((len(methods), len(quantities)), np.nan)
    outside = np.zeros(errors.shape, bool)
    for _, row in worst.iterrows():
        place = methods.index(row["method"]), quantities.index(row["quantity"])
        errors[place], outside[place] = row["error"], row["excess"] > 1
        if row["stated"]:
            axes.plot(place[1] + 0.38, place[0] - 0.28, **DOT)
    powers.cells(axes, errors, outside, size=7.5)


def _bounded(label: str, bound: float | None) -> str:
    """The bounds are powers of ten."""
    return label if bound is None else f"{label} ({round(np.log10(bound))})".replace("-", "−")


def _legend() -> list[Line2D | Patch]:
    return [
        Line2D([], [], label="a stated backward", **DOT),
        Patch(label="out of bounds", **powers.BOX),
    ]
