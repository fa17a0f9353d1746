"""Who is invariant to what: methods as rows, transformations as columns, measured and declared."""

import textwrap
from string import ascii_lowercase
from typing import Any

import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle

from normlib.figures import families, style

#: Inches: narrow, so that a phone need not shrink it much; one line of text; a column.
WIDTH, LINE, COLUMN = 4.4, 0.19, 0.27
INK, PALE, LOUD = "#222222", "#8a8a8a", "#d7191c"
INVARIANT: dict[str, Any] = {"marker": "o", "markersize": 8.5, "zorder": 4}
VARIANT: dict[str, Any] = {"marker": "_", "markersize": 6, "markeredgewidth": 1.2, "color": PALE,
                           "zorder": 4}  # fmt: skip
WRONG: dict[str, Any] = {"facecolor": "#ffef9e", "edgecolor": LOUD, "linewidth": 2.2}


def invariances(rows: pd.DataFrame, *, source: str) -> Figure:
    """Draw a disc where a transformation leaves the output as it was, and a dash where it does not.

    A red box with an exclamation mark is put around a cell whose measurement is not what the
    catalogue declares.

    Args:
        rows: One per method and transformation: method, title, family, transformation, invariant
            (as measured), declared. A missing pair stays empty.
        source: What the figure was drawn from.
    """
    transformations = list(dict.fromkeys(rows["transformation"]))
    letters = dict(zip(transformations, ascii_lowercase, strict=False))
    places, headings, depth = _places(rows)
    height = LINE * depth + 2.5
    with style.drawing(height) as (figure, axes):
        figure.set_size_inches(WIDTH, height)
        for column in range(0, len(transformations), 2):
            axes.axvspan(column - 0.5, column + 0.5, color="#f3f3f3", lw=0, zorder=0)
        for family, place in headings.items():
            _heading(axes, family, place, list(letters.values()))
        for _, row in rows.iterrows():
            _cell(axes, transformations.index(row["transformation"]), places[row["method"]], row)
        titles = rows.drop_duplicates("method").set_index("method")["title"]
        axes.set_yticks(
            [places[method] for method in titles.index],
            [_wrapped(title) for title in titles],
            linespacing=1.05,
        )
        axes.set_xticks(
            range(len(transformations)),
            [f"{letters[one]}  {one}" for one in transformations],
            rotation=60,
            ha="left",
            rotation_mode="anchor",
        )
        axes.set(xlim=(-0.5, len(transformations) - 0.5), ylim=(depth, -0.2))
        axes.tick_params(length=0, labelsize=9, pad=2)
        axes.tick_params(axis="x", labeltop=True, labelbottom=False)
        axes.grid(visible=False)
        axes.spines[:].set_visible(False)
        figure.legend(handles=_legend(), loc="outside upper left", handletextpad=0.6)
        style.name(figure, source, 72)
    return figure


def _places(rows: pd.DataFrame) -> tuple[dict[str, float], dict[str, float], float]:
    """Return the height of each method's row and each family's heading, in lines, and the end."""
    places: dict[str, float] = {}
    headings: dict[str, float] = {}
    depth = 0.0
    for family in families.ordered(rows["family"]):
        headings[family] = depth + 0.75
        depth += 1.35
        for _, row in rows[rows["family"] == family].drop_duplicates("method").iterrows():
            lines = max(1.2, 0.9 * (_wrapped(row["title"]).count("\n") + 1) + 0.15)
            places[row["method"]] = depth + lines / 2
            depth += lines
    return places, headings, depth


def _heading(axes: Axes, family: str, place: float, letters: list[str]) -> None:
    colour = families.colour(family)
    axes.axhline(place - 0.7, color=colour, lw=0.8, alpha=0.6)
    axes.annotate(
        family, (0, place), (-6, 0), xycoords=("axes fraction", "data"),
        textcoords="offset points", ha="right", va="center", color=colour, fontsize=10,
        fontweight="bold",
    )  # fmt: skip
    for column, letter in enumerate(letters):
        axes.text(column, place, letter, ha="center", va="center", fontsize=8, color=PALE)


def _cell(axes: Axes, column: int, place: float, row: pd.Series) -> None:
    agrees = bool(row["invariant"]) == bool(row["declared"])
    if not agrees:
        axes.add_patch(Rectangle((column - 0.45, place - 0.55), 0.9, 1.1, zorder=2, **WRONG))
        axes.text(column + 0.27, place, "!", color=LOUD, ha="center", va="center", fontsize=13,
                  fontweight="bold", zorder=3)  # fmt: skip
    across = column if agrees else column - 0.12
    if row["invariant"]:
        axes.plot(across, place, color=families.colour(row["family"]), linestyle="", **INVARIANT)
    else:
        axes.plot(across, place, linestyle="", **VARIANT)


def _legend() -> list[Artist]:
    return [
        Line2D([], [], linestyle="", color=INK, label="leaves the output as it was", **INVARIANT),
        Line2D([], [], linestyle="", label="changes the output", **VARIANT),
        Patch(label="with !: measured is not what is declared", **WRONG),
    ]


def _wrapped(title: str) -> str:
    return "\n".join(textwrap.wrap(title, 22))
