from collections import Counter
from itertools import groupby

import pytest

from normlib.records import Experiment
from normlib.records.choices import RESNETS
from normlib.sweep import PLANS, PlanError, named
from normlib.sweep.ordering import balanced
from normlib.sweep.plans import (
    Plan,
    fashion_mnist,
    resnet_ablation,
    resnet_cpu,
    resnet_grid,
)
from normlib.sweep.probing import probes_of

FASHION = PLANS["fashion-mnist"].experiments
ABLATION = PLANS["resnet-ablation"].experiments
ON_CPU = PLANS["resnet-cpu"].experiments
HISTOGRAMS = PLANS["resnet-histograms"].experiments
HISTOGRAMS_CPU = PLANS["resnet-histograms-cpu"].experiments
GRID = PLANS["resnet-grid"].experiments
TABLE = Experiment(
    dataset="cifar10",
    model="resnet18",
    initialization="torchvision",
    optimizer="adam",
    learning_rate=0.001,
    batch_size=20,
    epochs=15,
)


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


def test_the_ablation_is_source_e_s_main_table():
    cells = Counter((run.model, run.batch_size, run.norm) for run in ABLATION)
    assert cells == {
        (model, size, norm): 4
        for model in RESNETS
        for size in (20, 50)
        for norm in ("batch", "affine", "batch-minus", "none")
    }
    same = {"model": "resnet18", "batch_size": 20, "norm": "none", "seed": 0}
    assert {run.replace(**same) for run in ABLATION} == {TABLE}
    assert len({run.key for run in ABLATION}) == 128


def test_the_ablation_begins_with_the_smallest_networks_and_keeps_a_cell_together():
    cells = [cell for cell, _ in groupby((run.model, run.batch_size) for run in ABLATION)]
    assert cells == [(model, size) for model in RESNETS for size in (20, 50)]
    for at in range(0, 128, 16):
        seeds = [run.seed for run in ABLATION[at : at + 16]]
        assert seeds == [seed for seed in range(4) for _ in range(4)]


def test_what_a_cpu_records_of_the_ablation_is_labelled():
    """ResNet18's runs serve both plans; a run cut short is never taken for a whole one."""
    counts = Counter((run.model, run.batch_size, run.epochs) for run in ON_CPU)
    assert counts == {("resnet18", 50, 15): 4 * 2, ("resnet50", 50, 5): 4 * 3}
    whole = {run for run in ON_CPU if run.epochs == 15}
    short = set(ON_CPU) - whole
    assert whole < set(ABLATION)
    assert not {run.key for run in short} & {run.key for run in ABLATION}
    assert {run.replace(epochs=15) for run in short} < set(ABLATION)
    assert all("epochs5" in run.name for run in short)


def conditions(runs):
    return Counter((run.model, run.norm, run.initialization, run.epochs) for run in runs)


def test_histograms_are_of_four_methods_and_of_two_other_starts():
    methods = [(norm, "torchvision") for norm in ("batch", "affine", "batch-minus", "none")]
    others = [("none", "fixup"), ("affine", "data")]
    assert conditions(HISTOGRAMS) == {
        **{("resnet18", *start, 15): 4 for start in (*methods, *others)},
        **{("resnet50", *start, 15): 4 for start in (*methods[:2], methods[3], *others)},
    }
    assert conditions(HISTOGRAMS_CPU) == {
        **{("resnet18", *start, 1): 4 for start in (*methods, *others)},
        **{("resnet18", *start, 15): 2 for start in methods},
        **{("resnet18", *start, 5): 1 for start in methods},
        **{("resnet18", *start, 5): 3 for start in others},
        ("resnet50", *others[0], 5): 3,
    }
    plain = {run for run in HISTOGRAMS if run.initialization == "torchvision"}
    assert plain < set(ABLATION)
    assert {run for run in HISTOGRAMS_CPU if run.epochs == 15} == set(ON_CPU) & plain
    assert {run.batch_size for run in (*HISTOGRAMS, *HISTOGRAMS_CPU)} == {50}
    assert [run.epochs for run in HISTOGRAMS_CPU[:24]] == [1] * 24, "what decides comes first"
    assert {run.seed for run in HISTOGRAMS_CPU if run.epochs > 1 and run.model == "resnet18"} == {
        *range(3)
    }


