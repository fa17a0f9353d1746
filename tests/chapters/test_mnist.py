"""Chapter 06 holds whatever is recorded: nothing, a part, or all; its prose has no holes."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from normlib.analysis import learned, tables
from normlib.book import optimizing, optimizing_words
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


def test_a_mean_says_what_it_lacks():
    table = pd.DataFrame({"optimizer": "sgd", "norm": ["none"] * 3 + ["batch"]})
    table = table.assign(moved=[1.0, np.nan, 2.0, np.nan], noise=50.0)
    said = optimizing.rounded_measures(table, PAIR, {"moved": "moved", "noise": "noise"})
    assert said[1:] == [
        "none, SGD: 1.5 (of 2), 50.0 over 3 seeds",
        "batch, SGD: not defined, 50.0 over 1 seeds",
    ]


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
    said = optimizing_words.tuned(table, PAIR)
    assert "is +5.00 [+5.00,\u00a0+5.00] under SGD (+6.00 [+6.00,\u00a0+6.00] at" in said
    assert "BN under SGD (0.01) and none under Adam (0.01)" in said
    assert "are best at ends of theirs" in said
    assert "none under SGD" not in said.split(". ")[1]
    one = optimizing_words.tuned(table[table["seed"] == 0], PAIR)
    assert "is +5.00 under SGD (+6.00 at the fixed rate)" in one
    assert optimizing_words.tuned(table[table["norm"] == "none"], PAIR).startswith(
        "No learning rate"
    )


def test_a_run_that_diverges_has_no_mean_of_all_epochs():
    rows = [
        {"key": f"{norm}{seed}", "optimizer": "sgd", "norm": norm, "seed": seed, "epoch": epoch}
        | {"train_loss_running": 2.0 + (norm == "none"), "test_accuracy": 90.0 + (norm == "batch")}
        for norm in PAIR
        for seed in range(4)
        for epoch in (1, 2)
    ]
    table = pd.DataFrame(rows)
    lost = (table["key"] == "batch0") & (table["epoch"] == 2)
    table.loc[lost, ["train_loss_running", "test_accuracy"]] = [np.nan, 10.0]
    found = optimizing.gaps(table, PAIR, 2).set_index(["optimizer", "quantity"])
    loss = found.loc[("SGD", optimizing.GAPS["train_loss_running"])]
    assert loss["all epochs"].startswith("\N{MINUS SIGN}1.00")
    assert loss["all epochs"].endswith("] (3 of 4 seeds)")
    assert loss["epoch 1"].endswith("]")
    few = table[table["seed"] < 3]
    found = optimizing.gaps(few, PAIR, 2).set_index(["optimizer", "quantity"])
    loss = found.loc[("SGD", optimizing.GAPS["train_loss_running"])]
    assert loss["all epochs"] == "2 of 3 seeds", "which have no interval"
    assert loss["epoch 1"].startswith("\N{MINUS SIGN}1.00")


def test_a_unit_without_a_p_value_is_not_called_noise(store):
    whole = learnt.fake_learnt(learnt.PLAN.experiments[0])
    arrays = learnt.fake_arrays(whole.experiment)
    arrays["first-layer/p"][:2] = [np.nan, 0.9]
    packed = learnt.pack(arrays)
    described = learnt.described(whole.experiment, packed, ["first-layer", "steps"])
    records = saved(store, [dataclasses.replace(whole, arrays=described, packed=packed)])
    (run,) = learned.first_layers(records, store)
    assert run.noisy[:2].tolist() == [False, True]
    last = learned.with_measures(tables.runs(records), [run])["noisy_units"].dropna()
    assert last.item() == pytest.approx(100 * run.noisy.sum() / (learnt.UNITS - 1), rel=0.02)


def test_sentences_say_what_the_runs_show():
    steps = pd.DataFrame(
        [("none", "sgd", 1, 2.30), ("batch", "sgd", 1, 2.38), ("batch", "sgd", 2, 1.0)],
        columns=["norm", "optimizer", "update", "loss"],
    )
    assert optimizing_words.first_losses(steps, PAIR) == "2.38 with BN and 2.30 with none"
    assert "no run" in optimizing_words.first_losses(steps[steps["norm"] == "none"], PAIR)
    means = pd.DataFrame(
        {"optimizer": "sgd", "norm": list("abcd"), "one": [1, 2, 3, 4], "two": [9, 8, 7, 6]}
    )
    assert optimizing_words.related(means, "one", "two") == "\N{MINUS SIGN}1.00 over 4 conditions"
    assert "lack of runs" in optimizing_words.related(means[:2], "one", "two")


def test_how_other_norms_end(store):
    table = tables.runs(saved(store, learnt.all_runs(3)))
    main = table[table["validation_accuracy"].isna()]
    said = optimizing_words.beside_batch(main, NORMS, 10)
    assert said.startswith("none \N{MINUS SIGN}3.00 [")
    assert [part.split()[0] for part in said.split("; ")] == ["none", "LN", "GN", "WN"]
    assert "lack of runs" in optimizing_words.beside_batch(main[:0], NORMS, 10)
    assert optimizing_words.left(main, PAIR, 10).endswith("points")
    assert optimizing_words.left(main[:0], PAIR, 10) == "too few seeds to say"


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
    assert "none:\N{NO-BREAK SPACE}3" in figure.get_supxlabel()


def test_seeds_are_counted_by_optimizer_and_rate(store):
    table = tables.runs(saved(store, learnt.all_runs(3)))
    late = (table["optimizer"] == "adam") & (table["seed"] > 0)
    swept = table["validation_accuracy"].notna()
    main = table[~swept & ~late]
    rest = table[swept & ~(late & (table["learning_rate"] == RATES["adam"]))]
    drawn = (
        figures.curves(main, ["batch"], ["test_accuracy"], plan="a plan"),
        figures.points(main, ["batch"], {"test_accuracy": "test"}, plan="a plan"),
        figures.rates(rest, ["batch"], "test_accuracy", RATES, plan="a plan"),
    )
    for figure in drawn:
        below = figure.get_supxlabel().replace("\N{NO-BREAK SPACE}", " ")
        assert below == "Runs: plan a plan; seeds of BN: 1 to 3."


def test_coverage_counts_by_plan_optimizer_and_norm(store):
    from normlib.book.gathering import gather

    saved(store, learnt.all_runs(2))
    rows = optimizing.covered(*(gather(one, store=store) for one in (learnt.PLAN, learnt.RATES)))
    assert rows["BN"].tolist() == ["2 of 10", "2 of 10", "14 of 21", "12 of 18"]
