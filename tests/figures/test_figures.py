"""What is drawn is what the table says; figures are the same bytes every time."""

import io

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex

from normlib import figures
from normlib.analysis import summaries, tables
from normlib.analysis.outcome import Outcome
from normlib.figures import palette, style
from normlib.figures.curves import means
from tests.fakes import fake_sweep

FINAL = Outcome(quantity="test_accuracy", first=10, last=10)
PANELS = [
    figures.Panel(title="training", quantity="train_accuracy_running"),
    figures.Panel(title="test", quantity="test_accuracy"),
]
NORMS = ["none", "layer", "tensorflow:layer"]


@pytest.fixture(scope="module")
def table():
    return tables.runs(fake_sweep())


@pytest.fixture(scope="module")
def single():
    return pd.DataFrame({"norm": ["layer"], "epoch": [10], "accuracy": [91.0]})


def svg(figure):
    stream = io.BytesIO()
    with plt.rc_context(style.STYLE):
        figure.savefig(stream, format="svg", metadata={"Date": None})
    return stream.getvalue()


def words(figure):
    return " ".join(text.get_text() for text in figure.findobj(plt.Text)).replace("\u00a0", " ")


def test_curves_are_means_with_intervals_in_the_methods_look(table):
    figure = figures.learning_curves(table, NORMS, PANELS, plan="p")
    axes = figure.axes[1]
    assert len(axes.lines) == len(axes.collections) == len(NORMS)
    for norm, line, band in zip(NORMS, axes.lines, axes.collections, strict=True):
        curve = means(table, norm, "test_accuracy")
        assert line.get_ydata() == pytest.approx(curve["mean"].to_numpy())
        assert to_hex(line.get_color()) == palette.colour(norm)
        assert line.get_linestyle() == palette.line(norm)
        corners = band.get_paths()[0].vertices[:, 1]
        assert corners.min() == pytest.approx(curve["low"].min())
        assert corners.max() == pytest.approx(curve["high"].max())
    assert axes.get_ylabel() == "test accuracy (%)"


def test_curves_end_where_asked_and_leave_out_what_is_not_recorded(table):
    figure = figures.learning_curves(table, [*NORMS, "rms"], PANELS, plan="p", last=4)
    assert [max(line.get_xdata()) for line in figure.axes[0].lines] == [4, 4, 4]
    assert "RMSNorm" not in words(figure)


@pytest.mark.parametrize("runs", [1, 2, 3])
def test_a_band_takes_three_runs(runs):
    table = tables.runs(fake_sweep({"none": runs}))
    curve = means(table, "none", "test_accuracy")
    assert curve["n"].tolist() == [runs] * 10
    assert curve["mean"].tolist() == pytest.approx(table.groupby("epoch")["test_accuracy"].mean())
    assert curve[["low", "high"]].isna().all().tolist() == [runs < 3] * 2


def test_marks_are_the_sources_numbers(table, single):
    axes = figures.learning_curves(table, NORMS, PANELS, plan="p", marks=single).axes[1]
    marked = [
        line for line in axes.lines if line.get_linestyle() == "None" and len(line.get_ydata())
    ]
    assert [line.get_ydata().tolist() for line in marked] == [[91.0]]


def test_accuracies_have_our_means_and_the_sources_crosses(table, single):
    summary = summaries.summary(table, FINAL)
    axes = figures.accuracies({10: summary}, single, plan="p").axes[0]
    points = [line.get_xdata()[0] for line in axes.lines if line.get_marker() not in ("None", "x")]
    assert points == pytest.approx(summary["mean"].tolist())
    cross = next(line for line in axes.lines if line.get_marker() == "x")
    assert cross.get_xdata().tolist() == [91.0]
    names = [tick.get_text() for tick in axes.get_yticklabels()]
    assert cross.get_ydata().tolist() == [names.index("LN")]


def test_forest_fills_what_is_decided(table):
    found = summaries.differences(table, FINAL)
    axes = figures.forest({"t": found}, plan="p").axes[0]
    points = [line for line in axes.lines if line.get_marker() != "None"]
    assert [p.get_xdata()[0] for p in points] == pytest.approx(found["mean"].tolist())
    filled = [p.get_markerfacecolor() != "white" for p in points]
    assert filled == (found["p_holm"] < 0.05).tolist()
    assert any(filled)
    assert not all(filled)


def test_forest_of_equivalences_shows_the_margin(table):
    found = summaries.equivalences(table, FINAL, [("batch", "torch:batch")], 0.2)
    axes = figures.forest({"t": found}, plan="p", margin=0.2).axes[0]
    (band,) = axes.patches
    assert (band.get_x(), band.get_width()) == pytest.approx((-0.2, 0.4))


def test_predictions_show_interval_rounding_and_number():
    row = ("A", "custom LN", "layer", 10, 91.0, 0.25, 20, 90.5, 90.0, 91.1, True)
    columns = "source condition norm epoch reported rounding n mean new_low new_high inside"
    frame = pd.DataFrame([row], columns=columns.split())
    axes = figures.predictions(frame, plan="p").axes[0]
    drawn = [line.get_xdata() for line in axes.lines]
    for expected in ([90.0, 91.1], [90.75, 91.25], [91.0]):
        assert any(len(x) == len(expected) and np.allclose(x, expected) for x in drawn)


def test_times_start_at_zero(table):
    assert figures.times(summaries.timing(table), plan="p").axes[0].get_xlim()[0] == 0


def draw_all(table, single):
    summary = summaries.summary(table, FINAL)
    return [
        figures.learning_curves(table, NORMS, PANELS, plan="my-plan", marks=single),
        figures.accuracies({10: summary}, single, plan="my-plan"),
        figures.forest({"t": summaries.differences(table, FINAL)}, plan="my-plan"),
        figures.times(summaries.timing(table), plan="my-plan"),
    ]


def test_every_figure_names_its_runs(table, single):
    for figure in draw_all(table, single):
        assert "plan my-plan" in words(figure)
        assert "LN: 20" in words(figure)
        assert "TensorFlow LN: 5" in words(figure)


def test_the_same_table_gives_the_same_bytes_on_white(table, single):
    first, second = draw_all(table, single), draw_all(table, single)
    assert [svg(f) for f in first] == [svg(f) for f in second]
    assert {to_hex(f.get_facecolor()) for f in first} == {"#ffffff"}


def test_nothing_recorded_is_said_not_drawn(single):
    for figure in draw_all(tables.runs([]), single):
        assert "no runs recorded yet" in words(figure)
        svg(figure)


def test_figures_do_not_pile_up_or_leak_their_style(table, single):
    before = dict(plt.rcParams)
    draw_all(table, single)
    assert plt.get_fignums() == []
    assert dict(plt.rcParams) == before
