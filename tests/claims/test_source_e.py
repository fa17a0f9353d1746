"""Source E's claims: what they ask for, and verdicts on invented runs whose truth is known."""

import dataclasses

import pandas as pd
import pytest

from normlib.analysis import tables
from normlib.analysis.ablation import METHODS
from normlib.analysis.contrasts import Cell
from normlib.analysis.outcome import FEWEST
from normlib.book import ledger
from normlib.claims import CLAIMS, verdicts
from normlib.claims.source_e import CLAIMS_E
from normlib.claims.source_e.distributions import PLAN as HISTOGRAMS
from normlib.claims.source_e.forms import BASIC, NETWORKS
from normlib.claims.source_e.reported import BEST_E, REPORTED_E, predicted, slips
from normlib.claims.source_e.settings import GRID, HELD_OUT, RIVALS, SEARCHED
from normlib.claims.verdicts import CONTRADICTED, SUPPORTED, UNDECIDED
from normlib.records import Experiment
from normlib.sweep.plans import PLANS
from tests.claims.resnets import SOURCES, fake_resnet, fake_table

DECIDED = [claim for claim in CLAIMS_E if claim.decision == "runs"]
ABLATION = [claim for claim in DECIDED if claim.plan == "resnet-ablation"]
RUNS = [run for plan in PLANS.values() for run in plan.experiments]


def answers(claims, table):
    return {one.claim.id: one.answer for one in verdicts.judge(claims, table)}


def by_chapter(chapter):
    return [claim.id for claim in CLAIMS_E if chapter in claim.chapters]


def test_which_chapter_decides_which_claim():
    numbers = (1, 2, 3, 4, 5, 6, 9, 10, 13, 15, 16)
    assert by_chapter("08_resnet_ablation") == [f"E{number}" for number in numbers]
    assert by_chapter("09_weights_and_gradients") == ["E7", "E8", "E11", "E17"]
    assert all(claim.chapters for claim in DECIDED)


def found(cell, last):
    """Return the seeds of the runs of all plans that a cell takes, to that epoch."""
    fields = [field.name for field in dataclasses.fields(cell)]
    return {
        run.seed
        for run in RUNS
        if run.epochs >= last
        and all(getattr(run, field) == getattr(cell, field) for field in fields)
    }


@pytest.mark.parametrize(
    "claim",
    [*ABLATION, *(claim for claim in DECIDED if claim.plan == HISTOGRAMS)],
    ids=lambda claim: claim.id,
)
def test_plans_have_the_runs_that_decide(claim):
    for test in claim.primary:
        for cell in test.first.cells:
            assert len(found(cell, test.outcome.last)) >= FEWEST, cell.name


def test_the_grid_has_the_settings_compared():
    settings = [claim for claim in DECIDED if claim.plan == GRID]
    assert [claim.id for claim in settings] == ["E9"]
    for test in settings[0].primary:
        for cell in test.first.cells:
            assert found(cell, test.outcome.last), cell.name


@pytest.mark.parametrize("claim", DECIDED, ids=lambda claim: claim.id)
def test_every_cell_is_an_experiment_that_can_be(claim):
    for test in claim.tests:
        for cell in test.first.cells:
            Experiment(dataset="cifar10", **dataclasses.asdict(cell))


def test_accuracies_are_those_of_the_last_epoch_and_distributions_of_the_first():
    for claim in DECIDED:
        last = {test.outcome.last for test in claim.primary}
        assert last <= ({15} if claim.plan != HISTOGRAMS else {1, 15}), claim.id


def test_claims_in_the_sources_own_numbers():
    """With four runs at its accuracies, the source would be right, but for two of its claims."""
    judged = answers(ABLATION, tables.runs(fake_table(SOURCES)))
    wrong = {"E6", "E13"}
    assert {name for name, answer in judged.items() if answer == CONTRADICTED} == wrong
    assert {answer for name, answer in judged.items() if name not in wrong} == {SUPPORTED}


def test_claims_where_only_normalizing_helps():
    levels = {"none": 60.0, "affine": 60.0, "batch-minus": 70.0, "batch": 70.0}
    table = tables.runs(fake_table({cell: levels[cell.norm] for cell in SOURCES}))
    judged = answers(ABLATION, table)
    assert {name for name, answer in judged.items() if answer == SUPPORTED} == {"E1", "E2", "E6"}
    refuted = {"E3", "E4", "E5", "E10", "E15", "E16"}
    assert {name for name, answer in judged.items() if answer == CONTRADICTED} == refuted


