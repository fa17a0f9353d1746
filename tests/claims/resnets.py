"""Invented runs of source E's networks, for tests of what reads them."""

import dataclasses

import numpy as np

from normlib.analysis.contrasts import Cell
from normlib.claims.source_e.reported import REPORTED_E
from normlib.records import Record
from tests.fakes import fake_record

#: The source's own accuracies, in percent.
SOURCES = {one.cell: one.accuracy for one in REPORTED_E}


def fake_resnet(
    cell: Cell, seed: int, level: float, *, epochs: int = 15, noise: float = 0.1
) -> Record:
    """Return a valid record of one run that ends near ``level`` percent."""
    plain = fake_record("none", seed, level=level, epochs=epochs, dataset="cifar10")
    fields = {
        field: getattr(cell, field) for field in (one.name for one in dataclasses.fields(cell))
    }
    chance = np.random.default_rng([seed, *repr(cell).encode()])
    test = [level / 100 + noise / 100 * chance.normal() for _ in range(epochs)]
    history = plain.history | {"test_accuracy": test}
    if cell.validation_size:
        history["validation_accuracy"] = test
    return dataclasses.replace(
        plain, experiment=plain.experiment.replace(**fields), history=history, key=""
    )


def fake_table(levels: dict[Cell, float], seeds: int = 4, epochs: int = 15) -> list[Record]:
    """Return so many seeds of every cell."""
    return [
        fake_resnet(cell, seed, level, epochs=epochs)
        for cell, level in levels.items()
        for seed in range(seeds)
    ]
