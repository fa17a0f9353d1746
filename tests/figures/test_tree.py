"""The family tree is laid out from the table alone, and its labels never meet."""

import itertools

import matplotlib.pyplot as plt
import pandas as pd
import pytest

from normlib.analysis import catalogued
from normlib.figures import families, style, tree

ROWS = [
    ("none", "no normalization", "none", "none", ""),
    ("layer", "LayerNorm", "sample", "sphere", "Ba, Kiros and Hinton 2016, https://a.org/1"),
    ("late", "a late one with a rather long title", "sample", "sphere", "Young 2025"),
    ("gate", "Gated", "sample", "mixture", "Liu et al. 2020, https://a.org/2"),
    ("batch", "BatchNorm", "batch", "sphere", "Ioffe and Szegedy 2015, https://a.org/3"),
]


@pytest.fixture
def table():
    columns = ["name", "title", "family", "kind", "paper"]
    return catalogued.dated(pd.DataFrame(ROWS, columns=columns))


def test_families_then_kinds_then_methods_by_year(table):
    rows = tree.arranged(table)
    assert [(row.level, row.text) for row in rows] == [
        (0, "none"),
        (1, "no normalization"),
        (0, "batch"),
        (1, "BatchNorm"),
        (0, "sample"),
        (1, "sphere"),
        (2, "LayerNorm"),
        (2, "a late one with a rather long title"),
        (1, "mixture"),
        (2, "Gated"),
    ]
    assert [row.about for row in rows if row.leaf][1:] == [
        "Ioffe 2015", "Ba 2016", "Young 2025", "Liu 2020",
    ]  # fmt: skip


def test_a_leaf_sits_at_its_year_with_the_mark_of_its_kind(table):
    axes = tree.family_tree(table, source="Data: d").axes[0]
    leaves = [line for line in axes.lines if line.get_marker() != "None"]
    assert [line.get_xdata()[0] for line in leaves[1:]] == [2015, 2016, 2025, 2020]
    marks = [line.get_marker() for line in leaves[1:]]
    assert marks == [families.marker(kind) for kind in ("sphere", "sphere", "sphere", "mixture")]
    assert leaves[0].get_markerfacecolor() == "white"  # no paper, no year


def test_labels_do_not_meet_and_stay_inside(table):
    crowd = pd.concat([table, *(table.assign(title=table["title"] + "x" * n) for n in range(4))])
    figure = tree.family_tree(crowd, source="Data: d")
    with plt.rc_context(style.STYLE):
        figure.canvas.draw()
    boxes = [text.get_window_extent() for text in figure.axes[0].texts if text.get_text()]
    assert not any(a.overlaps(b) for a, b in itertools.combinations(boxes, 2))
    assert max(box.x1 for box in boxes) <= figure.bbox.x1


def test_every_branch_hangs_on_a_row_above_it(table):
    axes = tree.family_tree(table, source="Data: d").axes[0]
    stems = [line for line in axes.lines if len(set(line.get_xdata())) == 1 < len(line.get_xdata())]
    assert len(stems) == len(tree.arranged(table))
    assert all(line.get_ydata()[0] <= line.get_ydata()[1] for line in stems)
