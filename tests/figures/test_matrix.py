"""The matrix shows what was measured, and says loudly where that is not what was declared."""

import io

import matplotlib.pyplot as plt
import pandas as pd
import pytest
from matplotlib.colors import to_hex

from normlib.figures import families, matrix, style

ROWS = [
    ("one", "First Norm", "sample", "weight scaled", True, True),
    ("one", "First Norm", "sample", "batch split", False, False),
    ("two", "a second method with a long title", "batch", "weight scaled", True, False),
    ("two", "a second method with a long title", "batch", "batch split", False, True),
]
COLUMNS = ["method", "title", "family", "transformation", "invariant", "declared"]


@pytest.fixture
def rows():
    return pd.DataFrame(ROWS, columns=COLUMNS)


def axes_of(rows):
    return matrix.invariances(rows, source="Data: d").axes[0]


def marks(axes, marker):
    found = [line for line in axes.lines if line.get_marker() == marker]
    return {(round(line.get_xdata()[0]), line.get_ydata()[0]): line for line in found}


def test_a_disc_is_invariant_and_a_dash_is_not(rows):
    axes = axes_of(rows)
    discs, dashes = marks(axes, "o"), marks(axes, "_")
    assert [column for column, _ in discs] == [0, 0]
    assert [column for column, _ in dashes] == [1, 1]
    colours = {to_hex(line.get_color()) for line in discs.values()}
    assert colours == {families.colour("sample"), families.colour("batch")}


def test_each_family_stands_together_under_its_name(rows):
    axes = axes_of(rows)
    labels = [label.get_text().replace("\n", " ") for label in axes.get_yticklabels()]
    places = dict(zip(labels, axes.get_yticks(), strict=True))
    assert places["a second method with a long title"] < places["First Norm"]
    assert {"batch", "sample"} <= {text.get_text() for text in axes.texts}


def test_disagreement_is_boxed_and_shouted_with_or_without_colour(rows):
    axes = axes_of(rows)
    shouts = [text for text in axes.texts if text.get_text() == "!"]
    boxes = [patch for patch in axes.patches if patch.get_linewidth() == 2.2]
    (place,) = {text.get_position()[1] for text in shouts}
    assert len(shouts) == len(boxes) == 2
    assert axes.get_yticks()[0] != place
    assert place in axes.get_yticks()
    agreeing = rows[rows["invariant"] == rows["declared"]]
    assert "!" not in {text.get_text() for text in axes_of(agreeing).texts}


def test_columns_are_named_above_and_lettered_at_each_family(rows):
    axes = axes_of(rows)
    assert [tick.get_text() for tick in axes.get_xticklabels()] == [
        "a  weight scaled",
        "b  batch split",
    ]
    assert [text.get_text() for text in axes.texts].count("a") == 2


def test_a_phone_need_not_shrink_it_to_nothing(rows):
    figure = matrix.invariances(rows, source="Data: d")
    smallest = min(tick.get_fontsize() for tick in figure.axes[0].get_yticklabels())
    assert figure.get_size_inches()[0] <= 5
    assert smallest * min(1, 340 / (96 * figure.get_size_inches()[0])) >= 7  # points on a phone


def test_the_same_bytes_every_time_and_the_source_below(rows):
    drawn = [matrix.invariances(rows, source="Data: d") for _ in range(2)]
    assert drawn[0].get_supxlabel() == "Data: d"
    assert len({svg(figure) for figure in drawn}) == 1


def svg(figure):
    stream = io.BytesIO()
    with plt.rc_context(style.STYLE):
        figure.savefig(stream, format="svg", metadata={"Date": None})
    return stream.getvalue()
