"""Chapter 06 holds whatever is recorded: nothing, a part, or all; its prose has no holes."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from normlib.analysis import learned, tables
from normlib.book import optimizing
from normlib.claims.source_c import OTHERS, PAIR, RATES
from normlib.figures import optimizers as figures
from tests.analysis import learnt
from tests.chapters.chapter import Chapter

CHAPTER = Chapter("06_mnist_optimizers")
NORMS = [*PAIR, *OTHERS]


@pytest.mark.parametrize("seeds", [0, 1, 3], ids=["nothing", "one seed", "three seeds"])
def test_every_number_of_the_prose_is_there(execute, seeds, capsys):
    glued = execute(CHAPTER, learnt.all_runs(seeds))
    CHAPTER.assert_whole(glued, capsys.readouterr().out)


def test_verdicts_follow_the_records(execute, capsys):
    execute(CHAPTER, learnt.all_runs(4))
    out = capsys.readouterr().out
    for line in (
        "C1 supported",
        "C2 supported",
        "C3 supported",
        "C4 supported",
        "C10 contradicted",
    ):
        assert line in out
    assert "C9 not decided" in out, "it asks for CIFAR-10's runs, too"


def saved(store, records):
    for one in records:
        store.save(one)
    return store.scan()[0]


def test_quantities_stand_in_their_epochs(store):
    records = saved(store, [learnt.fake_learnt(run) for run in learnt.PLAN.experiments[:4]])
    runs = learned.first_layers(records, store)
    table = learned.with_measures(tables.runs(records), runs)
    for run in runs:
        own = table[table["key"] == run.key].set_index("epoch")
        expected = 100 * run.arrays["autocorrelation"][1:].mean(axis=1)
        np.testing.assert_allclose(own["weights_autocorrelation"], expected, rtol=1e-6)
        assert own["noisy_units"].drop(10).isna().all()
        noisy = learnt.LEVELS[run.experiment.norm][2]
        assert own["noisy_units"][10] == pytest.approx(100 * noisy / learnt.UNITS)
        assert run.noisy.sum() == noisy
        assert run.weights.shape == (learnt.UNITS, 1, 28, 28)
        assert np.abs(run.weights).max() == pytest.approx(0.1)


def test_a_run_that_did_not_come_to_its_end_has_no_share_of_noise(store):
    whole = learnt.fake_learnt(learnt.PLAN.experiments[0])
    arrays = learnt.fake_arrays(whole.experiment)
    arrays |= {
        "first-layer/p": np.full(learnt.UNITS, np.nan),
        "first-layer/image": np.zeros((0, 1, 28, 28), np.int8),
        "first-layer/scale": np.zeros(0, np.float32),
        "first-layer/moved": arrays["first-layer/moved"][:4],
        "first-layer/autocorrelation": arrays["first-layer/autocorrelation"][:4],
    }
    packed = learnt.pack(arrays)
    described = learnt.described(whole.experiment, packed, ["first-layer", "steps"])
    cut = dataclasses.replace(whole, arrays=described, packed=packed)
    records = saved(store, [cut])
    runs = learned.first_layers(records, store)
    table = learned.with_measures(tables.runs(records), runs)
    assert table["noisy_units"].isna().all()
    assert table["weights_autocorrelation"].notna().sum() == 3
    shown, _, _ = optimizing.grids(runs, PAIR, seed=0)
    assert set(shown.values()) == {None}


def test_the_best_rate_is_chosen_on_held_out_images():
    rows = [
        {
            "key": f"{optimizer}{norm}{rate}{seed}",
            "optimizer": optimizer,
            "norm": norm,
            "seed": seed,
            "learning_rate": rate,
            "epoch": 2,
            "validation_accuracy": 90 - 10 * abs(np.log10(rate) - np.log10(best)) + seed,
            "test_accuracy": level + (rate == best),
        }
        for optimizer, rates in {"sgd": (0.01, 0.1, 1.0), "adam": (0.001, 0.01)}.items()
        for norm, best, level in (("none", 0.1, 80.0), ("batch", 0.01, 85.0))
        for rate in rates
        for seed in range(3)
    ]
    table = pd.DataFrame(rows)
    best = optimizing.best_rates(table, PAIR).set_index(["optimizer", "norm"])
    assert best.loc[("SGD", "none"), "best rate"] == "0.1"
    assert best.loc[("SGD", "BN"), "best rate"] == "0.01"
    assert best.loc[("SGD", "none"), "test (%)"] == 81
    assert best.loc[("SGD", "none"), "test, fixed rate (%)"] == 80
    said = optimizing.tuned(table, PAIR)
    assert "under SGD +5.00 points of test accuracy, where the fixed rate gives +6.00" in said
    assert optimizing.tuned(table[table["norm"] == "none"], PAIR).startswith("No learning rate")


def test_figures_have_a_panel_per_optimizer_and_a_line_per_norm(store):
    records = saved(store, learnt.all_runs(3))
    main = [one for one in records if not one.experiment.validation_size]
    rest = [one for one in records if one.experiment.validation_size]
    table = tables.runs(main)
    figure = figures.curves(table, NORMS, ["train_loss_running", "test_accuracy"], plan="a plan")
    assert [axes.get_title() for axes in figure.axes] == ["SGD", "Adam"] * 2
    assert all(len(axes.lines) == len(NORMS) for axes in figure.axes)
    steps = learned.steps(main, store)
    assert len(steps) == len(main) * learnt.STEPS
    figure = figures.first_steps(steps, PAIR, "loss", plan="a plan")
    first = figure.axes[0].lines[0]
    own = steps[(steps["optimizer"] == "sgd") & (steps["norm"] == "none")]
    means = own.groupby("update")["loss"].mean()
    assert first.get_ydata()[0] == pytest.approx(means[1])
    assert first.get_ydata()[-1] == pytest.approx(means.iloc[-figures.WINDOW :].mean())
    figure = figures.rates(tables.runs(rest), NORMS, "validation_accuracy", RATES, plan="a plan")
    assert [len(axes.lines) for axes in figure.axes] == [1 + len(NORMS)] * 2
    assert figure.axes[0].get_xscale() == "log"
    runs = learned.first_layers(main, store)
    last = optimizing.last_measures(learned.with_measures(table, runs), runs)
    figure = figures.points(last, NORMS, {"noisy_units": "noise", "moved": "moved"}, plan="a plan")
    assert len(figure.axes[0].get_yticks()) == 2 * len(NORMS)
    assert "none:\N{NO-BREAK SPACE}3" in figure._supxlabel.get_text()


def test_coverage_counts_by_plan_optimizer_and_norm(store):
    from normlib.book.gathering import gather

    saved(store, learnt.all_runs(2))
    rows = optimizing.covered(*(gather(one, store=store) for one in (learnt.PLAN, learnt.RATES)))
    assert rows["BN"].tolist() == ["2 of 10", "2 of 10", "14 of 21", "12 of 18"]
