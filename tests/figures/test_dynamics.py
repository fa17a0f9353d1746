"""What the figures of scale invariance draw, not how it looks."""

import numpy as np
import pandas as pd
import pytest

from normlib.figures import dynamics, palette


@pytest.fixture(scope="module")
def table():
    rows = [
        (run, norm, seed, 1, step, 4.0 + step + seed, 4.0 + step, 4.0, 1e-20 * step, 0.1 / step)
        for run, norm in (("sgd", "batch"), ("decay", "layer"), ("decay from half", "layer"))
        for seed in range(3)
        for step in range(1, 21)
    ]
    columns = ["run", "norm", "seed", "layer", "step", "square", "law", "start", "cosine", "angle"]
    return pd.DataFrame(rows, columns=columns)


def labels(axes):
    return [line.get_label() for line in axes.lines if not line.get_label().startswith("_")]


def test_cosines_are_medians_that_zero_does_not_hide(table):
    figure = dynamics.cosines(table, table, source="d")
    left, right = figure.axes
    assert labels(left) == [palette.label("batch"), palette.label("layer")]
    assert labels(right)[:2] == ["SGD", "SGD, weight decay"]
    assert min(left.lines[0].get_ydata()) == 1e-18
    assert "d" in figure.get_supxlabel()


def test_growth_has_the_law_beside_every_line(table):
    left, _ = dynamics.growth(table, table, source="d").axes
    batch = table[table["norm"] == "batch"]
    expected = batch.groupby("step")["square"].mean()[:: dynamics.EVERY] / 4
    assert left.lines[0].get_ydata() == pytest.approx(expected.to_numpy())
    law = batch.groupby("step")["law"].mean()[:: dynamics.EVERY] / 4
    assert left.lines[1].get_ydata() == pytest.approx(law.to_numpy())
    assert labels(left)[-1] == "law of plain SGD"


def test_a_band_takes_three_runs(table):
    for seeds, drawn in ((2, False), (3, True)):
        few = table[table["seed"] < seeds]
        left, _ = dynamics.growth(few, few, source="d").axes
        corners = left.collections[0].get_paths()[0].vertices if drawn else None
        assert bool(left.collections[0].get_paths()) == drawn
        assert corners is None or np.ptp(corners[:, 1]) > 0


def test_equilibrium_draws_predictions_and_names_a_rule_once(table):
    decayed = table[table["run"] != "sgd"]
    left, right = dynamics.equilibrium(decayed, {"decay": 5.0}, {"decay": 0.1}, source="d").axes
    assert labels(left) == ["SGD, weight decay", "predicted"]
    assert any(list(line.get_ydata()) == [5.0, 5.0] for line in left.lines)
    turned = [line.get_ydata()[0] for line in right.lines if len(line.get_ydata()) == 2]
    assert turned == pytest.approx([np.degrees(0.1)])


def test_directions_have_a_line_per_pair():
    rows = [
        (pair, seed, step, 1e-9 * step, 0.9**step)
        for pair in ("decay", "momentum-zero")
        for seed in range(2)
        for step in range(1, 5)
    ]
    table = pd.DataFrame(rows, columns=["pair", "seed", "step", "distance", "ratio"])
    left, right = dynamics.directions(table, source="d").axes
    assert len(left.lines) == len(right.lines) == 2
    assert right.lines[0].get_ydata() == pytest.approx([0.9**step for step in range(1, 5)])
