"""Weighted sums of conditions: which runs they take, and what they add up to."""

import dataclasses

import numpy as np
import pytest

from normlib.analysis import contrasts, tables
from normlib.analysis.contrasts import Cell, Contrast, ContrastError
from normlib.analysis.outcome import Outcome
from tests.claims.resnets import fake_resnet, fake_table

FINAL = Outcome(quantity="test_accuracy", first=15, last=15)
LEVELS = {"none": 60.0, "affine": 61.0, "batch-minus": 64.0, "batch": 69.0}


def cell(norm, model="resnet18", batch_size=50, **fields):
    return Cell(model=model, batch_size=batch_size, norm=norm, **fields)


@pytest.fixture(scope="module")
def records():
    return fake_table({cell(norm): level for norm, level in LEVELS.items()})


def measured(records, norm):
    """Return the last test accuracies by seed, straight from the records."""
    return np.array(
        [100 * one.history["test_accuracy"][-1] for one in records if one.experiment.norm == norm]
    )


@pytest.mark.parametrize(
    ("effect", "truth"),
    [
        (contrasts.normalizing("resnet18", 50), 6.0),
        (contrasts.rescaling("resnet18", 50), 3.0),
        (contrasts.interaction("resnet18", 50), 4.0),
        (contrasts.difference(cell("batch"), cell("none")), 9.0),
        (contrasts.single(cell("affine")), 61.0),
    ],
    ids=lambda one: getattr(one, "words", one),
)
def test_effects_have_their_size(records, effect, truth):
    found = effect.values(tables.runs(records), FINAL)
    assert found.shape == (4,)
    assert found.mean() == pytest.approx(truth, abs=0.3)


def test_the_2x2_seed_by_seed(records):
    table = tables.runs(records)
    none, affine, minus, batch = (measured(records, norm) for norm in LEVELS)
    inter = contrasts.interaction("resnet18", 50).values(table, FINAL)
    assert inter == pytest.approx((batch - minus) - (affine - none))
    normalizing = contrasts.normalizing("resnet18", 50).values(table, FINAL)
    assert normalizing == pytest.approx((batch + minus - affine - none) / 2)
    rescaling = contrasts.rescaling("resnet18", 50).values(table, FINAL)
    assert normalizing + rescaling == pytest.approx(batch - none)


def test_only_seeds_with_all_runs_count(records):
    table = tables.runs([one for one in records if one.experiment.seed != 2][1:])
    found = contrasts.difference(cell("batch"), cell("none")).values(table, FINAL)
    expected = (measured(records, "batch") - measured(records, "none"))[[1, 3]]
    assert found == pytest.approx(expected)


@pytest.mark.parametrize(
    "other",
    [
        {"model": "resnet34"},
        {"batch_size": 20},
        {"optimizer": "sgd"},
        {"learning_rate": 0.005},
        {"validation_size": 5000},
        {"initialization": "fixup"},
    ],
    ids=str,
)
def test_runs_of_other_settings_are_not_taken(records, other):
    mixed = [*records, *(fake_resnet(cell("none", **other), seed, 10.0) for seed in range(4))]
    plain = contrasts.single(cell("none"))
    assert plain.values(tables.runs(mixed), FINAL) == pytest.approx(measured(records, "none"))
    strange = contrasts.single(cell("none", **other)).values(tables.runs(mixed), FINAL)
    assert strange.mean() == pytest.approx(10.0, abs=0.3)


def test_a_run_cut_short_reaches_no_later_epoch_and_yields_to_the_whole_run():
    short = [fake_resnet(cell("none"), seed, 50.0, epochs=5) for seed in range(3)]
    whole = fake_resnet(cell("none"), 1, 70.0)
    table = tables.runs([*short, whole])
    fifth = Outcome(quantity="test_accuracy", first=5, last=5)
    plain = contrasts.single(cell("none"))
    assert plain.values(table, FINAL) == pytest.approx([100 * whole.history["test_accuracy"][-1]])
    assert plain.values(table, fifth) == pytest.approx([50.0, 70.0, 50.0], abs=0.5)


def test_a_run_of_several_plans_counts_once(records):
    twice = tables.runs([*records, *records])
    for effect in (contrasts.single(cell("none")), contrasts.interaction("resnet18", 50)):
        once = effect.values(tables.runs(records), FINAL)
        assert effect.values(twice, FINAL) == pytest.approx(once)


def test_what_was_not_measured_has_no_values(records):
    widening = Outcome(quantity="input_gradients_widening", first=1, last=1)
    selected = Outcome(quantity="validation_accuracy", first=15, last=15)
    plain = contrasts.single(cell("none"))
    for table in (tables.runs(records), tables.runs([])):
        assert plain.values(table, widening).size == plain.values(table, selected).size == 0


def test_cells_that_cancel_are_left_out():
    gain = contrasts.difference(cell("affine"), cell("none"))
    loss = contrasts.difference(cell("none"), cell("affine"))
    both = contrasts.averaged("twice", [gain, contrasts.difference(cell("none"), cell("batch"))])
    assert {one.norm for one in both.cells} == {"affine", "batch"}
    with pytest.raises(ContrastError, match="nothing left"):
        contrasts.combined("nothing left", [(1.0, gain), (1.0, loss)])


@pytest.mark.parametrize(
    "terms", [(), ((1.0, cell("none")), (2.0, cell("none"))), ((np.nan, cell("none")),)]
)
def test_a_contrast_that_compares_nothing_is_refused(terms):
    with pytest.raises(ContrastError, match="odd"):
        Contrast("odd", terms)


def test_words_say_what_differs():
    def words(first, second):
        return contrasts.difference(first, second).words.replace(contrasts.MINUS, "-")

    assert words(cell("batch"), cell("none")) == "`batch` - `none`, ResNet18, batch 50"
    assert words(cell("none", batch_size=20), cell("none")) == (
        "`none`: (ResNet18, batch 20) - (ResNet18, batch 50)"
    )
    other = cell("affine", "resnet101", 20, optimizer="sgd", validation_size=5000)
    assert words(other, cell("none")) == (
        "(`affine`, ResNet101, batch 20, SGD 0.001, 5000 images held out) - "
        "(`none`, ResNet18, batch 50)"
    )
    small = dataclasses.replace(cell("batch"), model="mlp", batch_size=100)
    assert small.name == "`batch`, two layers, Adam 0.001"
    starts = {"fixup": ", Fixup", "data": ", BN's start", "torch": ""}
    for start, said in starts.items():
        assert dataclasses.replace(cell("none"), initialization=start).setting == said


def test_a_level_does_not_compare():
    assert contrasts.difference(cell("batch"), cell("none")).compares
    assert contrasts.interaction("resnet18", 50).compares
    assert not contrasts.single(cell("batch")).compares
