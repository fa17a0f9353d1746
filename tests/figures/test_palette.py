"""One look per method, told apart by readers with red-green colour blindness too."""

import itertools

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from normlib.figures import dynamics, palette, parity
from normlib.records.choices import ALL_NORMS, NORMS

# Machado, Oliveira and Fernandes (2009), severity 1.0, on linear RGB.
DEFICIENCIES = {
    "none": np.eye(3),
    "protanopia": np.array(
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ]
    ),
    "deuteranopia": np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ]
    ),
}
TOGETHER = ("none", "batch", "batch-batchstats", "layer", "layer-channels", "weight")


def linear(colour):
    rgb = np.array(to_rgb(colour))
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


def lab(rgb):
    """Linear sRGB to CIELAB (D65)."""
    to_xyz = np.array(
        [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    )
    ratio = to_xyz @ np.clip(rgb, 0, 1) / np.array([0.9505, 1.0, 1.089])
    f = np.where(ratio > 0.008856, np.cbrt(ratio), 7.787 * ratio + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize("norm", ALL_NORMS)
def test_every_condition_has_a_look(norm):
    method = palette.split(norm)[1]
    assert method in palette.COLOURS
    assert palette.colour(norm) == palette.colour(method)
    assert palette.line(norm) == palette.LINES[palette.split(norm)[0]]
    assert palette.marker(norm) in palette.MARKERS.values()


def test_looks_are_distinct():
    for looks in (palette.COLOURS, palette.MARKERS, palette.LABELS, palette.LINES):
        assert len(set(looks.values())) == len(looks)
    assert set(palette.COLOURS) == set(palette.MARKERS) == set(palette.LABELS) == set(NORMS)
    assert len({palette.label(norm) for norm in ALL_NORMS}) == len(ALL_NORMS)


@pytest.mark.parametrize("deficiency", DEFICIENCIES)
def test_methods_drawn_together_stay_apart(deficiency):
    seen = {n: lab(DEFICIENCIES[deficiency] @ linear(palette.COLOURS[n])) for n in TOGETHER}
    for one, other in itertools.combinations(TOGETHER, 2):
        assert np.linalg.norm(seen[one] - seen[other]) > 20, (one, other)


@pytest.mark.parametrize("deficiency", DEFICIENCIES)
def test_losses_have_no_methods_colour_and_stay_apart(deficiency):
    colours = [colour for colour, _, _ in parity.LOSSES.values()]
    assert not {*colours, dynamics.RULES["free"][0]} & set(palette.COLOURS.values())
    seen = [lab(DEFICIENCIES[deficiency] @ linear(one)) for one in colours]
    for one, other in itertools.combinations(seen, 2):
        assert np.linalg.norm(one - other) > 20


@pytest.mark.parametrize("norm", NORMS)
def test_colours_stand_out_from_white(norm):
    luminance = np.array([0.2126, 0.7152, 0.0722]) @ linear(palette.COLOURS[norm])
    assert 1.05 / (luminance + 0.05) > 2.2
