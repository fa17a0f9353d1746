"""What is recorded of a plan: nothing that is not, and nothing of another length."""

import dataclasses

import pytest

from normlib.analysis.contrasts import Cell
from normlib.analysis.coverage import coverage, device
from normlib.sweep.plans import resnet_ablation, resnet_cpu
from tests.claims.resnets import fake_resnet

CELL = Cell(model="resnet50", batch_size=50, norm="batch")
PLAN = resnet_ablation(["resnet50"], [50], seeds=3).experiments


def on(record, **place):
    return dataclasses.replace(record, environment=record.environment | place)


def test_cells_count_their_runs_seeds_and_devices():
    records = [
        on(fake_resnet(CELL, 2, 70.0), device="an invented GPU"),
        fake_resnet(CELL, 0, 70.0),
        fake_resnet(CELL, 7, 70.0),
        fake_resnet(dataclasses.replace(CELL, batch_size=20), 1, 70.0),
    ]
    found = coverage(PLAN, records).set_index("norm")
    assert list(found.index) == ["batch", "affine", "batch-minus", "none"]
    assert (found["planned"] == 3).all()
    assert found["recorded"].tolist() == [2, 0, 0, 0]
    assert found.loc["batch", "seeds"] == (0, 2)
    assert found.loc["batch", "devices"] == {
        "an invented GPU": 1,
        "an invented processor, 1 thread": 1,
    }
    assert found.loc["none", "devices"] == {}


def test_a_run_cut_short_is_none_of_the_main_table():
    cut = [fake_resnet(CELL, seed, 60.0, epochs=5) for seed in range(3)]
    assert (coverage(PLAN, cut)["recorded"] == 0).all()
    found = coverage(resnet_cpu().experiments, cut)
    assert found.groupby("epochs")["recorded"].sum().to_dict() == {15: 0, 5: 3}


def test_diverged_runs_are_counted_as_such():
    record = fake_resnet(CELL, 0, 70.0)
    history = {name: values[:2] for name, values in record.history.items()}
    history |= {
        name: [values[0], None]
        for name, values in history.items()
        if name not in ("epoch", "seconds")
    }
    stopped = dataclasses.replace(record, status="diverged", history=history)
    assert coverage(PLAN, [stopped]).set_index("norm").loc["batch", "diverged"] == 1


def test_no_experiments_no_rows():
    assert coverage([], []).empty


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ({"device": "cpu", "threads": 1}, "an invented processor, 1 thread"),
        ({"device": "cpu", "threads": 2}, "an invented processor, 2 threads"),
        ({"device": "an invented GPU", "threads": 8}, "an invented GPU"),
    ],
)
def test_devices_are_named(place, said):
    assert device(on(fake_resnet(CELL, 0, 70.0), **place)) == said
