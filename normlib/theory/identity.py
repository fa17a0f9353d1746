"""What an identity is: a formula, and a function that measures how far it is from being true."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
import torch
from torch import Tensor

#: What an exact identity may miss in double precision, in units of the quantities it relates.
EXACT = 1e-12


@dataclass(frozen=True, kw_only=True)
class Identity:
    """A statement about normalization that a machine can check.

    Attributes:
        name: Unique; begins with the module that holds it: ``sphere-radius``.
        title: The statement in words, one short sentence without a full stop.
        statement: The statement as LaTeX, without dollar signs.
        residual: From a seed to how far both sides are apart on data drawn with it, usually
            relative to the larger side; 0 where they are equal, NaN where one is not defined.
        bound: The largest residual with which the identity counts as holding.
        kind: exact (true of every input, up to rounding) or statistical (true on average, so
            that the bound is a tolerance).
        source: Who stated it and where; empty for a consequence of the formulas alone.
        chapter: The chapter that explains it: ``01_projection``.
    """

    name: str
    title: str
    statement: str
    residual: Callable[[int], float]
    bound: float = EXACT
    kind: Literal["exact", "statistical"] = "exact"
    source: str = ""
    chapter: str


def check(identities: Iterable[Identity], seed: int = 0) -> pd.DataFrame:
    """Return a row per identity: ``name``, ``residual``, ``bound``, ``holds``.

    A residual that is not a number does not hold.

    Args:
        identities: What to check.
        seed: Decides the data that they are checked on.
    """
    rows = [(one.name, float(one.residual(seed)), one.bound) for one in identities]
    table = pd.DataFrame(rows, columns=["name", "residual", "bound"])
    return table.assign(holds=table["residual"] <= table["bound"])


def apart(found: Tensor, expected: Tensor | float, *, unit: float | None = None) -> float:
    """Return the largest ``abs(found - expected)``, divided by ``unit``.

    Args:
        found: One side.
        expected: The other; broadcast to the first.
        unit: By default the largest absolute value of ``expected``. Where that is zero, the
            identity has to say what its residual is measured in.
    """
    with torch.no_grad():
        other = torch.as_tensor(expected, dtype=found.dtype)
        scale = other.abs().max().item() if unit is None else unit
        return (found - other).abs().max().item() / scale


def worst(residuals: Iterable[float]) -> float:
    """Return the largest of ``residuals``; one that is not a number makes the result so."""
    return float(np.max([*residuals]))


def draw(random: np.random.Generator, *shape: int) -> Tensor:
    """Return normal numbers in float64, whose mean and spread are drawn, too.

    Neither is 0 or 1, so that a formula that forgets one of them does not pass.
    """
    mean = random.choice([-1, 1]) * random.uniform(0.5, 3)
    spread = random.uniform(0.3, 3)
    return torch.from_numpy(random.normal(mean, spread, shape))
