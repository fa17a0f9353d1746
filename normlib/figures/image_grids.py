"""Images in a grid, a row per class and a column per condition: hallucinations side by side."""

import textwrap
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from normlib.figures import style
from normlib.figures.pictures import INK, PIXELS, PictureGridError, sign

#: Inches: an image and what is between two; the line of a note; the names at the left and on top.
IMAGE, BETWEEN, NOTE, LEFT, TOP = 0.78, 0.05, 0.15, 0.95, 0.6


def image_grid(
    columns: Sequence[str],
    rows: Sequence[str],
    images: NDArray[Any] | Sequence[Sequence[NDArray[Any] | None]],
    *,
    plan: str,
    notes: Sequence[Sequence[str]] | NDArray[Any] | None = None,
) -> Figure:
    """Draw an image per class (row) and condition (column), such as hallucinations.

    Args:
        columns: Names of the conditions.
        rows: Names of the classes.
        images: (rows, columns, C, H, W) of uint8, C 1 or 3; where no run is recorded None, or NaN
            in an array of floats.
        plan: Where the runs are from.
        notes: (rows, columns), a short text below each image.

    Raises:
        PictureGridError: images or notes have another shape, or values are not whole in 0 to 255.
    """
    cells = _cells(columns, rows, images)
    said = None if notes is None else [[str(one) for one in row] for row in notes]
    if said is not None:
        _fits("notes", said, len(rows), len(columns))
    h, w = next((one.shape[:2] for row in cells for one in row if one is not None), (32, 32))
    # All in pixels of the images, of which `inch` make an inch.
    inch = max(h, w) / IMAGE
    dx, gap = w + round(BETWEEN * inch), round((BETWEEN if said is None else NOTE) * inch)
    dy = h + max(gap, 1)
    mosaic = np.zeros((len(rows) * dy, len(columns) * dx, 4), np.uint8)
    width = max(3.0, LEFT + mosaic.shape[1] / inch)
    height = mosaic.shape[0] / inch + TOP
    with style.drawing(height) as (figure, axes):
        figure.set_size_inches(width, height)
        for r, row in enumerate(cells):
            for c, one in enumerate(row):
                place = mosaic[r * dy : r * dy + h, c * dx : c * dx + w]
                place[..., 3] = 255
                place[..., :3] = 0xE0 if one is None else one
                x, y = c * dx + w / 2 - 0.5, r * dy + h - 0.5
                if one is None:
                    axes.text(x, y - h / 2, "no run", ha="center", va="center", fontsize=8)
                elif said is not None:
                    axes.annotate(said[r][c], (x, y), (0, -1.5), textcoords="offset points",
                                  ha="center", va="top", fontsize=8, color=INK)  # fmt: skip
        axes.imshow(mosaic, **PIXELS)
        axes.set_anchor("NW")  # so that the layout sees how far the names reach
        fits = int(dx / inch * 72 / 5.2)
        titles = [textwrap.fill(name, fits) for name in columns]
        axes.set_xticks([c * dx + w / 2 - 0.5 for c in range(len(columns))], titles)
        names = [textwrap.fill(name, 14) for name in rows]
        axes.set_yticks([r * dy + h / 2 - 0.5 for r in range(len(rows))], names)
        axes.tick_params(length=0, labelsize=9, pad=3, labeltop=True, labelbottom=False)
        axes.grid(visible=False)
        axes.spines[:].set_visible(False)
        found = [any(row[c] is not None for row in cells) for c in range(len(columns))]
        sign(figure, [name for name, one in zip(columns, found, strict=True) if one], plan)
    return figure


def _cells(
    columns: Sequence[str], rows: Sequence[str], images: Any
) -> list[list[NDArray[np.uint8] | None]]:
    """Return each image as (H, W, 3), and None where there is no run."""
    _fits("images", images, len(rows), len(columns))
    found = [[_image(f"{r}, {c}", one) for c, one in zip(columns, row, strict=True)]
             for r, row in zip(rows, images, strict=True)]  # fmt: skip
    shapes = {one.shape[:2] for row in found for one in row if one is not None}
    if len(shapes) > 1:
        raise PictureGridError(f"images are of several sizes, {sorted(shapes)}; give one size")
    return found


def _image(where: str, image: Any) -> NDArray[np.uint8] | None:
    if image is None:
        return None
    values = np.asarray(image)
    if values.ndim != 3 or values.shape[0] not in (1, 3) or not values.size:
        raise PictureGridError(
            f"the image of {where!r} has the shape {values.shape}; give (C, H, W) with C 1 or 3"
        )
    if np.isnan(values).all():
        return None
    if not ((values >= 0) & (values <= 255) & (values == np.round(values))).all():
        raise PictureGridError(
            f"the image of {where!r} has values that are not whole numbers from 0 to 255, "
            f"from {values.min():g} to {values.max():g}; give uint8"
        )
    pixels = np.moveaxis(values, 0, -1).astype(np.uint8)
    return np.broadcast_to(pixels, (*pixels.shape[:2], 3))


def _fits(what: str, found: Any, rows: int, columns: int) -> None:
    if not rows or not columns:
        raise PictureGridError(f"a grid of {rows} rows and {columns} columns is empty; name some")
    lengths = [len(row) for row in found]
    if lengths != [columns] * rows:
        raise PictureGridError(
            f"{what} have {len(lengths)} rows of lengths {sorted(set(lengths))}; "
            f"give {rows} rows of {columns}, one for each name"
        )
