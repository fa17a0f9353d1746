r"""How far two distributions of weights or gradients are apart, and how wide each is.

All take values with optional counts, so that single values, and the middles of a histogram's bins
with the bins' counts, give the same answer up to the bins' width. One unit serves both: the mean
absolute deviation from the median, which is the Wasserstein distance to a single point.
"""

import numpy as np
import numpy.typing as npt
from scipy import stats

from normlib.errors import NormlibError

Numbers = npt.ArrayLike


class DistributionError(NormlibError, ValueError):
    """Values without a distribution that could be compared."""


def spread(values: Numbers, counts: Numbers | None = None) -> float:
    r"""Return the mean absolute deviation from the median, $m(X) = E\,|X - \text{med} X|$.

    It is the least of $W_1(X, c)$ over all points $c$, and for a normal distribution
    $\sqrt{2/\pi}$ of its standard deviation. Rare large values move it less than that.
    """
    x, n = _weighted(values, counts)
    return float(np.average(np.abs(x - median(x, n)), weights=n))


def median(values: Numbers, counts: Numbers | None = None) -> float:
    """Return the median; of two in the middle, the lower one."""
    x, n = _weighted(values, counts)
    order = np.argsort(x, kind="stable")
    reached = np.cumsum(n[order])
    return float(x[order][int(np.searchsorted(reached, reached[-1] / 2))])


def distance(
    first: Numbers,
    second: Numbers,
    first_counts: Numbers | None = None,
    second_counts: Numbers | None = None,
) -> float:
    r"""Return the distance of two distributions in percent of their spread.

    $100\,W_1(X, Y) \,/\, \tfrac12 (m(X) + m(Y))$ with $W_1 = \int |F_X - F_Y|$, Wasserstein's
    (the earth mover's) distance, and $m$ the `spread`. It does not depend on the unit. Two
    distributions of one shape about one center have the difference of their spreads in percent
    of the mean spread, 200 at most; two normal ones of one width $\sigma$ a shift of $1.25$ times
    their distance in $\sigma$.
    """
    (x, n), (y, m) = _weighted(first, first_counts), _weighted(second, second_counts)
    unit = (spread(x, n) + spread(y, m)) / 2
    if unit == 0:
        raise DistributionError("both have a single value only; there is no spread to measure by")
    return 100 * float(stats.wasserstein_distance(x, y, n, m)) / unit


def widening(early: float, late: float) -> float:
    r"""Return $\log_2(\text{late} / \text{early})$ of two spreads: doublings, negative if focused.

    Raises:
        DistributionError: one of them is not above 0.
    """
    if not (0 < early < np.inf and 0 < late < np.inf):
        raise DistributionError(
            f"spreads of {early} and {late} have no ratio; both must be above 0"
        )
    return float(np.log2(late / early))


def disparity(scales: Numbers) -> float:
    r"""Return by how many doublings scales differ: $\log_2(\max_l s_l / \min_l s_l)$ over layers.

    Raises:
        DistributionError: there are none, or one is not above 0.
    """
    s = np.asarray(scales, dtype=np.float64)
    if s.ndim != 1 or s.size == 0:
        raise DistributionError(f"scales of shape {s.shape} are no list; give one per layer")
    if not (np.isfinite(s) & (s > 0)).all():
        bad = s[~(np.isfinite(s) & (s > 0))][0]
        raise DistributionError(f"a scale of {bad} has no ratio to others; all must be above 0")
    return widening(float(s.min()), float(s.max()))


def _weighted(
    values: Numbers, counts: Numbers | None
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    x = np.asarray(values, dtype=np.float64).ravel()
    n = np.ones_like(x) if counts is None else np.asarray(counts, dtype=np.float64).ravel()
    if x.shape != n.shape or not np.isfinite(x).all() or not (n >= 0).all() or not n.sum() > 0:
        raise DistributionError(
            f"{x.size} values with {n.size} counts are no distribution; give as many finite "
            "values as counts, which are not negative and not all 0"
        )
    return x, n
