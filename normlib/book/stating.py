"""Identities as readers see them: the statement, the code that checks it, and how it fared."""

import html
import inspect
import math
import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from normlib.theory import Identity


class Stated:
    """A table of identities, each checked on several seeds.

    Its formulas are typeset by the page; a click on a title opens the code of the check.

    Args:
        identities: What to state.
        caption: What they have in common.
        seeds: On how many seeds each is checked; the worst residual is shown.
    """

    def __init__(self, identities: Iterable["Identity"], caption: str, seeds: int = 3) -> None:
        from normlib.theory import check

        self.identities = tuple(identities)
        self.caption, self.seeds = caption, seeds
        tables = [check(self.identities, seed) for seed in range(seeds)]
        self.holds: list[bool] = np.all([table["holds"] for table in tables], 0).tolist()
        self.worst: list[float] = np.max([table["residual"] for table in tables], 0).tolist()

    def verdict(self) -> str:
        """Return how many hold, in words that are the same on every machine."""
        exact = all(one.kind == "exact" for one in self.identities)
        loosest = max(one.bound for one in self.identities)
        within = f"{loosest:.0e}" if exact else f"{100 * loosest:.0f}% or less"
        failed = [
            one.name for one, held in zip(self.identities, self.holds, strict=True) if not held
        ]
        found = (
            f"{sum(self.holds)} of {len(self.holds)} {'identities' if exact else 'predictions'} "
            f"hold, within {within}, "
            f"on {self.seeds} seeds"
        )
        return found + (f"; not: {', '.join(failed)}" if failed else "")

    def _repr_html_(self) -> str:
        head = "".join(
            f'<th scope="col">{name}</th>' for name in ("identity", "formula", "residual", "holds")
        )
        body = "\n".join(
            f"<tr><td>{_opening(one)}</td><td>{_formula(one.statement)}</td>"
            f"<td>{_power(worst)}</td><td>{'yes' if held else 'no'}</td></tr>"
            for one, worst, held in zip(self.identities, self.worst, self.holds, strict=True)
        )
        return (
            f'<table class="dataframe">\n<caption>{html.escape(self.caption)}</caption>\n'
            f"<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table>"
        )

    def __repr__(self) -> str:
        return "\n".join([self.caption, *(one.title for one in self.identities)])


def numbers(values: Sequence[float] | Sequence[Sequence[float]], places: int = 3) -> str:
    """Return numbers, or rows of numbers, rounded alike on every machine: no ``-0.000``."""
    rows = np.atleast_2d(np.asarray(values, dtype=float))
    lines = ["  ".join(f"{round(v, places) + 0.0:{places + 4}.{places}f}" for v in r) for r in rows]
    return "\n".join(lines)


def _opening(one: "Identity") -> str:
    code = html.escape(inspect.getsource(one.residual).strip())
    return (
        f"<details><summary>{html.escape(one.title)}</summary>"
        f"<pre><code>{code}</code></pre></details>"
    )


def _formula(statement: str) -> str:
    # A line may break where the statement has its wide spaces: a narrow table stays on the page.
    parts = re.split(r"\s*\\q?quad\b\s*", statement)
    # the markup that Sphinx gives a formula in a sentence, for which MathJax looks
    return "&emsp;".join(
        f'<span class="math notranslate nohighlight">\\({html.escape(part)}\\)</span>'
        for part in parts
    )


def _power(value: float) -> str:
    if value == 0 or not math.isfinite(value):
        return "0" if value == 0 else "none"
    digits, _, exponent = f"{value:.0e}".partition("e")
    return f"{digits}·10<sup>{int(exponent)}</sup>".replace("-", "\N{MINUS SIGN}")
