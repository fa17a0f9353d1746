"""Pictures of three numbers: up is (1, 1, 1), what is drawn is what is given, the same bytes."""

import io

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex

from normlib.figures import geometry, palette, style
from normlib.figures.scene import BASIS, Scene, fit

X = np.concatenate([[[0.0, 1.0, 5.0]], np.random.default_rng(0).normal(0.5, 1, (5, 3))])
Z = X - X.mean(1, keepdims=True)
XHAT = Z / np.sqrt((Z**2).mean(1, keepdims=True))
RMS = X / np.sqrt((X**2).mean(1, keepdims=True))
H = np.array([-0.6, 1.8, 1.5])
RATIO = np.array([0.1, 1.0, 10.0])
MEASURED = pd.DataFrame(
    {
        "ratio": RATIO,
        "radius": RATIO / np.sqrt(1 + RATIO**2),
        "along": (1 + RATIO**2) ** -1.5,
        "across": (1 + RATIO**2) ** -0.5,
    }
)


def kept(xhat, centered):
    return H - centered * H.mean() - (H * xhat).mean() * xhat


DRAWINGS = {
    "landing": lambda: geometry.landing(X, Z, XHAT, source="from X"),
    "spheres": lambda: geometry.spheres(X, RMS, XHAT, source="from X"),
    "tangent": lambda: geometry.tangent(
        H, (RMS[0], kept(RMS[0], 0)), (XHAT[0], kept(XHAT[0], 1)), source="from X"
    ),
    "depth": lambda: geometry.depth(Z, Z / 2, MEASURED, source="from X"),
    "passing": lambda: geometry.passing(MEASURED, source="from X"),
}


def svg(figure):
    stream = io.BytesIO()
    with plt.rc_context(style.STYLE):
        figure.savefig(stream, format="svg", metadata={"Date": None})
    return stream.getvalue()


@pytest.fixture
def scene():
    figure, axes = plt.subplots()
    yield Scene(axes)
    plt.close(figure)


def test_the_direction_of_ones_points_up(scene):
    across, up = scene.onto(BASIS[2])
    assert across == pytest.approx(0)
    assert up > 0.5
    assert np.allclose(BASIS @ BASIS.T, np.eye(3))


def test_the_view_is_a_parallel_projection(scene):
    one, other = X[:2]
    assert np.allclose(scene.onto(2 * one + other), 2 * scene.onto(one) + scene.onto(other))
    assert (np.linalg.norm(scene.onto(X), axis=1) <= np.linalg.norm(X, axis=1) + 1e-12).all()
    assert (scene.front(X) != scene.front(-X)).all()


def test_scenes_side_by_side_have_one_scale_and_show_all():
    figure, axes = plt.subplots(1, 2)
    small, large = (Scene(one) for one in axes)
    small.dots([1.0, 0, 0])
    large.dots([5.0, -4, 0])
    fit(small, large)
    assert axes[0].get_xlim() == axes[1].get_xlim()
    place = large.onto([5.0, -4, 0])
    assert axes[1].get_xlim()[0] < place[0] < axes[1].get_xlim()[1]
    assert axes[1].get_ylim()[0] < place[1] < axes[1].get_ylim()[1]
    plt.close(figure)


@pytest.mark.parametrize("name", DRAWINGS)
def test_the_same_arrays_give_the_same_bytes_on_white(name):
    first, second = DRAWINGS[name](), DRAWINGS[name]()
    assert svg(first) == svg(second)
    assert to_hex(first.get_facecolor()) == "#ffffff"
    assert "from X" in {text.get_text() for text in first.findobj(plt.Text)}
    assert plt.get_fignums() == []


def test_landed_points_are_drawn_where_they_land_in_the_methods_colour():
    axes = DRAWINGS["landing"]().axes[1]
    drawn = [line for line in axes.lines if line.get_linestyle() == "None"]
    mine = [line for line in drawn if to_hex(line.get_color()) == palette.colour("layer")]
    seen = Scene(plt.Figure().add_subplot()).onto(XHAT)
    found = np.concatenate([np.column_stack(line.get_data()) for line in mine])
    assert np.allclose(sorted(found.tolist()), sorted(seen.tolist()))


def test_the_curve_goes_through_the_measured_points():
    curve, points = DRAWINGS["depth"]().axes[1].lines[:2]
    expected = np.interp(np.log(RATIO), np.log(curve.get_xdata()), curve.get_ydata())
    assert np.allclose(points.get_ydata(), expected, atol=1e-3)
