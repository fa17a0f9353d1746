"""Source E's cells, effects and differences, from runs whose truth is known."""

import numpy as np
import pytest

from normlib.analysis import ablation, tables
from normlib.analysis.contrasts import Cell
from normlib.analysis.outcome import FEWEST, Outcome
from normlib.claims.source_e.forms import BATCHES, NETWORKS
from tests.claims.resnets import SOURCES, fake_table

FINAL = Outcome(quantity="test_accuracy", first=15, last=15)
LEVELS = {"none": 60.0, "affine": 62.0, "batch-minus": 70.0, "batch": 77.0}
HERE = {
    Cell(model="resnet18", batch_size=batch_size, norm=norm): level + batch_size / 10
    for norm, level in LEVELS.items()
    for batch_size in (20, 50)
}


@pytest.fixture(scope="module")
def table():
    return tables.runs(fake_table(HERE))


def test_every_cell_has_a_row_also_without_runs(table):
    found = ablation.cells(table, NETWORKS, BATCHES, FINAL)
    assert len(found) == 4 * 2 * 4
    seen = found[found["model"] == "resnet18"]
    assert (seen["n"] == 4).all()
    assert seen["mean"].to_numpy() == pytest.approx(
        [LEVELS[norm] + b / 10 for b in (20, 50) for norm in ablation.METHODS], abs=0.3
    )
    assert ((seen["low"] < seen["mean"]) & (seen["mean"] < seen["high"])).all()
    rest = found[found["model"] != "resnet18"]
    assert (rest["n"] == 0).all()
    assert rest[["mean", "low", "high"]].isna().all().all()


@pytest.mark.parametrize("seeds", [1, 2])
def test_fewer_than_three_seeds_have_a_mean_and_no_interval(seeds):
    assert seeds < FEWEST
    found = ablation.cells(tables.runs(fake_table(HERE, seeds)), ["resnet18"], [50], FINAL)
    assert found["mean"].notna().all()
    assert found[["sd", "low", "high"]].isna().all().all()


def test_runs_cut_short_are_no_final_accuracies():
    cut = tables.runs(fake_table(HERE, epochs=5))
    assert (ablation.cells(cut, ["resnet18"], BATCHES, FINAL)["n"] == 0).all()


def test_main_effects_and_interaction(table):
    found = ablation.factorial(table, ["resnet18"], BATCHES, FINAL)
    truth = {"normalizing": 12.5, "re-scaling": 4.5, "interaction": 5.0}
    assert list(found["effect"]) == [effect for effect in truth for _ in BATCHES]
    for _, row in found.iterrows():
        assert row["mean"] == pytest.approx(truth[row["effect"]], abs=0.3)
        assert row["low"] < truth[row["effect"]] < row["high"]
        assert 0 < row["detectable"] < 1


def test_an_effect_takes_seeds_that_have_all_four_methods():
    levels = {cell: level for cell, level in HERE.items() if cell.norm != "affine"}
    found = ablation.factorial(tables.runs(fake_table(levels)), ["resnet18"], [20], FINAL)
    assert (found["n"] == 0).all()
    assert found[["mean", "low", "high", "detectable"]].isna().all().all()


def test_larger_minus_smaller_batch(table):
    found = ablation.between_batches(table, ["resnet18", "resnet34"], (50, 20), FINAL)
    assert list(found["norm"].unique()) == list(ablation.METHODS)
    seen = found[found["model"] == "resnet18"]
    assert seen["mean"].to_numpy() == pytest.approx(np.full(4, 3.0), abs=0.3)
    assert (found.loc[found["model"] == "resnet34", "n"] == 0).all()
    assert ablation.between_batches(table, ["resnet18"], [50], FINAL).empty


def test_the_better_batch_of_each_method():
    found = ablation.cells(tables.runs(fake_table(SOURCES)), NETWORKS, BATCHES, FINAL)
    best = ablation.better_batches(found).set_index(["model", "norm"])
    assert len(best) == 16
    assert best.loc[("resnet50", "batch-minus"), "batch_size"] == 50
    assert best.loc[("resnet101", "batch-minus"), "batch_size"] == 20
    assert ablation.better_batches(found[found["n"] == 0]).empty
