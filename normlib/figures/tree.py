"""The family tree of methods: families, what they do, and when each came."""

from dataclasses import dataclass

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MultipleLocator

from normlib.figures import families, style

#: Inches: narrow, so that a phone need not shrink it much; one row.
WIDTH, ROW = 5.0, 0.205
#: Years that branchings take up left of the first paper, one level each.
STEP = 1.5
#: Points per letter of a title and of its author, on the safe side, and before a label.
LETTER, SMALL, GAP = 5.2, 4.2, 7
STEM, PALE = "#a8a8a8", "#666666"


@dataclass(frozen=True, kw_only=True)
class Row:
    """What one row shows: a family (level 0), a kind of it, or a method, which has a year."""

    level: int
    family: str
    kind: str
    text: str
    about: str = ""
    leaf: bool = False
    year: int | None = None


def family_tree(table: pd.DataFrame, *, source: str) -> Figure:
    """Draw families as branches, kinds as theirs, and each method at the year of its paper.

    Every row holds one thing, so no two labels can meet. A method without a paper sits on its
    branch, hollow.

    Args:
        table: ``analysis.catalogued.methods``: title, family, kind, authors and year.
        source: What the figure was drawn from.
    """
    rows = arranged(table)
    years = [row.year for row in rows if row.year is not None]
    first, last = min(years, default=2000), max(years, default=2000)
    root = first - 3 * STEP
    height = ROW * len(rows) + 1.1
    with style.drawing(height) as (figure, axes):
        figure.set_size_inches(WIDTH, height)
        for place, row in enumerate(rows):
            at = root + row.level * STEP
            tip = at + STEP if row.year is None else row.year
            _stem(axes, rows, place, at)
            axes.plot([at, tip], [place, place], color=families.colour(row.family), lw=1.2)
            _label(axes, row, tip, place)
        axes.set_xlim(root - 0.3, root + _span(rows, root))
        axes.set_ylim(len(rows) - 0.3, -0.9)
        _timeline(axes, first, last)
        style.name(figure, source, 80)
    return figure


def arranged(table: pd.DataFrame) -> list[Row]:
    """Return the rows from top to bottom: a family, its kinds if several, their methods by year."""
    rows = []
    for family in families.ordered(table["family"]):
        members = table[table["family"] == family]
        kinds = list(dict.fromkeys(members["kind"]))
        kind = kinds[0] if len(kinds) == 1 else ""
        about = families.words(family) + (f"; {kind}" if kind not in ("", family) else "")
        rows.append(Row(level=0, family=family, kind=kind, text=family, about=about))
        for one in kinds:
            if not kind:
                rows.append(Row(level=1, family=family, kind=one, text=one))
            found = members[members["kind"] == one].sort_values("year", kind="stable")
            rows += [_method(row, level=1 if kind else 2) for _, row in found.iterrows()]
    return rows


def _method(row: pd.Series, level: int) -> Row:
    year = None if pd.isna(row["year"]) else int(row["year"])
    surname = row["authors"].replace(" et al.", "").split(" and ")[0].split(",")[0]
    return Row(
        level=level,
        family=row["family"],
        kind=row["kind"],
        text=row["title"],
        about=f"{surname} {year}" if year else "",
        leaf=True,
        year=year,
    )


def _stem(axes: Axes, rows: list[Row], place: int, at: float) -> None:
    """Draw the upright from the row above that this one hangs on, its parent or its sibling."""
    level = rows[place].level
    above = next((i for i in range(place - 1, -1, -1) if rows[i].level <= level), place)
    colour = families.colour(rows[place].family) if level else STEM
    axes.plot([at, at], [above, place], color=colour, lw=1.2 if level else 1.6, zorder=1)


def _label(axes: Axes, row: Row, tip: float, place: int) -> None:
    colour = families.colour(row.family)
    if row.leaf:
        face = colour if row.year else "white"
        axes.plot(tip, place, marker=families.marker(row.kind), markersize=6.5, color=colour,
                  markerfacecolor=face, markeredgewidth=1.6)  # fmt: skip
    weight, style_ = ("normal" if row.level else "bold"), ("normal" if row.leaf else "italic")
    size = 9 if row.leaf else 10
    text = axes.annotate(
        row.text, (tip, place), (GAP, 0), textcoords="offset points", va="center", fontsize=size,
        color="#111111" if row.leaf else colour, fontweight=weight,
        fontstyle="normal" if row.level == 0 else style_,
    )  # fmt: skip
    axes.annotate(
        row.about, (1, 0.5), (5, 0), xycoords=text, textcoords="offset points", va="center",
        fontsize=7.5, color=PALE,
    )  # fmt: skip


def _span(rows: list[Row], root: float) -> float:
    """Return how many years wide the axes are, so that every label fits beside its leaf."""
    points = 72 * WIDTH - 14
    leaves = [row for row in rows if row.leaf]
    rates = [
        (points - GAP - LETTER * len(row.text) - SMALL * (len(row.about) + 1))
        / ((row.year or root + 3 * STEP) - root)
        for row in leaves
    ]
    return points / max(2.0, min(rates, default=points))


def _timeline(axes: Axes, first: int, last: int) -> None:
    axes.set_yticks([])
    axes.xaxis.set_major_locator(MultipleLocator(5))
    axes.set_xticks([year for year in range(first, last + 1) if year % 5 == 0])
    axes.tick_params(axis="x", labeltop=True, length=0, labelsize=9)
    axes.grid(axis="x", color="#ececec")
    axes.spines[:].set_visible(False)