def test_a_cpus_records_decide_nothing_but_are_shown():
    records = [
        fake_resnet(cell, seed, level)
        for cell, level in SOURCES.items()
        if (cell.model, cell.batch_size) == ("resnet18", 50)
        for seed in range(2)
    ]
    records += [
        fake_resnet(cell, seed, level, epochs=5)
        for cell, level in SOURCES.items()
        if (cell.model, cell.batch_size) == ("resnet50", 50)
        for seed in range(3)
    ]
    judged = {one.claim.id: one for one in verdicts.judge(DECIDED, tables.runs(records))}
    assert {one.answer for one in judged.values()} == {UNDECIDED}
    assert set(judged["E1"].runs.values()) == {2}
    assert judged["E3"].runs == {}
    for name in ("E3", "E10", "E16"):
        fifth = [one for one in judged[name].results if one.test.outcome.last == 5]
        assert fifth
        assert all(one.n == 3 and one.test.role == "secondary" for one in fifth)


@pytest.mark.parametrize("seeds", [0, 1, 2])
def test_too_few_seeds_decide_nothing(seeds):
    table = tables.runs(fake_table(SOURCES, seeds=seeds))
    assert set(answers(DECIDED, table).values()) == {UNDECIDED}


def grid(levels):
    """Return three runs of every setting of the grid, by optimizer and learning rate."""
    return fake_table(
        {
            Cell(
                model=model,
                batch_size=50,
                norm=norm,
                validation_size=HELD_OUT,
                optimizer=optimizer,
                learning_rate=learning_rate,
            ): level
            for model in SEARCHED
            for norm in METHODS
            for (optimizer, learning_rate), level in levels.items()
        },
        seeds=3,
    )


def test_the_best_setting_is_judged_on_held_out_images():
    e9 = [CLAIMS["E9"]]
    best = {("adam", 0.001): 70.0} | dict.fromkeys(RIVALS, 20.0)
    assert len(CLAIMS["E9"].primary) == 40
    assert answers(e9, tables.runs(grid(best))) == {"E9": SUPPORTED}
    assert answers(e9, tables.runs(grid(best | {("sgd", 0.01): 90.0}))) == {"E9": CONTRADICTED}
    assert answers(e9, tables.runs(fake_table(SOURCES))) == {"E9": UNDECIDED}


def epoch_1(rows):
    """Return a chapter's table: per run of ResNet18 its numbers in epoch 1, jittered by seed."""
    made = []
    for norm, numbers in rows.items():
        for seed in range(4):
            (row,) = tables.runs(
                [
                    fake_resnet(
                        Cell(model="resnet18", batch_size=50, norm=norm), seed, 50.0, epochs=1
                    )
                ]
            ).to_dict("records")
            jitter = 0.01 * (seed - 1.5) * (1 + len(norm))
            made.append(row | {name: value + jitter for name, value in numbers.items()})
    return pd.DataFrame(made)


LIKE_THE_SOURCE = {
    "batch": {
        "weights_moved": 30.0,
        "input_gradients_widening": -1.0,
        "start_activation_disparity": 1.0,
        "start_gradient_disparity": 2.0,
    },
    "affine": {
        "final_late_weights_apart": 10.0,
        "final_late_gradients_apart": 15.0,
        "weights_moved": 30.0,
        "input_gradients_widening": 1.0,
    },
    "none": {"start_activation_disparity": 3.0, "start_gradient_disparity": 5.0},
}


def accuracies(fixup):
    """Return runs of ResNet18 at batch 50 under BN, none, and none that Fixup starts."""
    levels = {
        ("batch", "torchvision"): 76.0,
        ("none", "torchvision"): 68.0,
        ("none", "fixup"): fixup,
    }
    return tables.runs(
        fake_table(
            {
                Cell(model="resnet18", batch_size=50, norm=norm, initialization=start): level
                for (norm, start), level in levels.items()
            }
        )
    )


