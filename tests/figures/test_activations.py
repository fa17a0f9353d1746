"""What the figures of activations show is what their tables say."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex

from normlib.analysis import activations as computed
from normlib.figures import activations, families

LOOKS = pd.DataFrame(
    [("none", "no normalization", "none"), ("channels", "By Channel", "batch")],
    columns=["name", "title", "family"],
)


@pytest.fixture(scope="module")
def values():
    x = np.random.default_rng(0).normal([[[[2.0]], [[-1.0]], [[0.5]]]], 1.0, (4, 3, 5, 5))
    x *= np.arange(1, 5)[:, None, None, None]
    over = (0, 2, 3)
    y = (x - x.mean(over, keepdims=True)) / x.std(over, keepdims=True)
    return {"none": x, "channels": y}


@pytest.fixture(scope="module")
def figure(values):
    slices = computed.slices(values)
    return activations.distributions(
        slices,
        computed.equalized(slices),
        computed.correlations(values),
        LOOKS,
        source="Data: d",
    )


def means(axes):
    return next(line for line in axes.lines if line.get_marker() == "o").get_ydata()


def test_bars_are_in_the_order_of_the_first_row(figure, values):
    channels, samples = figure.axes[:2]
    assert means(channels) == pytest.approx(sorted(values["none"].mean((0, 2, 3))))
    assert means(samples) == pytest.approx(sorted(values["none"].mean((1, 2, 3))))
    order = np.argsort(values["none"].mean((1, 2, 3)))
    assert means(figure.axes[4]) == pytest.approx(values["channels"].mean((1, 2, 3))[order])


def test_what_became_equal_is_coloured_and_said(figure):
    said = [[text.get_text() for text in axes.texts] for axes in figure.axes]
    assert said[3] == ["equal means and spreads"]
    assert said[4] == [""]
    colours = [to_hex(axes.collections[1].get_color()[0]) for axes in figure.axes[3:5]]
    assert colours == [families.colour("batch"), activations.GREY]


def test_all_rows_share_their_axes(figure):
    limits = {axes.get_ylim() for axes in (*figure.axes[:2], *figure.axes[3:5])}
    assert len(limits) == 1


def test_squares_are_sizes_of_correlations(figure):
    square = figure.axes[5].images[0]
    assert np.diag(np.asarray(square.get_array())) == pytest.approx(np.ones(3))
    assert square.get_clim() == (0, 1)


def test_maps_share_one_scale(values):
    figure = activations.maps(values, LOOKS, (0, 2), (1, 3), source="Data: d")
    images = [axes.images[0] for axes in figure.axes if axes.images]
    assert len(images) == 2 * 4
    assert {image.get_clim() for image in images} == {(-3, 3)}
    assert np.asarray(images[5].get_array()) == pytest.approx(values["channels"][1, 2])
    assert figure.get_supxlabel() == "Data: d"
