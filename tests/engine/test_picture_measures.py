"""Measures of images, against plain Python, planted images and invariances."""

import cmath
import math
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from normlib.engine.probes.pictures import (
    HIGH,
    PictureError,
    colour_only,
    diversity,
    high_frequencies,
    nearest_mean,
    sharpness,
)
from normlib.errors import NormlibError

PER_IMAGE = (sharpness, high_frequencies, colour_only)
BYTES = arrays(np.uint8, (3, 2, 5, 4))
"""Three images of two channels."""
LEVELS = st.integers(0, 255)


def pixels(image):
    """Yield channel, row, column and value in [0, 1]."""
    for c, channel in enumerate(image.tolist()):
        for i, row in enumerate(channel):
            for j, value in enumerate(row):
                yield c, i, j, value / 255


def less_means(image):
    """Return values by place, less their channel's mean."""
    means = [sum(sum(row) for row in channel) / 255 / image[0].size for channel in image.tolist()]
    return {(c, i, j): value - means[c] for c, i, j, value in pixels(image)}


def mean(values):
    values = list(values)
    return sum(values) / len(values)


def slow_sharpness(image):
    x = less_means(image)
    right = mean((x[c, i, j + 1] - x[c, i, j]) ** 2 for c, i, j in x if (c, i, j + 1) in x)
    down = mean((x[c, i + 1, j] - x[c, i, j]) ** 2 for c, i, j in x if (c, i + 1, j) in x)
    return (right + down) / (4 * mean(v**2 for v in x.values()))


def slow_high(image):
    x = less_means(image)
    channels, h, w = image.shape
    high = total = 0.0
    for c in range(channels):
        for u in range(h):
            for v in range(w):
                wave = sum(
                    x[c, i, j] * cmath.exp(-2j * math.pi * (u * i / h + v * j / w))
                    for i in range(h)
                    for j in range(w)
                )
                total += abs(wave) ** 2
                if math.hypot(min(u, h - u) / h, min(v, w - v) / w) > 0.25:
                    high += abs(wave) ** 2
    return high / total


def slow_colour(image):
    colour = [mean(v - 0.5 for c, _, _, v in pixels(image) if c == k) for k in range(len(image))]
    return mean(m**2 for m in colour) / mean((v - 0.5) ** 2 for *_, v in pixels(image))


def slow_distance(one, other):
    pairs = zip(pixels(one), pixels(other), strict=True)
    return math.sqrt(mean((a[-1] - b[-1]) ** 2 for a, b in pairs))


@pytest.fixture
def images():
    return np.random.default_rng(0).integers(0, 256, (2, 3, 3, 6, 5), dtype=np.uint8)


def flat(*colour):
    return np.tile(np.array(colour, np.uint8)[:, None, None], (1, 32, 32))


def noise(*shape):
    return np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)


def stripes(period, axis=-1):
    """Return sine waves of this period along an axis of 32 x 32."""
    wave = 0.5 + 0.4 * np.sin(2 * np.pi * (np.arange(32) + 0.5) / period)
    return np.broadcast_to(np.expand_dims(wave, -3 - axis), (1, 32, 32))


@pytest.mark.parametrize(
    ("measure", "slow"),
    [(sharpness, slow_sharpness), (high_frequencies, slow_high), (colour_only, slow_colour)],
)
def test_a_measure_is_its_formula(measure, slow, images):
    expected = [[slow(image) for image in row] for row in images]
    for same in (images, images / 255, (images / 255).astype(np.float32)):
        np.testing.assert_allclose(measure(same), expected, rtol=1e-5)
    np.testing.assert_allclose(measure(images), expected, rtol=1e-12)
    assert measure(images).dtype == np.float64
    assert measure(images[0, 0]).shape == ()


def test_distances_are_their_formulas(images):
    means = noise(4, 3, 6, 5)
    index, distance = nearest_mean(images, means)
    assert index.dtype == np.int64
    for place in np.ndindex(2, 3):
        every = [slow_distance(images[place], center) for center in means]
        assert index[place] == every.index(min(every))
        np.testing.assert_allclose(distance[place], min(every), rtol=1e-12)
    pairs = ((0, 1), (0, 2), (1, 2))
    expected = [mean(slow_distance(row[a], row[b]) for a, b in pairs) for row in images]
    np.testing.assert_allclose(diversity(images), expected, rtol=1e-12)


def test_a_flat_colour_is_nothing_but_colour():
    odd = np.full((3, 7, 11), 0.1)  # a mean of 0.1 is not always 0.1
    for image in (flat(255, 0, 7), flat(0, 0, 0), odd, np.full((3, 4, 4), 0.5)):
        assert sharpness(image) == 0
        assert high_frequencies(image) == 0
        assert colour_only(image) == 1


def test_noise_is_sharp_high_and_colourless():
    image = noise(20, 3, 32, 32)
    np.testing.assert_allclose(sharpness(image), 1, atol=0.1)
    fy, fx = np.meshgrid(np.fft.fftfreq(32), np.fft.fftfreq(32))
    # Each frequency but that of the mean has the same energy in expectation.
    expected = (np.hypot(fy, fx) > HIGH).sum() / (32 * 32 - 1)
    assert round(expected, 2) == 0.81
    np.testing.assert_allclose(high_frequencies(image).mean(), expected, atol=0.01)
    assert (colour_only(image) < 0.01).all()


