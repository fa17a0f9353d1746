"""The comparisons as text: a line per method, with what failed and how far the worst is off."""

from __future__ import annotations

from collections.abc import Iterable

from normlib.analysis.parity.formulas import QUANTITIES, Comparison
from normlib.columns import aligned

HEAD = ("method", "cases", "comparisons", "failures", *QUANTITIES)


def table(comparisons: Iterable[Comparison]) -> str:
    """A line per method, with the largest error of each quantity, and a last one for all."""
    by_method: dict[str, list[Comparison]] = {}
    for one in comparisons:
        by_method.setdefault(one.method, []).append(one)
    lines = [_line(method, found) for method, found in by_method.items()]
    text = aligned(HEAD, lines, numbers=range(1, len(HEAD)), ruled=True)
    return f"{text}\n{summary([one for found in by_method.values() for one in found])}"


def summary(found: list[Comparison]) -> str:
    """How many there are, how many are out of bounds, and which is nearest to its bound."""
    worst = max(found, key=lambda one: one.error / one.bound)
    return (
        f"{len(found)} comparisons of {len({one.case for one in found})} cases of "
        f"{len({one.method for one in found})} methods, {_failures(found)} out of bounds; nearest: "
        f"{worst.case}, {worst.mode}, {worst.quantity}: {worst.error:.1e} of {worst.bound:.0e}"
    )


def _failures(found: list[Comparison]) -> int:
    return sum(not one.within for one in found)


def _line(method: str, found: list[Comparison]) -> list[str]:
    cases = len({one.case for one in found})
    return [method, str(cases), str(len(found)), str(_failures(found))] + [
        _error([one.error for one in found if one.quantity == quantity]) for quantity in QUANTITIES
    ]


def _error(errors: list[float]) -> str:
    return f"{max(errors):.1e}" if errors else "-"
