"""What the parity figures draw, not how it looks."""

from __future__ import annotations

import pandas as pd
import pytest

from normlib.analysis.parity import blindness, load_keras, setups
from normlib.analysis.parity import explanations as e
from normlib.figures import parity


def _worst() -> pd.DataFrame:
    rows = [("batch", True, "y", "torch", 3e-16, 1e-4), ("batch", True, "hx", "torch", 0.02, 2e8),
            ("layer", True, "y", "torch", 0.0, 0.0)]  # fmt: skip
    return pd.DataFrame(rows, columns=["method", "training", "quantity", "peer", "error", "excess"])


def test_heatmap_writes_powers_of_ten_and_boxes_what_is_out_of_bounds() -> None:
    figure = parity.heatmap(
        _worst(), {"torch": "torch.nn"}, {"y": "output", "hx": "second"}, source="Data: d"
    )
    (axes,) = figure.axes
    texts = {text.get_text(): text.get_position() for text in axes.texts}
    assert texts == {"−16": (0, 0), "−2": (0, 1), "0": (1, 0)}
    assert len(axes.patches) == 1
    assert figure.get_supxlabel() == "Data: d"


def test_causes_draws_each_set_up_and_the_sources_line() -> None:
    points = e.differences(load_keras())
    reaches = {family: e.reach(points, family) for family in e.REPORTED}
    numbers = {family: pair[0] for family, pair in e.REPORTED.items()}
    figure = parity.causes(reaches, points, numbers, source="Data: d")
    for axes, (family, number) in zip(figure.axes, numbers.items(), strict=True):
        assert list(axes.lines[0].get_xdata()) == [number, number]
        labels = [label.get_text() for label in axes.get_yticklabels()]
        assert labels == list(reaches[family]["change"])
        assert len(axes.lines) == 1 + 2 * len(labels)


def test_outputs_and_gradients_marks_the_source() -> None:
    figure = parity.outputs_and_gradients(e.differences(load_keras()), e.REPORTED, source="Data: d")
    for axes, pair in zip(figure.axes, e.REPORTED.values(), strict=True):
        star = axes.lines[-1]
        assert (star.get_xdata()[0], star.get_ydata()[0]) == pair
        assert len(axes.lines) == len(parity.LOSSES) + 1


def test_blind_spots_has_a_point_for_every_backward_and_loss() -> None:
    x = next(s for s in setups() if s.name == "few-features").x
    errors = blindness.errors(x)
    figure = parity.blind_spots(errors, 2e-6, source="Data: d")
    (axes,) = figure.axes
    assert sum(len(line.get_xdata()) for line in axes.lines[1:]) == len(errors)
    assert list(axes.lines[0].get_xdata()) == pytest.approx([2e-6, 2e-6])
