"""What a benchmark reports, as a table and as JSON."""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from normlib import atomic
from normlib.columns import aligned
from normlib.errors import NormlibError


class BenchError(NormlibError):
    """A benchmark that could not be run, or gave a number that is none."""


@dataclass(frozen=True, kw_only=True)
class Result:
    """One comparison.

    ``ours`` and ``peer`` are in ``unit``; ``ratio`` is how many times better ours is, above 1 for
    better whatever the unit; ``goal`` is what ``ratio`` should at least be, or None.
    """

    name: str
    unit: str
    ours: float
    peer: float
    peer_name: str
    ratio: float
    goal: float | None = None

    def __post_init__(self) -> None:
        for field in ("ours", "peer", "ratio"):
            value = getattr(self, field)
            if not (math.isfinite(value) and value > 0):
                raise BenchError(f"{self.name}: {field} is {value}, not a positive number")

    @property
    def reached(self) -> bool | None:
        """Whether the goal is reached; None without a goal."""
        return None if self.goal is None else self.ratio >= self.goal


def less_is_better(
    name: str, unit: str, ours: float, peer: float, peer_name: str, goal: float | None = None
) -> Result:
    """Return the result of comparing times, sizes and the like."""
    if not ours:
        raise BenchError(f"{name}: ours is {ours}, not a positive number")
    return Result(
        name=name,
        unit=unit,
        ours=ours,
        peer=peer,
        peer_name=peer_name,
        ratio=peer / ours,
        goal=goal,
    )


def more_is_better(
    name: str, unit: str, ours: float, peer: float, peer_name: str, goal: float | None = None
) -> Result:
    """Return the result of comparing rates."""
    if not peer:
        raise BenchError(f"{name}: peer is {peer}, not a positive number")
    return Result(
        name=name,
        unit=unit,
        ours=ours,
        peer=peer,
        peer_name=peer_name,
        ratio=ours / peer,
        goal=goal,
    )


def table(results: Sequence[Result]) -> str:
    """Return the results as text, one line each, with the names of the columns above."""
    head = ("benchmark", "ours", "peer", "unit", "peer's name", "ratio", "goal", "")
    marks = {True: "reached", False: "MISSED", None: ""}
    rows = [
        (
            r.name,
            f"{r.ours:.4g}",
            f"{r.peer:.4g}",
            r.unit,
            r.peer_name,
            f"{r.ratio:.2f}",
            "" if r.goal is None else f"{r.goal:.2f}",
            marks[r.reached],
        )
        for r in results
    ]
    return aligned(head, rows, numbers={1, 2, 5, 6}, ruled=True)


def write(results: Sequence[Result], path: Path) -> None:
    """Write the results to ``path`` as a JSON list, whole or not at all."""
    content = json.dumps([asdict(result) for result in results], indent=1, allow_nan=False) + "\n"
    atomic.write(path, content.encode())
