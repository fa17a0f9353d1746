"""Which of many hidden units are told from noise: p values, corrected for their number."""

import numpy as np
import numpy.typing as npt
from scipy import stats

from normlib.errors import NormlibError


class DiscoveryError(NormlibError, ValueError):
    """What was given are no p values, or no level; the message says what to give."""


def structured(p_values: npt.ArrayLike, level: float = 0.05) -> npt.NDArray[np.bool_]:
    """Return which neurons are found structured; NaN is not.

    Found are those that the procedure of Benjamini and Hochberg rejects: among the found, the share
    of mere noise is at most ``level`` in expectation, if neurons are independent or depend on one
    another positively. Holm's would guard against a single false one, but ask of the first p value
    to be below level / N, and this is for a share, not for a list to be free of errors. What is not
    found is not thereby proven to be noise. One structured neuron among N of noise can be found
    only with at least N / level - 1 permutations.

    Shape:
        (N,) to (N,).

    Raises:
        DiscoveryError: p values are no list of numbers from 0 to 1, or the level is not between
            them.

    Source:
        Benjamini & Hochberg (1995), Controlling the false discovery rate, J. R. Stat. Soc. B 57.
    """
    p = np.asarray(p_values, dtype=np.float64)
    if p.ndim != 1 or p.size == 0 or (p < 0).any() or (p > 1).any():
        raise DiscoveryError(f"{p_values!r} are no p values; give a list of numbers from 0 to 1")
    if not 0 < level < 1:
        raise DiscoveryError(f"a level of {level} is none; give one between 0 and 1")
    found = np.zeros(p.shape, dtype=np.bool_)
    known = ~np.isnan(p)
    if known.any():
        found[known] = stats.false_discovery_control(p[known], method="bh") <= level
    return found


def noisy(p_values: npt.ArrayLike, level: float = 0.05) -> float:
    """Return the share of neurons that are not `structured`; NaN is left out, of nothing else NaN.

    Shape:
        (N,) to a number.

    Raises:
        DiscoveryError: as `structured`.
    """
    found = structured(p_values, level)
    known = ~np.isnan(np.asarray(p_values, dtype=np.float64))
    return float(np.mean(~found[known])) if known.any() else float("nan")