def test_probes_are_asked_for_by_the_plans_that_need_them():
    assert {name for name, plan in PLANS.items() if plan.probes} == {
        "resnet-histograms",
        "resnet-histograms-cpu",
        "mnist-optimizers",
        "cifar-optimizers",
    }
    shared = set(ABLATION) & set(HISTOGRAMS)
    assert all(probes_of(run) == ("histograms",) for run in shared)
    assert not any(probes_of(run) for run in {*ABLATION, *FASHION} - shared)


def test_the_grid_selects_on_held_out_images():
    assert {run.validation_size for run in GRID} == {5_000}
    counts = Counter((run.model, run.optimizer, run.learning_rate) for run in GRID)
    assert counts == {
        (model, optimizer, rate): 9 * 4
        for model in ("resnet18", "resnet50")
        for optimizer in ("adam", "sgd")
        for rate in (0.01, 0.005, 0.001)
    }
    assert {run.batch_size for run in GRID} == set(range(20, 101, 10))
    assert len({run.key for run in GRID}) == 432
    assert not {run.key for run in GRID} & {run.key for run in ABLATION}


def test_smaller_trials_of_the_plans_of_resnets():
    fields = {"dataset": "synthetic-color", "epochs": 1, "train_size": 100}
    trial = resnet_ablation(["resnet18"], [20], seeds=1, **fields)
    assert [run.norm for run in trial.experiments] == ["batch", "affine", "batch-minus", "none"]
    assert {run.dataset for run in trial.experiments} == {"synthetic-color"}
    trial = resnet_grid(["resnet18"], [20], [0.01], ["sgd"], validation_size=50, **fields)
    assert {(run.optimizer, run.validation_size) for run in trial.experiments} == {("sgd", 50)}
    trial = resnet_cpu(seeds=1, short_seeds=2, short_epochs=1, **fields | {"epochs": 3})
    counts = Counter((run.model, run.epochs, run.train_size) for run in trial.experiments)
    assert counts == {("resnet18", 3, 100): 4 * 1, ("resnet50", 1, 100): 4 * 2}
    assert resnet_cpu().experiments == ON_CPU


def test_smoke_needs_no_download():
    assert {run.dataset for run in PLANS["smoke"].experiments} == {"fashion-mnist-sample"}


def test_unknown_plan():
    with pytest.raises(PlanError, match="did you mean smoke"):
        named("smokes")


def test_source_c_varies_norm_and_optimizer_alone():
    for name, seeds, others in (("mnist-optimizers", 10, 10), ("cifar-optimizers", 5, 1)):
        runs = PLANS[name].experiments
        counts = Counter((run.norm, run.optimizer) for run in runs)
        assert counts == {
            (norm, optimizer): seeds if norm in ("none", "batch") else others
            for norm in ("none", "batch", "layer", "group", "weight")
            for optimizer in ("sgd", "adam")
        }
        fixed = {
            run.replace(momentum=0.9).replace(
                norm="none", optimizer="adam", learning_rate=1, seed=0
            )
            for run in runs
        }
        assert len({run.replace(learning_rate=1) for run in fixed}) == 1
        assert {(run.optimizer, run.learning_rate) for run in runs} == {
            ("sgd", 0.01),
            ("adam", 0.001),
        }
        assert {run.momentum for run in runs if run.optimizer == "sgd"} == {0.0}


def test_learning_rates_are_swept_on_held_out_images():
    for name, norms, seeds in (("mnist-rates", 5, 3), ("cifar-rates", 2, 1)):
        runs = PLANS[name].experiments
        main = PLANS[name.replace("rates", "optimizers")].experiments
        assert {run.validation_size for run in runs} == {5_000}
        rates = {(run.optimizer, run.learning_rate) for run in runs}
        assert Counter(optimizer for optimizer, _ in rates).most_common()[-1][1] >= 5
        assert {(run.optimizer, run.learning_rate) for run in main} < rates
        assert len(runs) == len(rates) * norms * seeds
        assert {run.replace(validation_size=0) for run in runs} & set(main)
