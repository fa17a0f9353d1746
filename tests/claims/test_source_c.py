"""Source C's claims: what they ask for, and verdicts on invented runs whose truth is known."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from normlib.analysis.outcome import FEWEST
from normlib.book import ledger
from normlib.claims import source_c, verdicts
from normlib.claims.source_c import CLAIMS_C, OPTIMIZERS, cell
from normlib.claims.verdicts import CONTRADICTED, SUPPORTED, UNDECIDED
from normlib.sweep.plans import PLANS

EPOCHS = {"mlp": 10, "vgg": 15}
PLAIN = {
    "train_loss_running": 0.5,
    "test_accuracy": 80.0,
    "weights_autocorrelation": 40.0,
    "noisy_units": 5.0,
    "recognized": 30.0,
    "recognized_smooth": 30.0,
    "colour_alone": 20.0,
    "colour_alone_smooth": 20.0,
}
LIKE_THE_SOURCE = {
    ("mlp", "batch", "sgd"): {
        "train_loss_running": 0.3,
        "test_accuracy": 88.0,
        "weights_autocorrelation": 30.0,
        "noisy_units": 9.0,
    },
    ("mlp", "batch", "adam"): {
        "train_loss_running": 0.45,
        "test_accuracy": 82.0,
        "weights_autocorrelation": 30.0,
        "noisy_units": 1.0,
    },
    ("vgg", "none", "sgd"): {"test_accuracy": 12.0, "recognized": 12.0, "colour_alone": 60.0},
    ("vgg", "batch", "sgd"): {"test_accuracy": 50.0, "recognized": 40.0},
    ("vgg", "none", "adam"): {"test_accuracy": 60.0, "recognized": 20.0, "colour_alone": 40.0},
    ("vgg", "batch", "adam"): {"test_accuracy": 70.0, "recognized": 60.0},
}


def table(levels, seeds=4):
    """Return a chapter's table: every epoch of a run at its condition's levels, with some noise."""
    rows = []
    for model, epochs in EPOCHS.items():
        for norm in ("none", "batch"):
            for optimizer in OPTIMIZERS:
                values = PLAIN | levels.get((model, norm, optimizer), {})
                for seed in range(seeds):
                    chance = np.random.default_rng([seed, *f"{model}{norm}{optimizer}".encode()])
                    row = {
                        **dataclasses.asdict(cell(model, norm, optimizer)),
                        "seed": seed,
                        "key": f"{model}-{norm}-{optimizer}-{seed}",
                    }
                    jitter = chance.normal()
                    for epoch in range(1, epochs + 1):
                        noisy = {k: v * (1 + 0.002 * jitter) for k, v in values.items()}
                        rows.append(row | {"epoch": epoch} | noisy)
    return pd.DataFrame(rows)


def answers(levels, seeds=4):
    return {one.claim.id: one.answer for one in verdicts.judge(CLAIMS_C, table(levels, seeds))}


def test_runs_like_the_source_support_it_but_where_it_contradicts_itself():
    """More noisy units under BatchNorm in C10 are what C4 denies."""
    found = answers(LIKE_THE_SOURCE)
    expected = {f"C{number}": SUPPORTED for number in range(1, 10)} | {"C10": CONTRADICTED}
    assert found == expected


def test_runs_the_other_way_round_contradict_it():
    swapped = {
        (model, {"none": "batch", "batch": "none"}[norm], optimizer): levels
        for (model, norm, optimizer), levels in LIKE_THE_SOURCE.items()
    }
    found = answers(swapped)
    assert set(found.values()) <= {CONTRADICTED, UNDECIDED}
    assert [name for name, answer in found.items() if answer == CONTRADICTED] == [
        *("C1", "C2", "C3", "C4", "C5", "C6", "C7", "C8", "C9", "C10"),
    ]


def test_two_seeds_decide_nothing():
    assert set(answers(LIKE_THE_SOURCE, seeds=2).values()) == {UNDECIDED}


def test_conditions_are_those_written_down_before_the_runs():
    """They are the plans', which may change; what was claimed may not."""
    assert (source_c.PAIR, source_c.OTHERS) == (("none", "batch"), ("layer", "group", "weight"))
    assert source_c.RATES == {"sgd": 0.01, "adam": 0.001}
    assert (source_c.MNIST_EPOCHS, source_c.CIFAR_EPOCHS) == (10, 15)


@pytest.mark.parametrize("claim", CLAIMS_C, ids=lambda claim: claim.id)
def test_plans_have_the_runs_that_decide(claim):
    runs = [run for plan in PLANS.values() for run in plan.experiments]
    for test in claim.primary:
        for one in test.first.cells:
            fields = dataclasses.asdict(one)
            seeds = {
                run.seed
                for run in runs
                if run.epochs >= test.outcome.last
                and all(getattr(run, name) == value for name, value in fields.items())
            }
            assert len(seeds) >= FEWEST, one.name
            assert test.outcome.last <= EPOCHS[one.model]


def test_every_test_can_be_said_in_the_names_of_the_figures():
    judged = verdicts.judge(CLAIMS_C, table(LIKE_THE_SOURCE))
    said = pd.concat([ledger.comparisons(judged), ledger.comparisons(judged, "secondary")])
    everything = " ".join(said["compared"])
    assert "`" not in everything
    assert "BN \N{MINUS SIGN} none, two layers, SGD 0.01" in everything
    assert "Fixup" not in everything
    assert "BN \N{MINUS SIGN} none, two layers, Adam 0.001" in everything
    assert {"below 0 nats", "above 10 points", "below 20%", "above 0.8%"} <= set(said["claimed"])
