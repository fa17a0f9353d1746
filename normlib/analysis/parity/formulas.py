"""Every method beside its formula in NumPy, as stored: ``data/parity/methods.json``.

The formulas stand in ``tests/layers``, so the test suite computes the file and holds it to what it
computes again; the book reads it.
"""

import hashlib
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import pandas as pd

from normlib import atomic
from normlib.analysis.parity.stored import ParityError, folder

COMMAND: Final = "python -m tests.layers.methods --write"
SCHEMA: Final = 1
NAME: Final = "methods.json"
QUANTITIES: Final = {
    "output": "output",
    "buffers": "running statistics",
    "d input": "d/d input",
    "d parameters": "d/d parameters",
}
"""What is compared, and how figures call it.

The output of a method on weights is the weight. The gradients are of <g, output>, g random.
"""
MODES: Final = ("train", "eval")
MEANS: Final = ("formula", "differences", "stated")
"""What the compared value comes from.

A formula; the derivative of one, by differences along random directions; or the formula of a
STATED backward, which is meant not to be the derivative.
"""


@dataclass(frozen=True, order=True)
class Comparison:
    """One quantity of one method beside NumPy's.

    Attributes:
        method: As the catalogue calls it.
        case: With which options; more than one input where it has several shapes.
        mode: One of `MODES`.
        quantity: One of `QUANTITIES`.
        means: One of `MEANS`.
        error: The largest difference, as a part of the largest value that is expected. Of
            differences, among the derivatives along a few directions.
        bound: How large it may be.
    """

    method: str
    case: str
    mode: str
    quantity: str
    means: str
    error: float
    bound: float

    @property
    def within(self) -> bool:
        """Whether the error is within its bound."""
        return self.error <= self.bound


@dataclass(frozen=True)
class Formulas:
    """All comparisons, sorted, and the versions and the machine that they were made with."""

    comparisons: tuple[Comparison, ...]
    environment: Mapping[str, Any]

    def table(self) -> pd.DataFrame:
        """Return a row per comparison: the fields of `Comparison`, ``peer`` and ``within``."""
        table = pd.DataFrame([asdict(one) for one in self.comparisons])
        return table.assign(peer="numpy", within=table["error"] <= table["bound"])


def save(comparisons: Iterable[Comparison], environment: Mapping[str, Any], where: Path) -> None:
    """Write ``methods.json``, a line per comparison; the same content, the same bytes."""
    lines = [json.dumps(asdict(one)) for one in sorted(comparisons)]
    about = {
        "schema": SCHEMA,
        "comparisons_sha256": _sha256(lines),
        "environment": dict(environment),
    }
    head = [f'"{key}": {json.dumps(value)}' for key, value in about.items()]
    rows = '"comparisons": [\n  ' + ",\n  ".join(lines) + "\n ]"
    atomic.write(where / NAME, ("{\n " + ",\n ".join([*head, rows]) + "\n}\n").encode())


def load_formulas(where: Path | None = None) -> Formulas:
    """Return what is stored in ``where`` (``data/parity`` of the project if None).

    Raises ParityError if the file is missing or damaged.
    """
    path = (where or folder()) / NAME
    try:
        about = json.loads(path.read_bytes())
        found = about["comparisons"]
        whole = about["comparisons_sha256"] == _sha256([json.dumps(one) for one in found])
        if about["schema"] != SCHEMA or not whole:
            raise ParityError(
                f"{path}: the comparisons are not those it was written with; {_REMEDY}"
            )
        return Formulas(tuple(_comparison(one) for one in found), about["environment"])
    except ParityError:
        raise
    except OSError as error:
        raise ParityError(f"{error.filename}: {error.strerror}; {_REMEDY}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise ParityError(f"{path}: cannot be read ({error}); {_REMEDY}") from error


def worst(table: pd.DataFrame) -> pd.DataFrame:
    """Return a row per method, peer and quantity, over all cases and both modes.

    ``error`` is the largest, ``bound`` the widest, ``excess`` the largest error as a share of its
    own bound (at most 1 means within), and ``stated`` whether a stated backward is among what was
    compared.

    Args:
        table: `Formulas.table`, or rows of the same columns beside another peer.
    """
    graded = table.assign(excess=table["error"] / table["bound"], stated=table["means"] == "stated")
    keys = ["method", "peer", "quantity"]
    return (
        graded.groupby(keys, sort=False)[["error", "bound", "excess", "stated"]].max().reset_index()
    )


def _comparison(found: Mapping[str, Any]) -> Comparison:
    one = Comparison(**found)
    if one.quantity not in QUANTITIES or one.means not in MEANS or one.mode not in MODES:
        raise ValueError(f"no comparison: {found}")
    if not (0 <= one.error < math.inf and 0 < one.bound < math.inf):
        raise ValueError(f"no error, or no bound: {found}")
    return one


def _sha256(lines: list[str]) -> str:
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


_REMEDY: Final = f"restore it with git or run `{COMMAND}`"
