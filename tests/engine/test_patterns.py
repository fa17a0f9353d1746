"""Patterns in first-layer weights: slow references, planted structure, and noise that is none."""

import cmath
import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from normlib.engine.probes import discoveries, patterns
from normlib.engine.probes.discoveries import DiscoveryError
from normlib.engine.probes.patterns import PatternError

MEASURES = {
    "autocorrelation": patterns.autocorrelation,
    "roughness": patterns.roughness,
    "low_frequencies": lambda w, mask=None: patterns.low_frequencies(w, 0.3, mask),
}
named = pytest.mark.parametrize("name", MEASURES)
SIDE = 28
ROWS, COLUMNS = np.mgrid[:SIDE, :SIDE]


def noise(neurons, seed, channels=1, height=SIDE, width=SIDE):
    shape = neurons, channels, height, width
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def blobs(neurons, seed, width=3.0):
    """Gaussian bumps anywhere in the middle, half of them negative."""
    rng = np.random.default_rng(seed)
    y, x = rng.uniform(8, 20, size=(2, neurons, 1, 1, 1))
    sign = rng.choice([-1, 1], size=(neurons, 1, 1, 1))
    return sign * np.exp(-((ROWS - y) ** 2 + (COLUMNS - x) ** 2) / (2 * width**2))


def strokes(neurons, seed):
    """Digit-like: three straight strokes, two pixels thick, between random points."""
    rng = np.random.default_rng(seed)
    images = np.zeros((neurons, 1, SIDE, SIDE))
    for image in images[:, 0]:
        for start, end in rng.uniform(5, 22, size=(3, 2, 2)):
            for y, x in np.linspace(start, end, 60).astype(int):
                image[y : y + 2, x : x + 2] = 1
    return images


def stripes(neurons, seed):
    phase = np.random.default_rng(seed).uniform(0, 2 * np.pi, size=(neurons, 1, 1, 1))
    return np.sin(2 * np.pi * (ROWS + COLUMNS) / 16 + phase)


def border(margin=4):
    mask = np.zeros((SIDE, SIDE), dtype=bool)
    mask[margin:-margin, margin:-margin] = True
    return mask


class Slow:
    """The measures of one neuron (C, H, W), from their definitions, with loops alone."""

    def __init__(self, image, mask):
        self.images = np.asarray(image, dtype=float).tolist()
        self.height, self.width = len(mask), len(mask[0])
        self.inside = [(y, x) for y in range(self.height) for x in range(self.width) if mask[y][x]]
        allowed = set(self.inside)
        self.pairs = [
            ((y, x), other)
            for y, x in self.inside
            for other in ((y + 1, x), (y, x + 1))
            if other in allowed
        ]

    def mean(self, image):
        return math.fsum(image[y][x] for y, x in self.inside) / len(self.inside)

    def variance(self):
        return math.fsum(
            (image[y][x] - self.mean(image)) ** 2 for image in self.images for y, x in self.inside
        ) / len(self.inside)

    def autocorrelation(self):
        products = []
        for image in self.images:
            mu = self.mean(image)
            products += [(image[a][b] - mu) * (image[c][d] - mu) for (a, b), (c, d) in self.pairs]
        return math.fsum(products) / len(self.pairs) / self.variance()

    def roughness(self):
        def mean_difference(pairs):
            pairs = list(pairs)
            return math.fsum(
                abs(image[a][b] - image[c][d]) for image in self.images for (a, b), (c, d) in pairs
            ) / len(pairs)

        return mean_difference(self.pairs) / mean_difference(itertools.combinations(self.inside, 2))

    def low_frequencies(self, cutoff=0.3):
        low = everything = 0.0
        for image, v, u in itertools.product(self.images, range(self.height), range(self.width)):
            fy = min(v, self.height - v) / self.height
            fx = min(u, self.width - u) / self.width
            mu = self.mean(image)
            amplitude = sum(
                (image[y][x] - mu)
                * cmath.exp(-2j * cmath.pi * (v * y / self.height + u * x / self.width))
                for y, x in self.inside
            )
            everything += abs(amplitude) ** 2
            low += abs(amplitude) ** 2 * (math.sqrt(fy * fy + fx * fx) <= cutoff)
        return low / everything


@named
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("masked", [False, True])
def test_measures_agree_with_loops(name, channels, masked):
    weights = noise(3, 1, channels, 5, 7) + np.arange(7) / 3
    weights[:, 0] += 2  # a channel's offset is a colour, not a pattern
    mask = np.ones((5, 7), dtype=bool)
    if masked:
        mask[0], mask[:, -1], mask[2, 2] = False, False, False
    expected = [getattr(Slow(image, mask), name)() for image in weights]
    measured = MEASURES[name](weights, mask=mask if masked else None)
    assert measured.dtype == np.float64
    np.testing.assert_allclose(measured, expected, rtol=1e-10)


