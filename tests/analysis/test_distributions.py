"""Distances and widths of distributions, against what normal ones must have."""

import numpy as np
import pytest
from scipy import stats

from normlib.analysis import distributions
from normlib.analysis.distributions import DistributionError
from normlib.claims.source_e.distributions import ALIKE, MODEST

#: A normal distribution as its quantiles: no luck in it.
NORMAL = stats.norm.ppf((np.arange(20_000) + 0.5) / 20_000)


def test_spread_is_the_mean_absolute_deviation_from_the_median():
    values = [1.0, 2.0, 10.0]
    assert distributions.spread(values) == pytest.approx((1 + 0 + 8) / 3)
    assert distributions.spread(NORMAL) == pytest.approx(np.sqrt(2 / np.pi), rel=1e-3)
    point = stats.wasserstein_distance(values, [2.0])
    assert distributions.spread(values) == pytest.approx(point)


@pytest.mark.parametrize("unit", [1e-6, 1.0, 1e6])
def test_distance_is_the_relative_difference_of_widths_whatever_the_unit(unit):
    wider = distributions.distance(unit * NORMAL, unit * 1.5 * NORMAL)
    assert wider == pytest.approx(100 * 0.5 / 1.25, rel=1e-6)
    shifted = distributions.distance(unit * NORMAL, unit * (NORMAL + 0.2))
    assert shifted == pytest.approx(100 * 0.2 * np.sqrt(np.pi / 2), rel=1e-3)


def test_distance_of_the_same_is_nothing_and_is_symmetric():
    other = np.exp(NORMAL)
    assert distributions.distance(NORMAL, NORMAL[::-1]) == pytest.approx(0, abs=1e-9)
    there, back = distributions.distance(NORMAL, other), distributions.distance(other, NORMAL)
    assert there == pytest.approx(back)


def test_a_histogram_gives_the_answer_of_its_values():
    rng = np.random.default_rng(3)
    values = [rng.normal(0, 1, 50_000), rng.standard_t(3, 50_000)]
    edges = np.linspace(-60, 60, 6001)
    middles = (edges[1:] + edges[:-1]) / 2
    first, second = (np.histogram(each, edges)[0] for each in values)
    direct, binned = (
        distributions.distance(*values),
        distributions.distance(middles, middles, first, second),
    )
    assert binned == pytest.approx(direct, abs=0.5)
    assert distributions.spread(middles, first) == pytest.approx(
        distributions.spread(values[0]), rel=1e-3
    )


@pytest.mark.parametrize(
    ("margin", "percent", "wider", "shifted"), [(ALIKE, 29, 0.88, 0.92), (MODEST, 67, 0.76, 0.84)]
)
def test_the_margins_share_the_area_that_they_are_said_to(margin, percent, wider, shifted):
    x = np.linspace(-12, 12, 200_001)

    def shared(shift, width):
        both = np.minimum(stats.norm.pdf(x), stats.norm.pdf(x, shift, width))
        return both.sum() * (x[1] - x[0])

    width = 1 + percent / 100
    shift = margin / 100 * np.sqrt(2 / np.pi)
    assert distributions.distance(NORMAL, width * NORMAL) == pytest.approx(margin, abs=0.5)
    assert distributions.distance(NORMAL, NORMAL + shift) == pytest.approx(margin, abs=0.1)
    assert shared(0, width) == pytest.approx(wider, abs=0.005)
    assert shared(shift, 1) == pytest.approx(shifted, abs=0.005)


def test_widening_and_disparity_are_doublings():
    assert distributions.widening(2.0, 8.0) == 2.0
    assert distributions.widening(8.0, 2.0) == -2.0
    assert distributions.disparity([1.0, 0.5, 4.0]) == 3.0
    assert distributions.disparity([7.0]) == 0.0


@pytest.mark.parametrize(
    "make",
    [
        lambda: distributions.spread([]),
        lambda: distributions.spread([1.0, np.nan]),
        lambda: distributions.spread([1.0, 2.0], [1.0]),
        lambda: distributions.spread([1.0, 2.0], [-1.0, 2.0]),
        lambda: distributions.spread([1.0, 2.0], [0.0, 0.0]),
        lambda: distributions.distance([1.0, 1.0], [1.0]),
        lambda: distributions.widening(0.0, 1.0),
        lambda: distributions.widening(1.0, np.inf),
        lambda: distributions.disparity([]),
        lambda: distributions.disparity([1.0, 0.0]),
    ],
)
def test_what_has_no_distribution_is_refused(make):
    with pytest.raises(DistributionError):
        make()


@pytest.mark.parametrize("bad", [0.0, -1.0, np.nan, np.inf])
def test_scales_are_told_from_spreads(bad):
    with pytest.raises(DistributionError, match=f"a scale of {bad} has no ratio"):
        distributions.disparity([1.0, bad, 2.0])
