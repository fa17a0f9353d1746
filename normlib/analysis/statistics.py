"""The statistics of the experimental chapters: few, classical, each with its formula.

All take one number per run (or per pair of runs) and know nothing of records. Values must be
finite; a sample without spread is legitimate (two deterministic layers that always agree).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import optimize, stats

from normlib.errors import NormlibError

Values = Sequence[float] | npt.NDArray[np.float64]


class StatisticsError(NormlibError, ValueError):
    """A sample that a statistic cannot be computed from."""


@dataclass(frozen=True)
class Interval:
    """A mean with two limits; ``sd`` is the sample's standard deviation, ``n`` its size."""

    mean: float
    low: float
    high: float
    sd: float
    n: int


def sample(values: Values) -> npt.NDArray[np.float64]:
    """Return ``values`` as an array, or raise StatisticsError if too few or not finite."""
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1 or array.size < 2:
        raise StatisticsError(
            f"{array.size} values of shape {array.shape}; give a list of at least 2"
        )
    if not np.isfinite(array).all():
        raise StatisticsError(f"{array[~np.isfinite(array)][0]} is not finite; leave no gaps")
    return array


def mean_interval(values: Values, level: float = 0.95) -> Interval:
    r"""Return the mean and its confidence interval.

    $\bar d \pm t_{n-1,\,(1+\text{level})/2}\; s / \sqrt n$ with $s^2 = \sum (d_i-\bar d)^2/(n-1)$.
    It covers the mean of all seeds in a share ``level`` of repetitions.
    """
    return _around_mean(values, level, lambda n: 1 / n)


def prediction_interval(values: Values, level: float = 0.95, runs: int = 1) -> Interval:
    r"""Return the interval of the mean of ``runs`` new runs, with probability ``level``.

    $\bar d \pm t_{n-1,\,(1+\text{level})/2}\; s \sqrt{1/\text{runs} + 1/n}$ (normal runs). It does
    not shrink to nothing with $n$, and it is what a source's single run, or its mean of so many,
    is to be compared with.
    """
    if runs < 1:
        raise StatisticsError(f"runs={runs} have no mean; give at least 1")
    return _around_mean(values, level, lambda n: 1 / runs + 1 / n)


def _around_mean(values: Values, level: float, variance: Any) -> Interval:
    if not 0 < level < 1:
        raise StatisticsError(f"level={level} is no probability; give one between 0 and 1")
    array = sample(values)
    n, mean, sd = array.size, float(array.mean()), _deviation(array)
    half = float(stats.t.ppf((1 + level) / 2, n - 1)) * sd * float(np.sqrt(variance(n)))
    return Interval(mean, mean - half, mean + half, sd, n)


def _deviation(array: npt.NDArray[np.float64]) -> float:
    # Equal values have no spread, even where their mean is rounded.
    return 0.0 if np.ptp(array) == 0 else float(array.std(ddof=1))


def one_sided(values: Values, bound: float) -> tuple[float, float]:
    r"""Return the p values of "the mean is above ``bound``" and "below ``bound``".

    $t = (\bar d - \text{bound})\sqrt n / s$, $p_{above} = P(T_{n-1} \ge t)$,
    $p_{below} = P(T_{n-1} \le t)$.
    """
    array = sample(values)
    mean, sd = float(array.mean()), _deviation(array)
    if sd == 0:
        return float(array[0] <= bound), float(array[0] >= bound)
    t = (mean - bound) * np.sqrt(array.size) / sd
    return float(stats.t.sf(t, array.size - 1)), float(stats.t.cdf(t, array.size - 1))


def equivalence(values: Values, margin: float) -> float:
    r"""Return the p value of "the mean lies strictly within ``margin`` of 0".

    Two one-sided tests (Schuirmann 1987): $\max(p_{> -margin},\, p_{< margin})$. A large p value
    of the usual test says nothing of the kind.
    """
    if not margin > 0:
        raise StatisticsError(f"margin={margin} leaves nothing to show; give one above 0")
    return max(one_sided(values, -margin)[0], one_sided(values, margin)[1])