def test_known_images():
    board = (-1.0) ** (ROWS + COLUMNS)[None, None]
    assert patterns.autocorrelation(board) == pytest.approx(-1)
    assert patterns.roughness(board) == pytest.approx(2 * 783 / 784)
    assert patterns.low_frequencies(board, 0.7) == pytest.approx(0, abs=1e-12)
    wave = np.cos(2 * np.pi * ROWS / 7)[None, None] + 5
    assert patterns.low_frequencies(wave, 0.14) == pytest.approx(0, abs=1e-12)
    assert patterns.low_frequencies(wave, 1 / 7) == pytest.approx(1)
    quarter = np.cos(2 * np.pi * COLUMNS * 7 / 28)[None, None]
    assert patterns.low_frequencies(quarter, 0.25) == pytest.approx(1)


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("channels", [1, 2])
def test_expectations_over_all_shuffles(masked, channels):
    mask = np.ones((2, 3), dtype=bool)
    if masked:
        mask[1, 2] = False
    values = noise(1, 2, channels, 1, mask.sum())[0, :, 0]
    values[-1] += values[0]
    every = [list(order) for order in itertools.permutations(range(mask.sum()))]
    weights = np.zeros((len(every), channels, 2, 3))
    weights[:, :, mask] = np.stack([values[:, order] for order in every])
    P = mask.sum()
    assert patterns.autocorrelation(weights, mask).mean() == pytest.approx(-1 / (P - 1))
    assert patterns.roughness(weights, mask).mean() == pytest.approx(1)
    if not masked:
        assert patterns.low_frequencies(weights, 0.4).mean() == pytest.approx(2 / 5)
    # and null counts what an exhaustive test counts
    exact = (MEASURES["autocorrelation"](weights, mask)[None, 17] - 1e-12) <= (
        MEASURES["autocorrelation"](weights, mask)
    )
    p = patterns.null(weights[17:18], "autocorrelation", 4000, mask=mask)
    assert p[0] == pytest.approx(exact.mean(), abs=0.03)


@named
@pytest.mark.parametrize("plant", [blobs, strokes, stripes])
def test_planted_structure_is_found(name, plant):
    weights = plant(16, 3) + 0.3 * noise(16, 4)
    p = patterns.null(weights, name, 199)
    np.testing.assert_array_equal(p, 1 / 200)
    assert discoveries.noisy(p) == 0
    assert (patterns.autocorrelation(weights) > 0.2).all()
    assert (patterns.roughness(weights) < 0.95).all()
    of_noise = patterns.low_frequencies(noise(16, 3)).mean()
    assert (patterns.low_frequencies(weights) > 3 * of_noise).all()


@named
@pytest.mark.parametrize("masked", [False, True])
def test_white_noise_has_uniform_p_values(name, masked):
    mask = border() if masked else None
    p = patterns.null(noise(400, 5), name, 399, mask=mask)
    assert stats.kstest(p, "uniform").pvalue > 0.01
    assert discoveries.noisy(p) >= 0.99


@named
def test_heavy_tails_and_correlated_channels_are_still_noise(name):
    heavy = np.random.default_rng(6).standard_t(2, size=(400, 1, 12, 12))
    assert stats.kstest(patterns.null(heavy, name, 399), "uniform").pvalue > 0.01
    grey = np.repeat(noise(400, 7, 1, 12, 12), 3, axis=1) + noise(400, 8, 3, 12, 12) / 10
    assert stats.kstest(patterns.null(grey, name, 399), "uniform").pvalue > 0.01


def test_noise_of_uneven_width_is_what_the_module_says():
    weights = noise(300, 9)
    weights[..., 4:-4, 4:-4] *= 4
    found = {name: (patterns.null(weights, name, 199) <= 0.05).mean() for name in MEASURES}
    assert found["roughness"] > 0.85
    assert found["autocorrelation"] < 0.15
    assert found["low_frequencies"] < 0.15
    masked = patterns.null(weights, "roughness", 199, mask=border())
    assert stats.kstest(masked, "uniform").pvalue > 0.01


@named
def test_a_mixture_is_told_apart(name):
    weights = np.concatenate([noise(32, 10), blobs(32, 11) + 0.3 * noise(32, 12)])
    p = patterns.null(weights, name)
    assert discoveries.noisy(p) == pytest.approx(0.5, abs=3 / 64)
    np.testing.assert_array_equal(p[32:], 1 / 2000)


