"""Each statistic against SciPy, against a naive computation, or against what it promises."""

import itertools

import numpy as np
import pytest
from scipy import stats

from normlib.analysis import statistics
from normlib.analysis.statistics import StatisticsError

RNG = np.random.default_rng(20260101)
SAMPLES = [RNG.normal(loc, scale, n) for loc, scale, n in [(0, 1, 5), (0.3, 0.2, 20), (-2, 5, 3)]]
REPEATS = 4000
#: Four standard errors of a share near 0.95 over REPEATS repetitions.
TOLERANCE = 4 * (0.95 * 0.05 / REPEATS) ** 0.5


@pytest.mark.parametrize("values", SAMPLES)
@pytest.mark.parametrize("level", [0.8, 0.95, 0.999])
def test_mean_interval_is_scipys(values, level):
    found = statistics.mean_interval(values, level)
    expected = stats.ttest_1samp(values, 0).confidence_interval(level)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), rel=1e-12)
    assert (found.mean, found.n) == (pytest.approx(np.mean(values)), len(values))


@pytest.mark.parametrize("n", [3, 5, 20])
def test_mean_interval_covers_the_mean(n):
    draws = np.random.default_rng(n).normal(7.0, 0.3, (REPEATS, n))
    found = [statistics.mean_interval(draw) for draw in draws]
    covered = np.mean([one.low <= 7.0 <= one.high for one in found])
    assert covered == pytest.approx(0.95, abs=TOLERANCE)


@pytest.mark.parametrize("n", [3, 5, 20])
def test_prediction_interval_covers_one_new_run_and_a_mean_interval_does_not(n):
    draws = np.random.default_rng(n).normal(7.0, 0.3, (REPEATS, n + 1))
    pairs = [(statistics.prediction_interval(draw[:-1]), draw[-1]) for draw in draws]
    covered = np.mean([one.low <= new <= one.high for one, new in pairs])
    assert covered == pytest.approx(0.95, abs=TOLERANCE)
    too_narrow = [(statistics.mean_interval(draw[:-1]), draw[-1]) for draw in draws]
    assert np.mean([one.low <= new <= one.high for one, new in too_narrow]) < 0.9


def test_prediction_interval_by_hand():
    found = statistics.prediction_interval([1.0, 2.0, 3.0])
    half = stats.t.ppf(0.975, 2) * np.sqrt(1 + 1 / 3)
    assert (found.low, found.high) == pytest.approx((2 - half, 2 + half))


def test_the_mean_of_more_new_runs_is_predicted_closer():
    found = statistics.prediction_interval([1.0, 2.0, 3.0], runs=4)
    half = stats.t.ppf(0.975, 2) * np.sqrt(1 / 4 + 1 / 3)
    assert (found.low, found.high) == pytest.approx((2 - half, 2 + half))
    with pytest.raises(StatisticsError, match="runs=0"):
        statistics.prediction_interval([1.0, 2.0], runs=0)


@pytest.mark.parametrize("values", SAMPLES)
@pytest.mark.parametrize("bound", [-0.5, 0.0, 0.2])
def test_one_sided_is_scipys(values, bound):
    above, below = statistics.one_sided(values, bound)
    expected = stats.ttest_1samp(values, bound, alternative="greater").pvalue
    assert above == pytest.approx(expected, rel=1e-9)
    assert above + below == pytest.approx(1.0)


def test_pairing_gives_scipys_paired_test():
    first, second = RNG.normal(size=(2, 12)) + RNG.normal(size=12)
    above, below = statistics.one_sided(first - second, 0.0)
    assert 2 * min(above, below) == pytest.approx(stats.ttest_rel(first, second).pvalue)


def test_equal_values_are_decided_by_their_value():
    assert statistics.one_sided([0.1] * 3, 0.0) == (0.0, 1.0)
    assert statistics.one_sided([0.0] * 3, 0.0) == (1.0, 1.0)
    assert statistics.equivalence([0.0] * 5, 0.2) == 0.0
    assert statistics.equivalence([0.2] * 5, 0.2) == 1.0
    assert statistics.mean_interval([0.1] * 7).sd == 0.0


@pytest.mark.parametrize("values", SAMPLES)
def test_equivalence_is_the_larger_of_two_tests(values):
    low = stats.ttest_1samp(values, -0.4, alternative="greater").pvalue
    high = stats.ttest_1samp(values, 0.4, alternative="less").pvalue
    assert statistics.equivalence(values, 0.4) == pytest.approx(max(low, high))


def test_equivalence_is_rarely_claimed_at_the_margin_and_mostly_at_zero():
    def share(mean):
        draws = np.random.default_rng(3).normal(mean, 0.3, (REPEATS, 20))
        return np.mean([statistics.equivalence(draw, 0.3) < 0.05 for draw in draws])

    assert share(0.3) == pytest.approx(0.05, abs=TOLERANCE)
    assert share(0.0) > 0.95


