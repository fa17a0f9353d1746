r"""Whether the weights of a neuron, looked at as an image, show a pattern or pure noise.

Weights have shape (N, C, H, W): N neurons, each an image of C channels. $z$ is an image whose
channels have mean 0 each (a colour alone is no pattern) and which is scaled so that
$\sum_c \frac{1}{P} \sum_p z_{cp}^2 = 1$ over its $P$ pixels; so no measure depends on the scale or
the offset of the weights. A neuron whose weights are all one value, or not all finite, has NaN.

Every function takes an optional boolean ``mask`` (H, W) of the pixels that count; others are as if
they were not there. A pixel that is the same in all training images (the corners of MNIST) teaches
its weights nothing: they keep their first values, white noise whatever the network has learnt.
Give the mask of those pixels that vary.

The null hypothesis is that pixels are exchangeable. Noise whose width differs from region to region
is not: where the middle 20x20 of 28x28 pixels is 4 times as wide, tests at 5% find 95% of neurons
structured by roughness, 10% by autocorrelation and 8% by low frequencies. So roughness describes,
and one of the others decides. Tested is how the weights are arranged, not whether a person could
name what they show.
"""

from collections.abc import Callable
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt
from scipy import fft

from normlib.errors import NormlibError

Measure = Literal["autocorrelation", "roughness", "low_frequencies"]
"""What `null` can test."""
Weights = npt.NDArray[np.float32] | npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]

CUTOFF = 0.125
"""Cycles per pixel: what repeats after 8 pixels or more is low."""
_ROUNDING = 1e-9
"""How much less structured, by rounding alone, a permutation may look than one that equals it."""


class PatternError(NormlibError, ValueError):
    """Weights, a mask or a choice with which patterns cannot be measured."""


def autocorrelation(weights: Weights, mask: Mask | None = None) -> Floats:
    r"""Return Moran's $I = \frac{1}{|E|} \sum_{(p, q) \in E} \sum_c z_{cp} z_{cq}$.

    $E$ are the pairs of pixels beside or above one another, both within the mask. Shuffled pixels
    have $-1 / (P - 1)$ in expectation; a smooth image has nearly 1, a chessboard -1.

    Shape:
        (N, C, H, W) to (N,).

    Raises:
        PatternError: the weights are no images, the mask does not fit, or no pixels are adjacent.

    Source:
        Moran (1950), Notes on continuous stochastic phenomena, Biometrika 37.
    """
    z, within = _standardised(weights, mask)
    return _arrangement("autocorrelation", within, CUTOFF)(z)


def roughness(weights: Weights, mask: Mask | None = None) -> Floats:
    r"""Return the total variation in units of that of shuffled pixels.

    $\frac{1}{|E|} \sum_{(p, q) \in E} \sum_c |z_{cp} - z_{cq}|$, with pairs $E$ as in
    `autocorrelation`, divided by the same mean over all pairs of different pixels, which is what
    shuffling gives in expectation. 1 is as rough as noise, less is smoother.

    Shape:
        (N, C, H, W) to (N,).

    Raises:
        PatternError: the weights are no images, the mask does not fit, or no pixels are adjacent.
    """
    z, within = _standardised(weights, mask)
    return -_arrangement("roughness", within, CUTOFF)(z) / _mean_difference(z)


def low_frequencies(weights: Weights, cutoff: float = CUTOFF, mask: Mask | None = None) -> Floats:
    r"""Return the share of the energy at radial frequencies up to ``cutoff`` cycles per pixel.

    $\frac{1}{H W P} \sum_{|f| \le \text{cutoff}} \sum_c |\hat z_c(f)|^2$ with the discrete Fourier
    transform $\hat z$; pixels outside the mask are set to the mean of those within. From 0 to 1;
    without a mask shuffled pixels have in expectation the share of these among all frequencies, 0
    left out.

    Shape:
        (N, C, H, W) to (N,).

    Raises:
        PatternError: the weights are no images, the mask does not fit, or no frequency but 0 is
            as low as the cutoff.
    """
    z, within = _standardised(weights, mask)
    return _arrangement("low_frequencies", within, cutoff)(z)


def null(
    weights: Weights,
    measure: Measure,
    permutations: int = 1999,
    seed: int = 0,
    *,
    cutoff: float = CUTOFF,
    mask: Mask | None = None,
) -> Floats:
    """Return for each neuron the p value that its pixels are no more structured than shuffled.

    p = (1 + permutations at least as structured) / (1 + permutations), one-sided: a larger
    autocorrelation or share of low frequencies, or a smaller roughness, is more structured. Pixels
    within the mask are shuffled. All channels of a pixel move together: only places are exchanged,
    and channels that resemble one another do not count as evidence several times. All neurons see
    the same permutations, so that the p value of one does not depend on which others are there.

    Shape:
        (N, C, H, W) to (N,); NaN where the measure is.

    Raises:
        PatternError: as the measure, or there is no such measure or no permutation.

    Source:
        Phipson & Smyth (2010), Permutation p-values should never be zero, arXiv:1603.05766.
    """
    if measure not in get_args(Measure):
        raise PatternError(f"no measure {measure!r}; choose one of {', '.join(get_args(Measure))}")
    if permutations < 1:
        raise PatternError(f"{permutations} permutations give no p value; ask for at least 1")
    z, within = _standardised(weights, mask)
    structure = _arrangement(measure, within, cutoff)
    observed = structure(z)
    rng = np.random.default_rng(seed)
    reached = np.zeros(observed.shape)
    for _ in range(permutations):
        reached += structure(z[rng.permutation(len(z))]) >= observed - _ROUNDING
    return np.where(np.isnan(observed), np.nan, (1 + reached) / (1 + permutations))


