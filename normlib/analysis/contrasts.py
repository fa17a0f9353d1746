r"""Weighted sums of conditions, one number per seed: differences, main effects, interactions.

Source E crosses two questions, whether BatchNorm normalizes and whether it re-scales:

|                | not re-scaled | re-scaled |
|----------------|---------------|-----------|
| not normalized | none          | affine    |
| normalized     | batch-minus   | batch     |
"""

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from normlib.analysis.outcome import Outcome
from normlib.errors import NormlibError

MINUS = "\N{MINUS SIGN}"


class ContrastError(NormlibError, ValueError):
    """A contrast that compares nothing."""


#: Networks whose name for readers is not their own. Their plans vary the optimizer, and all runs
#: have one batch size; those of ResNets are all under Adam but for a search.
NETWORKS = {"mlp": "two layers", "vgg": "plain CNN"}
OPTIMIZERS = {"sgd": "SGD", "adam": "Adam"}
#: Starts other than PyTorch's and torchvision's own.
STARTS = {"fixup": "Fixup", "data": "BN's start"}


def network(model: str) -> str:
    """Return a network's name as readers know it: ``ResNet18``."""
    return NETWORKS.get(model, model.replace("resnet", "ResNet"))


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One condition: the runs that have these values in these fields of their experiment.

    What is not named here (the seed, the number of epochs, SGD's momentum) may differ.
    """

    model: str
    batch_size: int
    norm: str
    optimizer: str = "adam"
    learning_rate: float = 0.001
    validation_size: int = 0
    initialization: str = "torchvision"

    @property
    def network(self) -> str:
        """Return the network's name as readers know it."""
        return network(self.model)

    @property
    def setting(self) -> str:
        """Say what does not go without saying for its network: ``, SGD 0.01``."""
        said = []
        if self.model in NETWORKS or (self.optimizer, self.learning_rate) != ("adam", 0.001):
            said.append(f"{OPTIMIZERS[self.optimizer]} {self.learning_rate:g}")
        if self.validation_size:
            said.append(f"{self.validation_size} images held out")
        if self.initialization in STARTS:
            said.append(STARTS[self.initialization])
        return "".join(f", {one}" for one in said)

    @property
    def place(self) -> str:
        """Say where, all but the norm: ``ResNet50, batch 50``, ``two layers, SGD 0.01``."""
        batch = "" if self.model in NETWORKS else f", batch {self.batch_size}"
        return f"{self.network}{batch}{self.setting}"

    @property
    def name(self) -> str:
        """Say the condition, its norm by the catalogue's name in backticks."""
        return f"`{self.norm}`, {self.place}"

    def outcomes(self, table: pd.DataFrame, outcome: Outcome) -> "pd.Series[float]":
        """Return ``outcome`` by seed, from ``tables.runs``'s table or one with its columns.

        Runs that do not reach the outcome's last epoch are absent, and all are where the table
        has no such quantity. A run that several plans share counts once, and of a run and the same
        run cut short, the longer one.
        """
        if outcome.quantity not in table:
            return pd.Series(dtype=float)
        chosen = np.ones(len(table), dtype=bool)
        for field in dataclasses.fields(self):
            chosen &= (table[field.name] == getattr(self, field.name)).to_numpy(dtype=bool)
        rows = table.loc[chosen, ["seed", "key", "epoch", outcome.quantity]]
        runs: dict[tuple[int, str], dict[int, float]] = {}
        for seed, key, epoch, value in rows.itertuples(index=False):
            runs.setdefault((seed, key), {}).setdefault(epoch, value)
        needed = range(outcome.first, outcome.last + 1)
        whole = {
            (seed, max(run)): float(np.mean([run[epoch] for epoch in needed]))
            for (seed, _), run in sorted(runs.items())
            if not any(np.isnan(run.get(epoch, np.nan)) for epoch in needed)
        }
        # Of one seed's runs the longest comes last, and stays.
        longest = {seed: whole[seed, length] for seed, length in sorted(whole)}
        return pd.Series(longest, dtype=float)


@dataclass(frozen=True)
class Contrast:
    r"""One number per seed: $\sum_i c_i\,y_i$ with $y_i$ the outcome in the $i$-th cell.

    ``words`` says it, norms by the catalogue's names in backticks. Of one seed, cells of one batch
    size see the same batches, and norms of one network under one initialization start from the
    same weights; cells that differ in these share the seed alone.
    """

    words: str
    terms: tuple[tuple[float, Cell], ...]

    def __post_init__(self) -> None:
        cells = [cell for _, cell in self.terms]
        weights = np.array([weight for weight, _ in self.terms])
        if not cells or len(set(cells)) < len(cells) or not np.isfinite(weights).all():
            raise ContrastError(
                f"{self.words!r} has the terms {self.terms}; give each cell once, with a weight"
            )

    @property
    def cells(self) -> tuple[Cell, ...]:
        """Return the conditions it is about."""
        return tuple(cell for _, cell in self.terms)

    @property
    def compares(self) -> bool:
        """Whether its weights sum to zero, so that it is a difference and no level."""
        return abs(sum(weight for weight, _ in self.terms)) < 1e-9

    def values(self, table: pd.DataFrame, outcome: Outcome) -> npt.NDArray[np.float64]:
        """Return its value for every seed that has all of its cells, in the order of seeds."""
        found = [weight * cell.outcomes(table, outcome) for weight, cell in self.terms]
        every = pd.concat(found, axis=1, join="inner").sort_index()
        return every.sum(axis=1).to_numpy(dtype=np.float64)


def single(cell: Cell) -> Contrast:
    """Return the outcome of one cell itself."""
    return Contrast(cell.name, ((1.0, cell),))


def difference(first: Cell, second: Cell) -> Contrast:
    """Return ``first`` minus ``second``."""
    words = f"({first.name}) {MINUS} ({second.name})"
    if first.place == second.place:
        words = f"`{first.norm}` {MINUS} `{second.norm}`, {first.place}"
    elif first.norm == second.norm:
        words = f"`{first.norm}`: ({first.place}) {MINUS} ({second.place})"
    return Contrast(words, ((1.0, first), (-1.0, second)))


def combined(words: str, parts: Iterable[tuple[float, Contrast]]) -> Contrast:
    """Return the weighted sum of contrasts; cells whose weights cancel are left out."""
    weights: dict[Cell, float] = {}
    for factor, contrast in parts:
        for weight, cell in contrast.terms:
            weights[cell] = weights.get(cell, 0.0) + factor * weight
    return Contrast(words, tuple((weight, cell) for cell, weight in weights.items() if weight))


def averaged(words: str, contrasts: Sequence[Contrast]) -> Contrast:
    """Return the mean of contrasts, seed by seed."""
    return combined(words, [(1 / len(contrasts), contrast) for contrast in contrasts])


def _factorial(model: str, batch_size: int, words: str, weights: Sequence[float]) -> Contrast:
    norms = ("none", "affine", "batch-minus", "batch")
    cells = [Cell(model=model, batch_size=batch_size, norm=norm) for norm in norms]
    return Contrast(f"{words}, {cells[0].place}", tuple(zip(weights, cells, strict=True)))


def normalizing(model: str, batch_size: int) -> Contrast:
    r"""Return the main effect of normalizing.

    $\frac12[(\text{batch} + \text{batch-minus}) - (\text{affine} + \text{none})]$, the mean of
    what normalizing gains with and without re-scaling.
    """
    return _factorial(model, batch_size, "normalizing", (-0.5, -0.5, 0.5, 0.5))


def rescaling(model: str, batch_size: int) -> Contrast:
    r"""Return the main effect of re-scaling.

    $\frac12[(\text{batch} + \text{affine}) - (\text{batch-minus} + \text{none})]$, the mean of
    what re-scaling gains with and without normalizing.
    """
    return _factorial(model, batch_size, "re-scaling", (-0.5, 0.5, -0.5, 0.5))


def interaction(model: str, batch_size: int) -> Contrast:
    r"""Return by how much more re-scaling gains with normalizing than without.

    $(\text{batch} - \text{batch-minus}) - (\text{affine} - \text{none})$; the same is by how much
    more normalizing gains with re-scaling than without.
    """
    return _factorial(model, batch_size, "normalizing by re-scaling", (1.0, -1.0, -1.0, 1.0))