def holm(p_values: Values) -> npt.NDArray[np.float64]:
    r"""Return Holm's adjusted p values: the chance of any false rejection stays below alpha.

    With $p_{(1)} \le \dots \le p_{(m)}$: $\tilde p_{(i)} = \max_{j \le i}
    \min(1, (m - j + 1)\,p_{(j)})$ (Holm 1979).
    """
    p = np.asarray(p_values, dtype=np.float64)
    if p.ndim != 1 or not ((p >= 0) & (p <= 1)).all():
        raise StatisticsError(f"p values {p.tolist()} are not all in 0..1")
    order = np.argsort(p, kind="stable")
    steps = np.minimum(1.0, p[order] * np.arange(p.size, 0, -1))
    adjusted = np.empty_like(p)
    adjusted[order] = np.maximum.accumulate(steps)
    return adjusted


def share_above(count: int, n: int, share: float) -> tuple[float, float]:
    r"""Return the exact p values of "the true share is above ``share``" and "below".

    $P(B \ge \text{count})$ and $P(B \le \text{count})$ for $B$ binomial ($n$, ``share``).
    """
    if not (0 <= count <= n and n >= 1 and 0 < share < 1):
        raise StatisticsError(f"count={count} of n={n} against share={share} is not possible")
    return float(stats.binom.sf(count - 1, n, share)), float(stats.binom.cdf(count, n, share))


def share_interval(count: int, n: int, level: float = 0.95) -> tuple[float, float]:
    """Return the exact confidence interval of a share (Clopper and Pearson 1934), in 0..1."""
    found = stats.binomtest(count, n).proportion_ci(level, method="exact")
    return float(found.low), float(found.high)


def spread_interval(values: Values, level: float = 0.95) -> tuple[float, float]:
    r"""Return the confidence interval of the standard deviation (normal runs).

    $s\sqrt{(n-1)/\chi^2_{n-1,\,(1 \pm \text{level})/2}}$.
    """
    array = sample(values)
    quantiles = stats.chi2.ppf([(1 + level) / 2, (1 - level) / 2], array.size - 1)
    low, high = _deviation(array) * np.sqrt((array.size - 1) / quantiles)
    return float(low), float(high)


def spread_above(values: Values, bound: float) -> tuple[float, float]:
    r"""Return the p values of "the standard deviation is above ``bound``" and "below".

    $(n-1)s^2/\text{bound}^2$ against $\chi^2_{n-1}$ (normal runs).
    """
    if not bound > 0:
        raise StatisticsError(f"bound={bound} is no standard deviation; give one above 0")
    array = sample(values)
    ratio = (array.size - 1) * (_deviation(array) / bound) ** 2
    return float(stats.chi2.sf(ratio, array.size - 1)), float(stats.chi2.cdf(ratio, array.size - 1))


def detectable(sd: float, n: int, alpha: float = 0.05, power: float = 0.8) -> float:
    r"""Return the smallest mean difference that ``n`` pairs find with probability ``power``.

    The $\delta$ with $P(|T| > t_{n-1,\,1-\alpha/2}) = \text{power}$ for $T$ noncentral t with
    $n-1$ degrees of freedom and noncentrality $\delta \sqrt n / \text{sd}$, in ``sd``'s unit.
    """
    if n < 2 or sd < 0 or not 0 < alpha < power < 1:
        raise StatisticsError(f"sd={sd}, n={n}, alpha={alpha}, power={power} do not go together")
    limit = stats.t.ppf(1 - alpha / 2, n - 1)

    def short_of_power(shift: float) -> float:
        # SciPy gives NaN for a far tail; the wrong side's is then below any precision needed.
        wrong_side = np.nan_to_num(stats.nct.cdf(-limit, n - 1, shift))
        return float(stats.nct.sf(limit, n - 1, shift) + wrong_side) - power

    enough = 1.0
    while short_of_power(enough) < 0:
        enough *= 1.5
    shift = optimize.brentq(short_of_power, 0.0, enough)
    return float(shift) * sd / float(np.sqrt(n))
