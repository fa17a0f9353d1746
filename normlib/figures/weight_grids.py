"""Weights of hidden units as images: what the first layer of a network looks at."""

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PatchCollection
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle
from numpy.typing import NDArray

from normlib.figures import style
from normlib.figures.pictures import INK, PIXELS, PictureGridError, sign

#: Inches of the whole figure, so that a phone need not shrink it much.
WIDTH = 6.0
#: Pixels of weights between two units, wide enough for a frame.
GAP = 2
#: The side of a mark in a unit's corner, as a share of the unit's.
CORNER = 0.24
#: The ends of the red-blue scale of ColorBrewer, safe for colour-blind readers, about a pure white;
#: an odd number of levels has one in the middle.
COLOURS = ("#053061", "#2166ac", "#92c5de", "#ffffff", "#f4a582", "#b2182b", "#67001f")
GROUND = "#bdbdbd"
SCALE = LinearSegmentedColormap.from_list("weights", COLOURS, N=255).with_extremes(bad=GROUND)


def weight_grid(
    shown: Mapping[str, NDArray[Any] | None],
    *,
    plan: str,
    order: Mapping[str, NDArray[Any]] | None = None,
    marked: Mapping[str, NDArray[Any]] | None = None,
) -> Figure:
    """Draw the incoming weights of hidden units as images, a panel per run, two in a row.

    Each unit has its own scale, from its largest ``|w|`` in blue over a white zero to that in red:
    units differ too much for a common one, so their sizes cannot be compared here. A unit with a
    weight that is not finite is grey, with a question mark.

    Args:
        shown: (units, height, width) by panel title, or None where no run is recorded.
        plan: Where the runs are from.
        order: By title, the indices of all units in the order to draw them, row by row.
        marked: By title, (units,) of bool, which units to frame as no different from noise; in the
            order of ``shown``.

    Raises:
        PictureGridError: an array has another shape, or ``order`` leaves out or repeats a unit.
    """
    tiles = {title: _units(title, weights) for title, weights in shown.items()}
    orders = _by_title("order", order, tiles)
    marks = _by_title("marked", marked, tiles)
    if not tiles:
        raise PictureGridError("there is no panel to draw; name one in 'shown', with None or not")
    rows = -(-len(tiles) // 2)
    there = [one for one in tiles.values() if one is not None]
    height = rows * (0.47 * WIDTH * max(map(_slenderness, there), default=0.4) + 0.3) + 0.7
    with style.drawing(height, rows, 2, squeeze=False) as (figure, axes):
        figure.set_size_inches(WIDTH, height)
        for one in axes.flat[len(tiles) :]:
            one.set_axis_off()
        for one, (title, units) in zip(axes.flat, tiles.items(), strict=False):
            one.set_title(textwrap.fill(title, 34), pad=4)
            if units is None:
                style.say_empty(one)
            else:
                _weights(one, units, _permutation(title, orders, units), _mask(title, marks, units))
        if there:
            figure.legend(
                handles=_legend(any(panel.collections for panel in axes.flat)),
                loc="outside upper center", ncols=4, columnspacing=1.4, handlelength=1.2,
                fontsize=8.5,
            )  # fmt: skip
        sign(figure, [title for title, units in tiles.items() if units is not None], plan)
    return figure


def _units(title: str, weights: NDArray[Any] | None) -> NDArray[np.float64] | None:
    """Return each unit's weights divided by its largest, or NaN if one is not finite."""
    if weights is None:
        return None
    found = np.asarray(weights, np.float64)
    if found.ndim != 3 or not found.size:
        raise PictureGridError(
            f"weights of {title!r} have the shape {found.shape}; give (units, height, width)"
        )
    largest = np.abs(found).max(axis=(1, 2), keepdims=True)
    usable = np.where(np.isfinite(largest) & (largest > 0), largest, 1.0)
    return np.where(np.isfinite(largest), found, np.nan) / usable


def _by_title(
    what: str, found: Mapping[str, NDArray[Any]] | None, titles: Mapping[str, Any]
) -> dict[str, NDArray[Any]]:
    arrays = {title: np.asarray(one) for title, one in (found or {}).items()}
    if unknown := [title for title in arrays if title not in titles]:
        raise PictureGridError(f"{what!r} names {unknown}, and the panels are {list(titles)}")
    return arrays


def _permutation(
    title: str, orders: Mapping[str, NDArray[Any]], units: NDArray[np.float64]
) -> NDArray[Any]:
    order = orders.get(title, np.arange(len(units)))
    whole = np.issubdtype(order.dtype, np.integer) and order.ndim == 1
    if not whole or not np.array_equal(np.sort(order), np.arange(len(units))):
        raise PictureGridError(
            f"the order of {title!r} is not one of its {len(units)} units; "
            f"give each index from 0 to {len(units) - 1} once, as numpy.argsort does"
        )
    return order


def _mask(
    title: str, marks: Mapping[str, NDArray[Any]], units: NDArray[np.float64]
) -> NDArray[np.bool_]:
    mask = marks.get(title, np.zeros(len(units), np.bool_))
    if mask.shape != (len(units),) or mask.dtype != np.bool_:
        raise PictureGridError(
            f"marks of {title!r} are {mask.dtype} of shape {mask.shape}; "
            f"give a bool for each of its {len(units)} units"
        )
    return mask


def _across(units: int) -> int:
    """Return how many units stand side by side, so that rows and columns are about as many."""
    return int(np.ceil(np.sqrt(units)))


def _slenderness(units: NDArray[np.float64]) -> float:
    """Return the height of a grid of units by its width."""
    count, h, w = units.shape
    n = _across(count)
    return float(-(-count // n) * h / (n * w))


def _weights(
    axes: Axes, units: NDArray[np.float64], order: NDArray[Any], marked: NDArray[np.bool_]
) -> None:
    count, h, w = units.shape
    n = _across(count)
    mosaic = np.full((-(-count // n) * (h + GAP) + GAP, n * (w + GAP) + GAP), np.nan)
    corners = [(GAP + i % n * (w + GAP), GAP + i // n * (h + GAP)) for i in range(count)]
    for (x, y), unit in zip(corners, units[order], strict=True):
        mosaic[y : y + h, x : x + w] = unit
        if np.isnan(unit).any():
            axes.text(x + w / 2 - 0.5, y + h / 2 - 0.5, "?", ha="center", va="center")
    axes.imshow(mosaic, cmap=SCALE, vmin=-1, vmax=1, **PIXELS)
    _frame(axes, [corners[i] for i in np.flatnonzero(marked[order])], h, w)
    axes.set_axis_off()


def _frame(axes: Axes, corners: Sequence[tuple[int, int]], h: int, w: int) -> None:
    """Put a thin frame around units and a cross into their corner: not by colour alone."""
    side = CORNER * min(h, w)
    frames, boxes, crosses = [], [], []
    for x, y in corners:
        left, top = x - 0.5, y - 0.5  # of the first pixel, whose centre is at (x, y)
        frames.append(Rectangle((left - GAP / 2, top - GAP / 2), w + GAP, h + GAP))
        boxes.append(Rectangle((left, top), side, side))
        near, far = 0.2 * side, 0.8 * side
        crosses.append([(left + near, top + near), (left + far, top + far)])
        crosses.append([(left + near, top + far), (left + far, top + near)])
    if corners:
        axes.add_collection(PatchCollection(boxes, facecolor="white", edgecolor="none", zorder=3))
        axes.add_collection(
            PatchCollection(frames, facecolor="none", edgecolor=INK, lw=1, zorder=4)
        )
        axes.add_collection(LineCollection(crosses, colors=INK, linewidths=0.9, zorder=5))


def _legend(marked: bool) -> list[Artist]:
    handles: list[Artist] = [
        Patch(facecolor=SCALE(level), edgecolor="#777777", linewidth=0.6, label=said)
        for level, said in ((0, "−max |w| of the unit"), (127, "0"), (254, "+max |w| of the unit"))
    ]
    if marked:
        handles.append(
            Line2D([], [], linestyle="", marker="$\u2612$", markersize=8, color=INK, mew=0,
                   label="no different from noise")
        )  # fmt: skip
    return handles