@named
def test_one_pattern_among_noise_is_found(name):
    weights = np.concatenate([noise(63, 13), blobs(1, 14)])
    assert discoveries.noisy(patterns.null(weights, name)) == 63 / 64
    too_few = patterns.null(weights, name, 99)  # 1 / 100 is more than 0.05 / 64
    assert discoveries.noisy(too_few) == 1


@named
def test_a_masked_border_of_noise_hides_no_blob(name):
    weights = blobs(8, 15) + 0.1 * noise(8, 16)
    weights[..., ~border()] = 30 * noise(8, 17)[..., ~border()]
    np.testing.assert_array_equal(patterns.null(weights, name, 199, mask=border()), 1 / 200)
    if name != "roughness":  # which sees that the border is wider, not the blob
        assert discoveries.noisy(patterns.null(weights, name, 199)) > 0.5


@named
def test_structure_outside_the_mask_is_not_seen(name):
    weights = noise(100, 18)
    weights[..., ~border()] = 100 + ROWS[~border()]
    weights[0, 0, 0, 0] = np.nan
    p = patterns.null(weights, name, 199, mask=border())
    assert discoveries.noisy(p) == 1
    assert stats.kstest(p, "uniform").pvalue > 0.01
    other = weights.copy()
    other[..., ~border()] = -1
    first, second = (MEASURES[name](each, mask=border()) for each in (weights, other))
    np.testing.assert_array_equal(first, second)


@named
@given(
    st.integers(0, 10**6),
    st.integers(2, 9),
    st.integers(4, 9),
    st.floats(-250, 250).map(lambda power: 2.0**power),
    st.floats(-100, 100),
    st.booleans(),
)
def test_invariances(name, seed, height, width, scale, shift, masked):
    rng = np.random.default_rng(seed)
    weights = rng.normal(size=(4, 2, height, width))
    mask = rng.random((height, width)) < 0.7 if masked else np.ones((height, width), dtype=bool)
    mask[0, :2] = True
    measure = MEASURES[name]
    usual = measure(weights, mask=mask)
    same = {"rtol": 1e-7, "atol": 1e-9}
    np.testing.assert_allclose(measure((weights + shift) * scale, mask=mask), usual, **same)
    np.testing.assert_allclose(measure(-weights, mask=mask), usual, **same)
    turned = measure(weights.swapaxes(2, 3), mask=mask.T)
    np.testing.assert_allclose(turned, usual, **same)
    np.testing.assert_allclose(measure(weights[::-1], mask=mask), usual[::-1], **same)
    np.testing.assert_allclose(measure(weights[:, ::-1], mask=mask), usual, **same)
    p = patterns.null(weights, name, 19, seed, cutoff=0.3, mask=mask)
    assert ((p >= 1 / 20) & (p <= 1)).all()
    less = patterns.null(3 * weights[::-2] - 1, name, 19, seed, cutoff=0.3, mask=mask)
    np.testing.assert_array_equal(less, p[::-2])


@named
def test_float32_and_strided_weights(name):
    weights = noise(4, 19, 2)
    np.testing.assert_array_equal(
        MEASURES[name](weights), MEASURES[name](weights.astype(np.float64))
    )
    np.testing.assert_allclose(
        MEASURES[name](np.asfortranarray(weights)), MEASURES[name](weights), rtol=1e-12
    )


