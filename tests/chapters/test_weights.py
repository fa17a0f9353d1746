"""Chapter 09 holds whatever is recorded: nothing, a part, or all; its prose has no holes."""

import re

import numpy as np
import pytest

from normlib.analysis import early_updates, histograms
from normlib.analysis.histograms import Place
from normlib.book.measuring import recorded
from normlib.figures import distributions as drawn
from normlib.figures import early_updates as figures
from normlib.figures import starts
from tests.analysis.probed import RUN, even_scales, fake_probed, like_the_source, widths
from tests.chapters.chapter import Chapter

CHAPTER = Chapter("09_weights_and_gradients")
BROKEN = fake_probed(
    RUN.replace(norm="affine", seed=9), dict.fromkeys(widths(), np.inf), even_scales(np.nan)
)
LONG = [
    fake_probed(RUN.replace(norm=norm, seed=seed, epochs=5), widths((1, 2, 5)))
    for norm in ("batch", "none")
    for seed in range(2)
]


@pytest.fixture
def measured(store):
    def read(records):
        for one in records:
            store.save(one)
        return histograms.probed(store.scan()[0], store)

    return read


@pytest.mark.parametrize(
    "records",
    [[], like_the_source(1, others=False), [*like_the_source(), *LONG, BROKEN]],
    ids=["nothing", "a part", "all of epoch 1, and more"],
)
def test_every_number_of_the_prose_is_there(execute, records, capsys):
    glued = execute(CHAPTER, records)
    CHAPTER.assert_whole(glued, capsys.readouterr().out)


def test_verdicts_follow_the_records(execute, capsys):
    glued = execute(CHAPTER, like_the_source())
    out = capsys.readouterr().out
    for line in ("E7 supported", "E8 supported", "E11 not decided", "E17 supported"):
        assert line in out
    assert "normlib run resnet-histograms-cpu" in out
    assert "none (Fixup) 4, Affine (BN's start) 4." in glued["09-recorded"]
    assert re.match(r"BN \d+\.\d, Affine \d+\.\d, BN-minus", glued["09-start-gradients"])


def test_coverage_is_said_in_words(measured):
    assert "No run has been measured" in recorded([])
    assert (
        "BN 1, Affine 1, BN-minus 1, none 1, none (Fixup) 0, Affine (BN's start) 0; 6 of them"
        in recorded(measured(like_the_source(1, others=False)))
    )
    assert recorded(measured(like_the_source())).endswith("none (Fixup) 4, Affine (BN's start) 4.")


def test_densities_are_drawn_of_every_condition_that_has_runs(measured):
    runs = measured(like_the_source(2))
    early = ("input", "early")
    both = ["whole", "cut"]
    figure = drawn.changes(runs, "gradients", early, ("input", "late"), plans=both)
    titles = [one.get_title() for one in figure.axes if one.patches]
    assert titles == [starts.label(name) for name in starts.CONDITIONS]
    below = figure.get_supxlabel()
    assert below.startswith("Runs: plans whole and cut; seeds of")
    assert "none\N{NO-BREAK SPACE}(Fixup):\N{NO-BREAK SPACE}2" in below
    figure = drawn.overlaid(runs, ("final", "late"), plans=["a plan"])
    assert [len(one.patches) for one in figure.axes] == [6, 6]


def test_an_interval_takes_three_seeds(measured):
    quantities = {"weights_moved": "moved"}
    for seeds, hollow in ((2, True), (3, False)):
        runs = measured(like_the_source(seeds))
        table = early_updates.quantities(runs).assign(
            condition=[run.condition for run in runs],
            seed=[run.experiment.seed for run in runs],
        )
        figure = figures.measured(table, quantities, plans=["a plan"], margin=50.0)
        points = [line for line in figure.axes[0].lines if line.get_marker() not in ("None", "")]
        drawn_hollow = [line.get_markerfacecolor() == "white" for line in points]
        assert all(drawn_hollow) == hollow


def test_later_epochs_stand_where_they_end(measured):
    runs = measured(LONG)
    figure = figures.over_epochs(early_updates.spreads(runs), "spread", plans=["a plan"])
    (batch, none) = figure.axes[0].lines
    assert batch.get_xdata().tolist() == [0.0, 1.0, 2.0, 4.0, 5.0]
    assert len(none.get_xdata()) == 5
    assert runs[0].histograms[Place(5, "late", "final", "weights")].counts.sum() > 0


def test_scales_of_zero_are_left_out(measured):
    runs = measured(like_the_source(2))
    figure = figures.along_blocks(early_updates.scales(runs), plans=["a plan"])
    named = [
        sum(not line.get_label().startswith("_") for line in axes.lines) for axes in figure.axes
    ]
    assert named == [6, 6, 5, 6]
