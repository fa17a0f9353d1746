"""Looks of source E's methods where two have two starts, and what its figures of these share."""

from collections.abc import Sequence
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from normlib.analysis.contrasts import STARTS
from normlib.figures import palette, style

#: In the order of legends; `analysis.histograms.condition` names them.
CONDITIONS = ("batch", "affine", "batch-minus", "none", "fixup", "affine-data")

_OTHER = {
    "fixup": (f"{palette.label('none')} ({STARTS['fixup']})", "#000000", "D"),
    "affine-data": (f"{palette.label('affine')} ({STARTS['data']})", "#117733", "P"),
}


def label(condition: str) -> str:
    """Return a condition's name: ``none (Fixup)``."""
    return _OTHER[condition][0] if condition in _OTHER else palette.label(condition)


def look(condition: str) -> dict[str, Any]:
    """Return colour, marker and stroke, as matplotlib's options; another start is dashed."""
    if condition in _OTHER:
        return {
            "color": _OTHER[condition][1],
            "marker": _OTHER[condition][2],
            "linestyle": "--",
        }
    return {
        "color": palette.colour(condition),
        "marker": palette.marker(condition),
        "linestyle": palette.line(condition),
    }


def present(table: pd.DataFrame) -> list[str]:
    """Return the conditions of a table with a column of that name, in order."""
    return [name for name in CONDITIONS if (table["condition"] == name).any()]


def sign(figure: Figure, table: pd.DataFrame, plans: Sequence[str]) -> None:
    """Write below the figure which runs it shows: their plans, and each condition's seeds."""
    seeds = table.groupby("condition")["seed"].nunique()
    counts = [f"{label(one)}: {seeds[one]}".replace(" ", "\u00a0") for one in present(table)]
    shown = ", ".join(counts) or "no condition are recorded yet"
    named = f"plan{'' if len(plans) == 1 else 's'} {' and '.join(plans)}"
    style.name(figure, f"Runs: {named}; seeds of {shown}.")


def legend(figure: Figure, conditions: Sequence[str], axes: Any) -> None:
    """Put the names of ``conditions`` above the panels, if there are any."""
    if conditions:
        handles, labels = axes.get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper center", ncols=len(conditions))