@pytest.mark.parametrize(("fixup", "answer"), [(75.0, SUPPORTED), (69.0, CONTRADICTED)])
def test_distributions_as_the_source_sees_them(fixup, answer):
    table = pd.concat([accuracies(fixup), epoch_1(LIKE_THE_SOURCE)])
    claims = [claim for claim in DECIDED if claim.plan == HISTOGRAMS]
    expected = dict.fromkeys(("E7", "E8", "E17"), SUPPORTED) | {"E11": answer}
    assert answers(claims, table) == expected


def test_distributions_otherwise():
    table = epoch_1(
        {
            "batch": {"weights_moved": 30.0, "input_gradients_widening": 0.5},
            "affine": {
                "final_late_weights_apart": 10.0,
                "final_late_gradients_apart": 80.0,
                "weights_moved": 90.0,
                "input_gradients_widening": 1.0,
            },
        }
    )
    claims = [claim for claim in DECIDED if claim.plan == HISTOGRAMS]
    expected = dict.fromkeys(("E7", "E8", "E17"), CONTRADICTED) | {"E11": UNDECIDED}
    assert answers(claims, table) == expected


def test_every_test_can_be_said_in_the_names_of_the_figures():
    judged = verdicts.judge(CLAIMS_E, tables.runs(fake_table(SOURCES)))
    said = pd.concat([ledger.comparisons(judged), ledger.comparisons(judged, "secondary")])
    assert len(said) == sum(len(claim.tests) for claim in CLAIMS_E)
    everything = " ".join([*said["compared"], *ledger.verdicts(judged)["runs (seeds)"]])
    assert "`" not in everything
    assert "batch-minus" not in everything
    assert "BN-minus \N{MINUS SIGN} BN, ResNet18, batch 20" in everything
    assert "BN-minus, ResNet18, batch 20 (4)" in everything
    for words in ("above \N{MINUS SIGN}1 point", "below 25%", "within ±2.5 points"):
        assert words in set(said["claimed"])
    assert {"above 0 points", "below 0 doublings"} <= set(said["claimed"])
    last = "test accuracy, epoch\N{NO-BREAK SPACE}15"
    assert {last, "test accuracy, epochs 11–15"} <= set(said["outcome"])


def test_the_sources_tables():
    assert len(SOURCES) == len(REPORTED_E) == 32
    assert SOURCES[Cell(model="resnet50", batch_size=20, norm="batch-minus")] == 55.97
    assert {one.runs for one in REPORTED_E if one.cell.model != "resnet18"} == {1}
    assert {one.table for one in REPORTED_E if one.cell.model == "resnet101"} == {7}
    affine = {
        (one.cell.model, one.cell.batch_size): one.accuracy
        for one in REPORTED_E
        if one.cell.norm == "affine"
    }
    assert all(
        affine[one.cell.model, one.cell.batch_size] > one.accuracy
        for one in REPORTED_E
        if one.cell.norm == "none"
    )


def test_a_mean_of_four_is_held_against_its_own_interval():
    levels = {cell: level for cell, level in SOURCES.items() if cell.model in BASIC}
    shifted = {
        cell: level + (1.0 if cell.norm == "batch" else 0.0) for cell, level in levels.items()
    }
    rows = predicted(tables.runs(fake_table(shifted)))
    assert len(rows) == 32
    seen = rows[rows["model"].isin(BASIC)]
    assert (seen["n"] == 4).all()
    assert (seen["inside"].astype(bool) == (seen["norm"] != "batch")).all()
    missing = rows[~rows["model"].isin(BASIC)]
    assert missing["inside"].isna().all()
    width = (seen["new_high"] - seen["new_low"]).groupby(seen["model"]).mean()
    assert width["resnet18"] < width["resnet34"]


def test_tables_2_and_3_do_not_agree_with_the_others():
    found = slips()
    assert len(found) == len(BEST_E) == 8
    moved = found[found["said"] != found["elsewhere"]]
    assert len(moved) == 7
    assert found.loc[found["said"] == found["elsewhere"], "norm"].tolist() == ["batch-minus"]
    first = found.iloc[0]
    assert (first["said"], first["network"], first["elsewhere"]) == (30, "resnet18", 20)
    beaten = found[found["best"] > found["accuracy"]]
    assert set(zip(beaten["norm"], beaten["best_network"], strict=True)) == {
        ("batch", "resnet34"),
        ("affine", "resnet101"),
    }
    assert set(found["network"]) == {"resnet18", "resnet50"} <= set(NETWORKS)