def test_a_large_p_value_is_no_equivalence():
    few = np.array([-0.9, 0.2, 0.8])
    assert 2 * min(statistics.one_sided(few, 0)) > 0.5
    assert statistics.equivalence(few, 0.2) > 0.2


def naive_holm(p):
    """Holm's step-down rule as written: the smallest alpha at which each is rejected."""
    order, adjusted, running = np.argsort(p, kind="stable"), [0.0] * len(p), 0.0
    for rank, index in enumerate(order):
        running = max(running, (len(p) - rank) * p[index])
        adjusted[index] = min(1.0, running)
    return adjusted


@pytest.mark.parametrize("p", list(itertools.permutations([0.01, 0.04, 0.03, 0.005])))
def test_holm_on_the_textbook_example_in_any_order(p):
    expected = {0.005: 0.02, 0.01: 0.03, 0.03: 0.06, 0.04: 0.06}
    assert statistics.holm(p) == pytest.approx([expected[one] for one in p])


def test_holm_against_a_naive_one_and_bonferroni():
    for size in range(1, 9):
        p = RNG.random(size) ** 3
        assert statistics.holm(p) == pytest.approx(naive_holm(p))
        assert (statistics.holm(p) <= np.minimum(1, size * p) + 1e-15).all()
        assert (statistics.holm(p) >= p).all()
    assert statistics.holm([]).size == 0


def test_holm_keeps_the_family_wise_error():
    rng = np.random.default_rng(11)
    false = np.mean([(statistics.holm(rng.random(6)) < 0.05).any() for _ in range(REPEATS)])
    assert false <= 0.05 + TOLERANCE


@pytest.mark.parametrize("n", [2, 3, 5, 20, 200])
def test_detectable_effect_has_the_promised_power(n):
    effect = statistics.detectable(0.4, n, power=0.8)
    draws = np.random.default_rng(n).normal(effect, 0.4, (20000, n))
    found = np.abs(stats.ttest_1samp(draws, 0, axis=1).statistic) > stats.t.ppf(0.975, n - 1)
    assert found.mean() == pytest.approx(0.8, abs=0.012)


def test_detectable_effect_shrinks_with_seeds_and_scales_with_spread():
    effects = [statistics.detectable(1.0, n) for n in (3, 5, 10, 20, 50)]
    assert effects == sorted(effects, reverse=True)
    assert statistics.detectable(2.0, 5) == pytest.approx(2 * statistics.detectable(1.0, 5))
    assert statistics.detectable(0.0, 5) == 0.0


def test_share_is_scipys_binomial_test():
    for count in range(21):
        above, below = statistics.share_above(count, 20, 0.75)
        for p, alternative in ((above, "greater"), (below, "less")):
            expected = stats.binomtest(count, 20, 0.75, alternative=alternative).pvalue
            assert p == pytest.approx(expected)
    assert statistics.share_interval(20, 20) == pytest.approx((0.025 ** (1 / 20), 1.0))


def test_spread_interval_and_test_agree_and_cover():
    draws = np.random.default_rng(5).normal(0, 0.25, (REPEATS, 20))
    intervals = [statistics.spread_interval(draw) for draw in draws]
    covered = np.mean([low <= 0.25 <= high for low, high in intervals])
    assert covered == pytest.approx(0.95, abs=TOLERANCE)
    for draw, (low, _) in zip(draws[:50], intervals[:50], strict=True):
        assert statistics.spread_above(draw, low)[0] == pytest.approx(0.025)


@pytest.mark.parametrize(
    ("call", "culprit"),
    [
        (lambda: statistics.mean_interval([1.0]), "1 values"),
        (lambda: statistics.mean_interval([1.0, np.nan]), "nan"),
        (lambda: statistics.mean_interval([[1.0, 2.0]]), r"\(1, 2\)"),
        (lambda: statistics.mean_interval([1.0, 2.0], level=95), "level=95"),
        (lambda: statistics.equivalence([1.0, 2.0], 0.0), "margin=0.0"),
        (lambda: statistics.holm([0.5, 1.5]), "1.5"),
        (lambda: statistics.holm([np.nan]), "nan"),
        (lambda: statistics.share_above(21, 20, 0.5), "count=21"),
        (lambda: statistics.spread_above([1.0, 2.0], 0.0), "bound=0.0"),
        (lambda: statistics.detectable(1.0, 1), "n=1"),
    ],
)
def test_bad_samples_are_named(call, culprit):
    with pytest.raises(StatisticsError, match=culprit):
        call()
