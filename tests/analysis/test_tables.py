"""Records to tables: units, pairing, gaps and diverged runs."""

import dataclasses

import numpy as np
import pytest

from normlib.analysis import summaries, tables
from normlib.analysis.outcome import Outcome, OutcomeError
from normlib.analysis.statistics import StatisticsError
from tests.fakes import fake_record, fake_sweep

FINAL = Outcome(quantity="test_accuracy", first=10, last=10)
SPEED = Outcome(quantity="train_accuracy_running", first=1, last=4)


@pytest.fixture(scope="module")
def table():
    return tables.runs(fake_sweep())


def test_one_row_per_run_and_epoch_in_a_stated_order(table):
    assert len(table) == 120 * 10
    assert tables.conditions(table) == list(tables.ORDER)
    one = table[(table["norm"] == "layer") & (table["seed"] == 3)]
    assert one["epoch"].tolist() == list(range(1, 11))


def test_accuracies_are_percent_and_nothing_else_is_scaled():
    record = fake_record("batch", 1)
    row = tables.runs([record]).iloc[3]
    assert row["test_accuracy"] == pytest.approx(100 * record.history["test_accuracy"][3])
    assert row["test_loss"] == record.history["test_loss"][3]
    assert row["processor_seconds"] == record.history["seconds"][3]
    gap = record.history["train_accuracy"][3] - record.history["test_accuracy"][3]
    assert row["generalization_gap"] == pytest.approx(100 * gap)
    settings = ("model", "batch_size", "optimizer", "learning_rate", "initialization")
    assert [row[name] for name in settings] == ["cnn", 100, "sgd", 0.01, "glorot"]
    assert np.isnan(row["validation_accuracy"])


def test_an_outcome_is_the_mean_over_its_epochs(table):
    wide = tables.outcomes(table, SPEED)
    record = fake_record("weight", 7)
    expected = 100 * np.mean(record.history["train_accuracy_running"][:4])
    assert wide.loc[7, "weight"] == pytest.approx(expected)


def test_pairs_are_matched_by_seed_whatever_the_order_of_records():
    records = [fake_record("layer", seed) for seed in (4, 0, 2)]
    records += [fake_record("none", seed) for seed in (2, 3, 4)]
    found = tables.paired(tables.outcomes(tables.runs(records), FINAL), "layer", "none")
    expected = [
        100 * (fake_record("layer", s).history["test_accuracy"][-1])
        - 100 * (fake_record("none", s).history["test_accuracy"][-1])
        for s in (2, 4)
    ]
    assert found == pytest.approx(expected)


def test_a_diverged_run_counts_with_chance_and_is_not_dropped():
    table = tables.runs([fake_record("none", 0, diverged_at=3)])
    assert table["epoch"].tolist() == list(range(1, 11))
    assert table["test_accuracy"].iloc[1] > 50
    assert (table["test_accuracy"].iloc[2:] == 10.0).all()
    assert table["test_loss"].iloc[2:].isna().all()


def test_runs_too_short_for_an_outcome_are_absent():
    records = [fake_record("none", seed, epochs=4) for seed in range(3)]
    assert tables.values(tables.outcomes(tables.runs(records), FINAL), "none").size == 0


def test_empty_tables_have_all_columns():
    empty = tables.runs([])
    assert tables.values(tables.outcomes(empty, FINAL), "none").size == 0
    for made in (
        summaries.summary(empty, FINAL),
        summaries.differences(empty, FINAL),
        summaries.equivalences(empty, FINAL, [("a", "b")], 0.2),
        summaries.timing(empty),
    ):
        assert len(made) == 0
        assert len(made.columns) > 4


@pytest.mark.parametrize("runs", [1, 2, 3])
def test_an_interval_takes_three_runs(runs):
    records = [fake_record("none", seed) for seed in range(runs)]
    row = summaries.summary(tables.runs(records), FINAL).iloc[0]
    assert row["n"] == runs
    finals = [100 * one.history["test_accuracy"][-1] for one in records]
    assert row["mean"] == pytest.approx(np.mean(finals))
    limits = row[["sd", "low", "high", "new_low", "new_high"]].astype(float)
    assert limits.isna().tolist() == [runs < 3] * 5


def test_differences_use_the_baseline_of_the_same_framework(table):
    found = summaries.differences(table, FINAL)
    pairs = dict(zip(found["first"], found["second"], strict=True))
    assert pairs["tensorflow:batch"] == "tensorflow:none"
    assert pairs["batch"] == pairs["torch:layer"] == "none"
    assert len(found) == 10
    assert (found["p_holm"] >= found["p"]).all()
    seeds = found.set_index("first")["n"]
    assert (seeds["layer"], seeds["tensorflow:layer"]) == (20, 5)


def test_two_seeds_compare_nothing():
    table = tables.runs(fake_sweep({"none": 2, "batch": 2}))
    assert summaries.differences(table, FINAL).empty


def test_layers_that_agree_are_equivalent_and_others_not():
    records = [fake_record("batch", s) for s in range(5)]
    records += [fake_record("layer", s, level=94.0) for s in range(5)]
    table = tables.runs(records)
    pairs = [("batch", "batch"), ("layer", "batch")]
    with pytest.raises(StatisticsError, match="margin=-1"):
        summaries.equivalences(table, FINAL, [("batch", "batch")], -1.0)
    found = summaries.equivalences(table, FINAL, pairs, 0.5)
    assert found["equivalent"].tolist() == [True, False]


def test_times_are_medians_with_ratios_to_none(table):
    found = summaries.timing(table).set_index("norm")
    assert found.loc["none", "ratio"] == found.loc["tensorflow:none", "ratio"] == 1.0
    assert (found["low"] <= found["median"]).all()
    batch = table[table["norm"] == "batch"]["processor_seconds"]
    assert found.loc["batch", "median"] == pytest.approx(float(np.median(batch)))


@pytest.mark.parametrize("place", [{"device": "cuda"}, {"threads": 2}], ids=["GPU", "threads"])
def test_wall_clocks_are_not_compared_with_processor_seconds(place):
    ours = [fake_record(norm, 0) for norm in ("none", "batch")]
    there = [fake_record(norm, 1) for norm in ("none", "batch", "layer")]
    there = [dataclasses.replace(one, environment=one.environment | place) for one in there]
    found = summaries.timing(tables.runs([*ours, *there]))
    assert found.equals(summaries.timing(tables.runs(ours)))


def test_an_impossible_outcome_is_named():
    with pytest.raises(OutcomeError, match="5 to 4"):
        Outcome(quantity="test_accuracy", first=5, last=4)
