"""Tables as readers see them: a caption, plain headers, rounded numbers, the same bytes."""

import html
from collections.abc import Mapping

import pandas as pd

from normlib.analysis.outcome import FEWEST


class Shown:
    """A data frame that a notebook shows as an HTML table with a caption.

    ``digits`` maps a column to its decimal places (other floats: 2); a missing number is a dash,
    a truth value yes or no, a line break in a text stays one.
    """

    def __init__(
        self, frame: pd.DataFrame, caption: str, digits: Mapping[str, int] | None = None
    ) -> None:
        self.caption = caption
        self.header = [str(column) for column in frame.columns]
        places = digits or {}
        self.rows = [
            [text(value, places.get(name, 2)) for name, value in zip(self.header, row, strict=True)]
            for row in frame.itertuples(index=False, name=None)
        ]

    def _repr_html_(self) -> str:
        head = "".join(f'<th scope="col">{_escaped(name)}</th>' for name in self.header)
        body = "\n".join(
            "<tr>" + "".join(f"<td>{_escaped(cell)}</td>" for cell in row) + "</tr>"
            for row in self.rows
        )
        return (
            f'<table class="dataframe">\n<caption>{_escaped(self.caption)}</caption>\n'
            f"<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table>"
        )

    def __repr__(self) -> str:
        return "\n".join([self.caption, *(" | ".join(line) for line in [self.header, *self.rows])])


def text(value: object, digits: int = 2) -> str:
    """Return ``value`` as a cell shows it."""
    if value is None or value is pd.NA or (isinstance(value, float) and value != value):
        return "–"
    if isinstance(value, bool) or type(value).__name__ == "bool":
        return "yes" if value else "no"
    if isinstance(value, float):
        return signed(value, digits) if value < 0 else f"{value:.{digits}f}"
    return str(value)


def signed(value: float, digits: int = 2) -> str:
    """Return a number with its sign, a real minus and no negative zero: ``+0.31``, ``−0.20``."""
    rounded = f"{value:+.{digits}f}"
    if float(rounded) == 0:
        return f"{0:.{digits}f}"
    return rounded.replace("-", "\N{MINUS SIGN}")


def interval(low: float, high: float, digits: int = 2) -> str:
    """Return an interval of differences that no line break parts: ``[−0.20, +0.31]``."""
    return f"[{signed(low, digits)},\N{NO-BREAK SPACE}{signed(high, digits)}]"


def limits(low: float, high: float, digits: int = 2) -> str:
    """Return an interval of levels that no line break parts: ``[75.10, 76.20]``."""
    return f"[{text(low, digits)},\N{NO-BREAK SPACE}{text(high, digits)}]"


def level(mean: float, low: float, high: float, n: int) -> str:
    """Return a mean over ``n`` runs with its interval, or, of too few, with how many they are."""
    return f"{mean:.2f} {few(n) if n < FEWEST else limits(low, high)}"


def few(n: int) -> str:
    """Return what stands in place of an interval of fewer than FEWEST runs: ``(two runs)``."""
    return "(one run)" if n == 1 else "(two runs)"


def difference(mean: float, low: float, high: float) -> str:
    """Return a mean of differences with its interval: ``+0.31 [+0.20, +0.42]``."""
    return f"{signed(mean)} {interval(low, high)}"


def p_value(p: float | None) -> str:
    """Return a p value as it is written: three places, or below 0.001."""
    if p is None or p != p:
        return "–"
    return "<\N{NO-BREAK SPACE}0.001" if p < 0.001 else f"{p:.3f}"


def _escaped(cell: str) -> str:
    return html.escape(cell).replace("\n", "<br>")
