"""Activations after each method: what became equal among channels and images, and what not."""

import textwrap
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from numpy.typing import NDArray

from normlib.analysis.activations import words
from normlib.figures import families, style

#: Inches: narrow, so that a phone need not shrink it much; one row of bars, one of images.
WIDTH, ROW, IMAGE = 5.0, 0.98, 0.72
GREY = "#a3a3a3"
#: What the values are taken of, and its words.
PARTS = {"channel": "each channel", "sample": "each image"}
PAIRS = "channel pairs"
#: Largest value on the scale of colours.
BRIGHTEST = 3.0


def distributions(
    slices: pd.DataFrame,
    equalized: pd.DataFrame,
    correlations: pd.DataFrame,
    looks: pd.DataFrame,
    *,
    source: str,
) -> Figure:
    """Draw, a row per method, the values of each channel and of each image, and the correlations.

    A thick bar is mean ± standard deviation, a thin one reaches from the 1st to the 99th
    percentile. Bars are coloured, and words say in what, where channels or images became equal.
    Channels and images are in the same order in all rows: by their mean in the first. Squares
    are the sizes of the correlations of channels, from white (0, or of a constant channel) to black
    (1).

    Args:
        slices: ``analysis.activations.slices``.
        equalized: ``analysis.activations.equalized`` of it.
        correlations: ``analysis.activations.correlations``.
        looks: name, title and family of the methods to draw, in this order.
        source: What the figure was drawn from.
    """
    names = looks["name"].tolist()
    shown = slices[slices["name"].isin(names)]
    first = shown[shown["name"] == names[0]].sort_values("mean")
    orders = {by: first.loc[first["by"] == by, "index"].tolist() for by in PARTS}
    limits = _limits(shown)
    height = ROW * len(names) + 0.5
    with style.drawing(height, len(names), 3, squeeze=False, width_ratios=(1.5, 1.15, 0.55)) as (
        figure,
        axes,
    ):
        _tighten(figure, height)
        for row, (_, look) in zip(axes, looks.iterrows(), strict=True):
            name, family = look["name"], look["family"]
            for one, by in zip(row, PARTS, strict=False):
                mine = shown[(shown["name"] == name) & (shown["by"] == by)]
                found = equalized[(equalized["name"] == name) & (equalized["by"] == by)]
                equal = found.loc[found["equal"], "statistic"].tolist()
                _bars(one, mine.set_index("index").loc[orders[by]], equal, family)
                one.set_ylim(limits)
            row[0].set_title(look["title"], loc="left", fontsize=9.5, fontweight="bold", pad=2)
            _square(row[2], correlations[correlations["name"] == name], orders["channel"])
        for one, part in zip(axes[-1], (*PARTS.values(), PAIRS), strict=True):
            one.set_xlabel(part, fontsize=9)
        for one, part in zip(axes[0], PARTS.values(), strict=False):
            one.text(0.99, 0.03, part, transform=one.transAxes, ha="right", fontsize=8,
                     fontstyle="italic", color="#555555")  # fmt: skip
        axes[0, 2].set_title(PAIRS, fontsize=8, fontstyle="italic", color="#555555", pad=2)
        style.name(figure, source, 84)
    return figure


def maps(
    values: Mapping[str, NDArray[np.float64]],
    looks: pd.DataFrame,
    channels: Sequence[int],
    images: Sequence[int],
    *,
    source: str,
) -> Figure:
    """Draw the same feature maps after each method, a row per method, on one scale of colours.

    Args:
        values: (N, C, H, W) by method.
        looks: name, title and family of the methods to draw, in this order.
        channels: Which channels, side by side within an image.
        images: Which images.
        source: What the figure was drawn from.
    """
    height = IMAGE * len(looks) + 1.0
    columns = [(n, c) for n in images for c in channels]
    with style.drawing(height, len(looks), len(columns), squeeze=False) as (figure, axes):
        _tighten(figure, height)
        for row, (_, look) in zip(axes, looks.iterrows(), strict=True):
            for one, (n, c) in zip(row, columns, strict=True):
                drawn = one.imshow(
                    values[look["name"]][n, c], cmap="PuOr_r", vmin=-BRIGHTEST, vmax=BRIGHTEST
                )
                _bare(one)
            row[0].set_ylabel(textwrap.fill(look["title"], 14), rotation=0, ha="right",
                              va="center", fontsize=9)  # fmt: skip
        for one, (n, c) in zip(axes[0], columns, strict=True):
            one.set_title(
                f"image {images.index(n) + 1}\nfilter {channels.index(c) + 1}", fontsize=8
            )
        bar = figure.colorbar(drawn, ax=axes, location="bottom", shrink=0.6, aspect=40, pad=0.01)
        bar.ax.tick_params(labelsize=8)
        bar.outline.set_visible(False)
        style.name(figure, source, 84)
    return figure


def _limits(shown: pd.DataFrame) -> tuple[float, float]:
    """Return limits that hold every bar and nearly every whisker, with room for words above."""
    low = min((shown["mean"] - shown["spread"]).min(), shown["low"].quantile(0.05))
    high = max((shown["mean"] + shown["spread"]).max(), shown["high"].quantile(0.95))
    return low - 0.2, high + 0.28 * (high - low)


def _bars(axes: Axes, found: pd.DataFrame, equal: list[str], family: str) -> None:
    colour = families.colour(family) if equal else GREY
    places = range(len(found))
    axes.axhline(0, color="#444444", lw=0.7, zorder=1)
    axes.vlines(places, found["low"], found["high"], color=colour, lw=0.8)
    low, high = found["mean"] - found["spread"], found["mean"] + found["spread"]
    axes.vlines(places, low, high, color=colour, lw=4.2)
    axes.plot(places, found["mean"], linestyle="", marker="o", markersize=2.6, color="white",
              markeredgecolor="black", markeredgewidth=0.6)  # fmt: skip
    said = f"equal {words(equal)}" if equal else ""
    axes.text(0.01, 0.98, said, transform=axes.transAxes, va="top", fontsize=7.5,
              color=colour, fontweight="bold")  # fmt: skip
    axes.set_xticks([])
    axes.set_yticks([-4, -2, 0, 2, 4], ["−4", "", "0", "", "4"])
    axes.tick_params(labelsize=7.5, length=0)


def _square(axes: Axes, correlations: pd.DataFrame, order: list[int]) -> None:
    table = correlations.pivot(index="first", columns="second", values="r")
    axes.imshow(table.abs().loc[order, order].to_numpy(), cmap="Greys", vmin=0, vmax=1)
    _bare(axes)
    axes.spines[:].set(visible=True, color="#bbbbbb")


def _bare(axes: Axes) -> None:
    axes.set_xticks([])
    axes.set_yticks([])
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)


def _tighten(figure: Figure, height: float) -> None:
    figure.set_size_inches(WIDTH, height)
    engine = figure.get_layout_engine()
    if isinstance(engine, ConstrainedLayoutEngine):
        engine.set(h_pad=0.01, w_pad=0.01, hspace=0.02, wspace=0.02)
