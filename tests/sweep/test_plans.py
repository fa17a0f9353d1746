from collections import Counter

import pytest

from normlib.records import Experiment
from normlib.sweep import PLANS, PlanError, named
from normlib.sweep.plans import Plan, balanced, fashion_mnist

FASHION = PLANS["fashion-mnist"].experiments


def test_fashion_mnist_is_the_declared_grid():
    assert Counter(run.norm for run in FASHION) == {
        **dict.fromkeys(("none", "batch", "layer", "weight"), 20),
        **dict.fromkeys(
            (
                "torch:batch",
                "torch:layer",
                "torch:weight",
                "batch-batchstats",
                "layer-channels",
                "tensorflow:none",
                "tensorflow:batch",
                "tensorflow:layer",
            ),
            5,
        ),
    }
    assert len(FASHION) == len({run.key for run in FASHION}) == 120


def test_fashion_mnist_varies_nothing_but_norm_and_seed():
    assert {run.replace(norm="none", seed=0) for run in FASHION} == {Experiment()}


def test_every_condition_starts_at_seed_zero_without_gaps():
    for norm in {run.norm for run in FASHION}:
        seeds = [run.seed for run in FASHION if run.norm == norm]
        assert seeds == list(range(len(seeds)))


def test_stopped_early_the_seeds_are_balanced():
    seeds = [run.seed for run in FASHION]
    assert seeds == sorted(seeds)
    assert {run.norm for run in FASHION[:12]} == {run.norm for run in FASHION}


def test_runs_of_a_plan_are_counted_once():
    twice = [Experiment(seed=1), Experiment(), Experiment(seed=1)]
    assert balanced(twice) == (Experiment(), Experiment(seed=1))
    assert len(Plan("p", "t", tuple(twice)).experiments) == 2


def test_a_smaller_trial_of_the_plan():
    trial = fashion_mnist("fashion-mnist-sample", epochs=1, seeds=2, peer_seeds=1, width=8)
    assert len(trial.experiments) == 4 * 2 + 8
    assert {run.dataset for run in trial.experiments} == {"fashion-mnist-sample"}
    assert not {run.key for run in trial.experiments} & {run.key for run in FASHION}


def test_smoke_needs_no_download():
    assert {run.dataset for run in PLANS["smoke"].experiments} == {"fashion-mnist-sample"}


def test_unknown_plan():
    with pytest.raises(PlanError, match="did you mean smoke"):
        named("smokes")