@named
def test_the_seed_decides(name):
    weights = noise(6, 20, 1, 9, 9)
    first, again, other = (patterns.null(weights, name, 49, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


@named
def test_weights_without_a_pattern_to_measure_are_nan(name):
    weights = noise(7, 21)
    kept = weights.copy()
    weights[1], weights[2, 0, 3, 3], weights[3, 0, 0, 0] = 0.1, np.nan, np.inf
    weights[4] = 0
    expected = [False, True, True, True, True, False, False]
    np.testing.assert_array_equal(np.isnan(MEASURES[name](weights)), expected)
    p = patterns.null(weights, name, 19)
    np.testing.assert_array_equal(np.isnan(p), expected)
    np.testing.assert_array_equal(p[[0, 5, 6]], patterns.null(kept, name, 19)[[0, 5, 6]])
    assert discoveries.noisy(p) == 1
    assert np.isnan(discoveries.noisy(p[1:5]))


@named
def test_ties_are_no_evidence(name):
    assert patterns.null(noise(5, 22, 1, 1, 2), name, 99, cutoff=0.5) == pytest.approx(1)
    one = np.zeros((1, 1, 8, 8))
    one[0, 0, 3, 4] = 0.1  # wherever the one pixel goes in a torus, its spectrum is the same
    p = patterns.null(one, name, 199)
    assert p[0] == 1 if name == "low_frequencies" else p[0] > 0.1


def test_a_constant_channel_adds_nothing():
    weights = noise(5, 23)
    with_constant = np.concatenate([weights, np.full_like(weights, 0.1)], axis=1)
    for measure in MEASURES.values():
        np.testing.assert_allclose(measure(with_constant), measure(weights))


def test_no_neurons_give_no_numbers():
    empty = np.zeros((0, 1, 4, 4))
    for measure in MEASURES.values():
        assert measure(empty).shape == (0,)
    assert patterns.null(empty, "roughness", 3).shape == (0,)


def test_noisy_is_benjamini_and_hochberg():
    def slow(p, level):
        rejected = [k for k, each in enumerate(sorted(p), 1) if each <= k * level / len(p)]
        return 1 - max(rejected, default=0) / len(p)

    rng = np.random.default_rng(24)
    for _ in range(50):
        p = rng.random(20) ** rng.integers(1, 6)
        assert discoveries.noisy(p, 0.1) == pytest.approx(slow(p, 0.1))
        assert discoveries.noisy(np.append(p, np.nan), 0.1) == discoveries.noisy(p, 0.1)


def test_moved_is_the_relative_distance():
    initial = noise(4, 25)
    weights = initial.copy()
    weights[1] *= 3
    weights[2, 0, 0] += 1
    weights[3] = np.nan
    norm = math.sqrt(math.fsum(float(each) ** 2 for each in initial[2].ravel()))
    moved = patterns.moved(weights, initial)
    assert moved[:2] == pytest.approx([0, 2], rel=1e-6)
    assert moved[0] == 0
    assert moved[2] == pytest.approx(math.sqrt(SIDE) / norm, rel=1e-6)
    assert np.isnan(moved[3])
    np.testing.assert_array_equal(patterns.moved(weights, initial, border())[[0, 2]], 0)
    assert np.isnan(patterns.moved(initial, 0 * initial)).all()
    tiny = patterns.moved(1e-200 * weights.astype(float), 1e-200 * initial.astype(float))
    assert tiny[:3] == pytest.approx(moved[:3])
    assert patterns.moved(2 * initial[..., :1, :1], initial[..., :1, :1]) == pytest.approx(1)


W = noise(2, 26, 1, 4, 4)
LONE = np.array([[1, 0], [0, 1]], dtype=bool)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: patterns.autocorrelation(W[0]), r"\(1, 4, 4\) are no images"),
        (lambda: patterns.roughness(W[:, :0]), "are no images"),
        (lambda: patterns.roughness(W[..., :1, :1]), "1 of 1x1 pixels count"),
        (lambda: patterns.low_frequencies(W[..., :0]), "0 of 4x0 pixels count"),
        (lambda: patterns.autocorrelation(W, np.ones((4, 5), dtype=bool)), "does not fit"),
        (lambda: patterns.autocorrelation(W, np.ones((4, 4))), "type float64 does not fit"),
        (lambda: patterns.roughness(W, np.zeros((4, 4), dtype=bool)), "0 of 4x4 pixels count"),
        (lambda: patterns.roughness(W[..., :2, :2], LONE), "no two of the 2 pixels"),
        (lambda: patterns.low_frequencies(W, 0.1), "raise the cutoff to 0.25"),
        (lambda: patterns.low_frequencies(W, np.nan), "raise the cutoff"),
        (lambda: patterns.low_frequencies(W[..., :1, :1], 0.5), "1 of 1x1 pixels count"),
        (lambda: patterns.null(W, "moran"), "choose one of autocorrelation, roughness, low"),
        (lambda: patterns.null(W, "roughness", 0), "ask for at least 1"),
        (lambda: discoveries.noisy([]), "no p values"),
        (lambda: discoveries.noisy([0.5, 1.1]), "no p values"),
        (lambda: discoveries.noisy([[0.5]]), "no p values"),
        (lambda: discoveries.noisy([0.5], 0), "between 0 and 1"),
        (lambda: patterns.moved(W, W[:1]), "did not start from"),
        (lambda: patterns.moved(W, W, np.zeros((4, 4), dtype=bool)), "0 of 4x4 pixels count"),
    ],
)
def test_what_cannot_be_measured_is_refused(make, words):
    with pytest.raises((PatternError, DiscoveryError), match=words):
        make()
