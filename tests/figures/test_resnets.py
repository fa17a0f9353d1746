"""The ablation's figures show what their tables say, whatever is recorded."""

import functools
import io

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_hex

from normlib.analysis import ablation, tables
from normlib.book import sourced
from normlib.claims.source_e.forms import BATCHES, EPOCH_15, NETWORKS
from normlib.claims.source_e.reported import predicted
from normlib.figures import palette, resnets, resnets_effects, resnets_factors, resnets_summary
from normlib.figures import style as book
from normlib.figures.curves import means
from tests.claims.resnets import SOURCES, fake_table

SEEDS = {"none": 0, "two": 2, "four": 4}
THEIRS = sourced.reported_runs()


@functools.cache
def runs(kind):
    return tables.runs(fake_table(SOURCES, SEEDS[kind])) if kind != "source" else THEIRS


@functools.cache
def cells(kind):
    return ablation.cells(runs(kind), NETWORKS, BATCHES, EPOCH_15)


@functools.cache
def crossed(kind):
    return ablation.factorial(runs(kind), NETWORKS, BATCHES, EPOCH_15)


@functools.cache
def between(kind):
    return ablation.between_batches(runs(kind), NETWORKS, BATCHES, EPOCH_15)


def curves(kind):
    return resnets.curves(
        runs(kind), "resnet18", BATCHES, plan="a-plan", epochs=15, reported=THEIRS
    )


def bars(kind):
    best = [ablation.better_batches(cells(one)) for one in (kind, "source")]
    return resnets_summary.bars(*best, cells(kind), NETWORKS, plan="a-plan")


def crossing(kind):
    return resnets_factors.crossing(
        cells(kind), NETWORKS, BATCHES, plan="a-plan", reported=cells("source")
    )


def effects(kind):
    return resnets_effects.effects(crossed(kind), crossed("source"), "effect", plan="a-plan")


def batches(kind):
    return resnets_effects.effects(
        between(kind), between("source"), "norm", plan="a-plan", margin=2.5
    )


def predictions(kind):
    return resnets_effects.predictions(predicted(runs(kind)), list(NETWORKS), plan="a-plan")


DRAWN = (curves, bars, crossing, effects, batches, predictions)


def svg(figure):
    stream = io.BytesIO()
    with plt.rc_context(book.STYLE):
        figure.savefig(stream, format="svg", metadata={"Date": None})
    return stream.getvalue()


def text(figure):
    return " ".join(one.get_text() for one in figure.findobj(plt.Text)).replace("\u00a0", " ")


def drawn(axes, marker):
    """Return where single points of a marker stand."""
    lines = [line for line in axes.lines if line.get_marker() == marker and len(line.get_xdata())]
    return [(line.get_xdata()[0], line.get_ydata()[0]) for line in lines]


@pytest.mark.parametrize("draw", DRAWN)
@pytest.mark.parametrize("kind", SEEDS)
def test_figures_name_their_runs_and_are_the_same_bytes_every_time(draw, kind):
    figure = draw(kind)
    assert "plan a-plan" in text(figure)
    assert ("no runs recorded yet" in text(figure)) == (kind == "none")
    assert "nan" not in text(figure)
    assert svg(figure) == svg(draw(kind))
    assert to_hex(figure.get_facecolor()) == "#ffffff"
    assert plt.get_fignums() == []


def test_curves_have_a_band_from_three_seeds_on_and_runs_below():
    four, two = (curves(kind).axes[0] for kind in ("four", "two"))
    assert len(four.collections) == 4
    assert len(two.collections) == 0
    thin = [line for line in two.lines if line.get_linewidth() < 1]
    assert len(thin) == 4 * 2
    table = runs("four")
    here = table[(table["model"] == "resnet18") & (table["batch_size"] == 20)]
    curve = means(here, "affine", "test_accuracy")
    line = next(x for x in four.lines if to_hex(x.get_color()) == palette.colour("affine"))
    assert line.get_ydata() == pytest.approx(curve["mean"].to_numpy())


def test_the_sources_marks_are_beside_the_last_epoch():
    axes = curves("four").axes[0]
    hollow = [
        line
        for line in axes.lines
        if line.get_markerfacecolor() == "white" and len(line.get_xdata())
    ]
    assert [line.get_ydata()[0] for line in hollow] == [76.65, 67.94, 77.30, 66.43]
    assert all(15 < line.get_xdata()[0] < axes.get_xlim()[1] for line in hollow)


def test_bars_start_at_zero_and_name_their_batch_size():
    axes = bars("four").axes[0]
    tall = [bar for bar in axes.patches if bar.get_height() > 0]
    assert len(tall) == 16
    assert axes.get_ylim() == (0, 100)
    best = ablation.better_batches(cells("four")).set_index(["model", "norm"])
    best = best.loc[[(model, norm) for model in NETWORKS for norm in ablation.METHODS]]
    assert [bar.get_height() for bar in tall] == pytest.approx(best["mean"].tolist())
    sizes = [one.get_text() for one in axes.texts]
    assert sizes == [str(size) for size in best["batch_size"]]


def test_crossing_joins_what_is_normalized_with_what_is_not():
    figure = crossing("four")
    assert len(figure.axes) == 8
    ours = [line for line in figure.axes[3].lines if line.get_color() == "#333333"]
    ends = {line.get_linestyle(): line.get_ydata() for line in ours if len(line.get_ydata())}
    assert ends["-"] == pytest.approx([70.32, 69.71], abs=0.5)
    assert ends["--"] == pytest.approx([68.19, 44.12], abs=0.5)


def test_effects_are_the_tables_with_the_sources_crosses():
    found = crossed("four")
    figure = effects("four")
    for axes, effect in zip(figure.axes, ablation.FACTORS, strict=True):
        assert axes.get_title() == effect
        points = {y: x for x, y in drawn(axes, "o")}
        expected = found.loc[found["effect"] == effect, "mean"].tolist()
        assert [points[place] for place in range(8)] == pytest.approx(expected)
        crosses = {round(y - resnets_effects.BELOW): x for x, y in drawn(axes, "x")}
        assert len(crosses) == 8
        assert np.allclose([crosses[k] for k in range(8)], expected, atol=1.0)


def test_a_point_of_few_seeds_is_hollow():
    for kind, hollow in (("two", True), ("four", False)):
        axes = effects(kind).axes[0]
        points = [p for p in axes.lines if p.get_marker() == "o" and len(p.get_xdata())]
        assert {point.get_markerfacecolor() == "white" for point in points} == {hollow}


def test_the_margin_is_a_band():
    (band,) = batches("four").axes[2].patches
    assert (band.get_x(), band.get_width()) == pytest.approx((-2.5, 5.0))


def test_one_batch_size_leaves_nothing_to_compare():
    found = ablation.between_batches(runs("four"), NETWORKS, [50], EPOCH_15)
    figure = resnets_effects.effects(found, found, "norm", plan="a-plan")
    assert "one batch size only" in text(figure)


def test_predictions_have_the_sources_numbers_in_place():
    figure = predictions("four")
    axes = figure.axes[3]
    assert axes.get_title() == "ResNet101"
    crosses = {round(y - resnets_effects.BELOW): x for x, y in drawn(axes, "x")}
    names = [tick.get_text() for tick in figure.axes[2].get_yticklabels()]
    assert crosses[names.index("BN-minus, batch 50")] == 41.28
    assert "our runs: mean, 95% prediction interval" in text(figure)
    assert "our runs: mean, 95% interval" in text(effects("four"))