def moved(weights: Weights, initial: Weights, mask: Mask | None = None) -> Floats:
    r"""Return how far each neuron is from its start, $\|w - w_0\| / \|w_0\|$.

    0 is a neuron that never learnt, and still is its initial noise. Weight decay moves weights,
    too, without any learning.

    Shape:
        (N, C, H, W) twice to (N,); NaN where the start is 0 or something is not finite.

    Raises:
        PatternError: the weights are no images, differ in shape, or the mask does not fit.
    """
    if np.shape(weights) != np.shape(initial):
        raise PatternError(
            f"weights of shape {np.shape(weights)} did not start from {np.shape(initial)}; give "
            "the initial weights of the same layer"
        )
    (w, _), (w0, _) = _pixels(weights, mask, fewest=1), _pixels(initial, mask, fewest=1)
    with np.errstate(all="ignore"):
        scale = np.abs(w0).max(axis=(0, 2), keepdims=True)
        w, w0 = w / scale, w0 / scale
        ratio = np.sqrt(((w - w0) ** 2).sum(axis=(0, 2)) / (w0**2).sum(axis=(0, 2)))
    return np.where(np.isfinite(ratio), ratio, np.nan)


def _arrangement(measure: Measure, within: Mask, cutoff: float) -> Callable[[Floats], Floats]:
    """Return what a shuffle changes, greater if more structured: (P, N, C) to (N,)."""
    if measure == "low_frequencies":
        low = _low(within.shape[0], within.shape[1], cutoff)

        def energy(z: Floats) -> Floats:
            grid = np.zeros(within.shape + z.shape[1:])
            grid[within] = z
            spectrum = fft.fft2(grid, axes=(0, 1))[low]
            energies: Floats = (spectrum.real**2 + spectrum.imag**2).sum(axis=(0, 2))
            return energies / (within.size * len(z))

        return energy
    p, q = _adjacent(within)
    if measure == "autocorrelation":
        return lambda z: (z[p] * z[q]).mean(axis=0).sum(axis=-1)
    return lambda z: -np.abs(z[p] - z[q]).mean(axis=0).sum(axis=-1)


def _adjacent(within: Mask) -> npt.NDArray[np.intp]:
    """Return pairs of adjacent pixels as numbers among those within: (2, pairs)."""
    number = np.cumsum(within).reshape(within.shape) - 1
    across, down = within[:, :-1] & within[:, 1:], within[:-1] & within[1:]
    p = np.concatenate([number[:, :-1][across], number[:-1][down]])
    q = np.concatenate([number[:, 1:][across], number[1:][down]])
    if p.size == 0:
        raise PatternError(f"no two of the {within.sum()} pixels that count adjoin; widen mask")
    return np.stack([p, q])


def _low(height: int, width: int, cutoff: float) -> Mask:
    """Return which cells of the spectrum are low, 0 among them: (H, W)."""
    radius = np.hypot(fft.fftfreq(height)[:, None], fft.fftfreq(width))
    low: Mask = radius <= cutoff + 1e-12  # 7 / 28 is not exactly 0.25
    if np.count_nonzero(low) < 2:
        raise PatternError(
            f"no frequency of {height}x{width} pixels is up to {cutoff} cycles per pixel; raise "
            f"the cutoff to {1 / max(height, width):.3g} or more"
        )
    return low


def _mean_difference(z: Floats) -> Floats:
    """Return the mean absolute difference of two different pixels: (P, N, C) to (N,)."""
    P = len(z)
    rank = np.arange(1 - P, P, 2)  # how often the sorted value is the larger, less the smaller one
    sums = np.einsum("p,pnc->n", rank, np.sort(z, axis=0))
    return np.asarray(2 * sums / (P * (P - 1)), dtype=np.float64)


def _standardised(weights: Weights, mask: Mask | None) -> tuple[Floats, Mask]:
    """Return z of shape (P, N, C) and the mask."""
    x, within = _pixels(weights, mask, fewest=2)
    constant = np.equal(x.max(axis=0), x.min(axis=0))
    with np.errstate(all="ignore"):
        z = np.where(constant, 0, x - x.mean(axis=0))
        z /= np.abs(z).max(axis=(0, 2), keepdims=True)  # squares of what is tiny would be 0
        z /= np.sqrt((z**2).sum(axis=-1).mean(axis=0))[:, None]
    return np.where(np.isfinite(z).all(axis=(0, 2), keepdims=True), z, np.nan), within


def _pixels(weights: Weights, mask: Mask | None, fewest: int) -> tuple[Floats, Mask]:
    """Return the pixels that count, of shape (P, N, C), and the mask."""
    w = np.asarray(weights, dtype=np.float64)
    if w.ndim != 4 or w.shape[1] == 0:
        raise PatternError(
            f"weights of shape {w.shape} are no images; reshape them to (neurons, channels, "
            "height, width)"
        )
    within = _within(mask, w.shape[2], w.shape[3], fewest)
    return np.moveaxis(w[:, :, within], -1, 0).copy(), within


def _within(mask: Mask | None, height: int, width: int, fewest: int) -> Mask:
    within = np.ones((height, width), dtype=np.bool_) if mask is None else np.asarray(mask)
    if within.shape != (height, width) or within.dtype != np.bool_:
        raise PatternError(
            f"a mask of shape {within.shape} and type {within.dtype} does not fit; give a boolean "
            f"one of shape {(height, width)}"
        )
    if np.count_nonzero(within) < fewest:
        raise PatternError(
            f"{np.count_nonzero(within)} of {height}x{width} pixels count; it takes {fewest}"
        )
    return within