@pytest.mark.parametrize("axis", [-1, -2])
def test_stripes_are_as_high_as_their_frequency(axis):
    for period, high in ((32, 0), (8, 0), (4, 0), (3.2, 1), (2, 1)):
        np.testing.assert_allclose(high_frequencies(stripes(period, axis)), high, atol=1e-12)
    finer = [float(sharpness(stripes(period, axis))) for period in (32, 16, 8, 4, 2)]
    assert finer == sorted(finer)
    # A wave of frequency f has differences of 2 sin(pi f) its amplitude; along it there are none.
    np.testing.assert_allclose(finer[2], np.sin(np.pi / 8) ** 2, rtol=0.05)


def test_a_checkerboard_is_twice_as_sharp_as_noise():
    board = (np.indices((8, 8)).sum(0) % 2 * 255).astype(np.uint8)[None]
    np.testing.assert_allclose(sharpness(board), 2, rtol=1e-12)
    np.testing.assert_allclose(high_frequencies(board), 1, rtol=1e-12)
    np.testing.assert_allclose(colour_only(board), 0, atol=1e-12)


def test_half_of_the_variance_may_be_colour():
    image = np.full((1, 2, 2), 0.75)
    image[0, 0] = 0.5
    # Mean 0.625: 0.125^2 of 0.125^2 + 0.125^2.
    np.testing.assert_allclose(colour_only(image), 0.5, rtol=1e-12)


@given(BYTES, st.permutations(range(3)))
def test_every_image_has_its_own_number(images, order):
    for measure in PER_IMAGE:
        np.testing.assert_array_equal(measure(images)[order], measure(images[order]))
        np.testing.assert_array_equal(measure(images)[1], measure(images[1]))
    np.testing.assert_allclose(diversity(images), diversity(images[order]), rtol=1e-12, atol=1e-15)
    index, distance = nearest_mean(images, images[::-1])
    assert (distance == 0).all()
    assert (images[::-1][index] == images).all()


@given(BYTES, st.permutations(range(2)))
def test_channels_have_no_order_and_may_be_repeated(images, order):
    for other in (images[:, order], np.concatenate((images, images), axis=1)):
        for measure in (*PER_IMAGE, diversity):
            np.testing.assert_allclose(measure(other), measure(images), rtol=1e-9, atol=1e-12)


@given(BYTES)
def test_a_mirror_or_a_quarter_turn_changes_nothing(images):
    for other in (images[..., ::-1], images[..., ::-1, :], images.swapaxes(-1, -2)):
        for measure in (*PER_IMAGE, diversity):
            np.testing.assert_allclose(measure(other), measure(images), rtol=1e-9, atol=1e-12)


@given(arrays(np.uint8, (2, 3, 5, 4), elements=st.integers(0, 100)), st.integers(0, 155))
def test_neither_brightness_nor_contrast_is_sharpness(images, more):
    brighter, fainter = images + np.uint8(more), images / 510
    for measure in (sharpness, high_frequencies):
        expected = measure(images)
        np.testing.assert_allclose(measure(brighter), expected, rtol=1e-7, atol=1e-10)
        np.testing.assert_allclose(measure(fainter), expected, rtol=1e-7, atol=1e-10)
    np.testing.assert_allclose(diversity(brighter), diversity(images), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(diversity(fainter), diversity(images) / 2, rtol=1e-9)


@given(BYTES)
def test_shares_are_shares(images):
    for measure, most in ((sharpness, 4), (high_frequencies, 1), (colour_only, 1)):
        assert (measure(images) >= -1e-12).all()
        assert (measure(images) <= most + 1e-12).all()
    assert (colour_only(255 - images) - colour_only(images) < 1e-9).all()


def test_equal_starts_have_no_diversity():
    assert diversity(np.stack([noise(3, 8, 8)] * 4)) == 0
    assert diversity(np.stack((flat(0), flat(255)))) == 1


def test_the_first_of_equally_near_means_is_named():
    image = np.full((1, 2, 2), 0.5)
    index, distance = nearest_mean(image, np.stack((image + 0.25, image - 0.25)))
    assert (index, distance) == (0, 0.25)


def test_no_images_have_no_numbers():
    for measure in PER_IMAGE:
        assert measure(np.zeros((0, 3, 4, 4), np.uint8)).shape == (0,)


@pytest.mark.parametrize("measure", [*PER_IMAGE, diversity, lambda x: nearest_mean(x, x)])
@pytest.mark.parametrize(
    ("images", "words"),
    [
        (np.zeros((4, 4), np.uint8), r"\(4, 4\); give \(\.\.\., C, H, W\)"),
        (np.zeros((2, 0, 4, 4)), "none of them 0"),
        (np.zeros((2, 3, 4, 4), np.int64), "images are int64; give uint8"),
        (np.full((2, 3, 4, 4), 255.0), "from 255 to 255"),
        (np.full((2, 3, 4, 4), -0.1), "from -0.1"),
        (np.full((2, 3, 4, 4), np.nan), "from nan"),
    ],
)
def test_what_is_no_image_is_refused(measure, images, words):
    with pytest.raises(PictureError, match=words):
        measure(images)


def test_what_cannot_be_compared_is_refused():
    image = noise(1, 3, 4, 4)
    for means in (noise(3, 4, 4), noise(0, 3, 4, 4), noise(2, 1, 4, 4), noise(2, 3, 4, 5)):
        with pytest.raises(PictureError, match=r"give \(K, 3, 4, 4\)"):
            nearest_mean(image, means)
    for few in (image, image[0]):
        with pytest.raises(PictureError, match="at least 2 starts"):
            diversity(few)
    assert issubclass(PictureError, NormlibError)
    assert issubclass(PictureError, ValueError)


def test_it_needs_no_torch():
    code = "import sys, normlib.engine.probes.pictures; print('torch' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "False"
