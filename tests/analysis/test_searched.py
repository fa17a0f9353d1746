"""What a grid search selects: on held-out images, at the last epoch, by the mean over seeds."""

import pytest

from normlib.analysis import tables
from normlib.analysis.ablation import METHODS
from normlib.analysis.contrasts import Cell
from normlib.analysis.searched import selected
from tests.claims.resnets import fake_resnet


def run(level, seed=0, epochs=15, held_out=5_000, **fields):
    cell = Cell(
        **{"model": "resnet18", "batch_size": 50, "norm": "batch", "validation_size": held_out}
        | fields
    )
    return fake_resnet(cell, seed, level, epochs=epochs)


def best(*records):
    found = selected(tables.runs(records), ["resnet18"], 15).set_index("norm")
    assert list(found.index) == list(METHODS)
    return found.loc["batch"]


def test_the_best_combination_with_its_seeds():
    row = best(
        run(60.0),
        run(70.0, batch_size=80),
        run(71.0, 1, batch_size=80),
        run(65.0, optimizer="sgd", learning_rate=0.01),
    )
    assert (row["recorded"], row["seeds"]) == (3, 2)
    assert (row["optimizer"], row["learning_rate"], row["batch_size"]) == ("adam", 0.001, 80)
    assert row["accuracy"] == pytest.approx(70.5, abs=0.3)


def test_nothing_is_selected_on_test_images_or_before_the_end():
    row = best(run(90.0, held_out=0), run(90.0, epochs=5))
    assert row["recorded"] == 0
    assert row["accuracy"] is None
    assert row["optimizer"] is None
