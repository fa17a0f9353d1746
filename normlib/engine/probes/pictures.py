"""What can be counted of images: whether they show shapes, noise, or little but a colour.

Images are (..., C, H, W), uint8 or floats in [0, 1]; uint8 is divided by 255. Without them, or with
others, every function raises `PictureError`. All distances and levels are on the scale of [0, 1].
"""

from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from normlib.errors import NormlibError

Images = NDArray[Any]
Numbers = NDArray[np.float64]

HIGH = 0.25
"""Cycles per pixel above which a frequency is high: half of the highest along an axis."""


class PictureError(NormlibError, ValueError):
    """What is no set of images, or not one that this measure is of."""


def sharpness(images: Images) -> Numbers:
    r"""Return the energy of each image's gradient relative to its variance.

    ``S = (mean (x[i, j+1] - x[i, j])^2 + mean (x[i+1, j] - x[i, j])^2) / (4 * var)``

    with means over all channels and pairs of neighbours, and ``var`` the variance about each
    channel's own mean. White noise has 1 in expectation, a fine checkerboard 2, a slow change of
    colour almost 0, and a flat image 0. Neither contrast nor colour changes it. The gradient, not
    the Laplacian: that squares frequencies again, and tells little but the noise of single pixels.

    Shape:
        (..., C, H, W) to (...).
    """
    x = _centered(_scaled(images))
    energy = _mean_square(np.diff(x, axis=-1)) + _mean_square(np.diff(x, axis=-2))
    return _share(energy, 4 * _mean_square(x))


def high_frequencies(images: Images) -> Numbers:
    r"""Return the share of each image's spectral energy at frequencies above HIGH.

    ``sum_{|f| > HIGH} |X(f)|^2 / sum_f |X(f)|^2``, ``|f| = sqrt(f_y^2 + f_x^2)``

    with ``X`` the discrete Fourier transform of each channel less its mean, and sums over all
    channels. It is in [0, 1]; white noise of 32 x 32 has 0.81 in expectation, a flat image 0. As
    the transform takes an image to be periodic, a step from border to opposite border counts.

    Shape:
        (..., C, H, W) to (...).
    """
    x = _centered(_scaled(images))
    height, width = x.shape[-2:]
    energy = np.abs(np.fft.fft2(x)) ** 2
    high = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width)) > HIGH
    return _share((energy * high).sum((-3, -2, -1)), energy.sum((-3, -2, -1)))


def nearest_mean(images: Images, means: Images) -> tuple[NDArray[np.int64], Numbers]:
    r"""Return the index of the mean nearest to each image, the first of equals, and how far it is.

    ``min_k sqrt(mean_{c, i, j} (x - means[k])^2)``

    Shape:
        (..., C, H, W) and (K, C, H, W) to (...) and (...).

    Raises:
        PictureError: there are no means, or they have another shape than the images.
    """
    x, centers = _scaled(images), _scaled(means)
    if centers.ndim != 4 or not len(centers) or centers.shape[1:] != x.shape[-3:]:
        raise PictureError(
            f"means have the shape {centers.shape}; for images of the shape {x.shape} give "
            f"(K, {', '.join(map(str, x.shape[-3:]))}) with K at least 1"
        )
    distances = np.stack([np.sqrt(_mean_square(x - center)) for center in centers])
    return np.asarray(distances.argmin(0), np.int64), np.asarray(distances.min(0))


def diversity(images: Images) -> Numbers:
    r"""Return the mean distance between two of the images along the axis before the channels.

    ``mean_{a < b} sqrt(mean_{c, i, j} (x[a] - x[b])^2)``

    Shape:
        (..., starts, C, H, W) to (...).

    Raises:
        PictureError: there are fewer than two starts.
    """
    x = _scaled(images)
    if x.ndim < 4 or x.shape[-4] < 2:
        raise PictureError(
            f"images have the shape {x.shape}; give (..., starts, C, H, W) with at least 2 starts"
        )
    pairs = combinations(range(x.shape[-4]), 2)
    distances = [np.sqrt(_mean_square(x[..., a, :, :, :] - x[..., b, :, :, :])) for a, b in pairs]
    return np.asarray(np.mean(distances, axis=0))


def colour_only(images: Images) -> Numbers:
    r"""Return the share of each image's variance about mid-grey that its mean colour explains.

    ``sum_c m_c^2 / sum_c mean_{i, j} (x_c - 1/2)^2``, ``m_c = mean_{i, j} (x_c - 1/2)``

    It is in [0, 1]; a flat image has 1, grey or not, and noise about grey almost 0.

    Shape:
        (..., C, H, W) to (...).
    """
    x = _scaled(images)
    inner = _mean_square(_centered(x))
    colour = np.square((x - 0.5).mean((-2, -1))).mean(-1)
    # Through what the colour leaves, so that a flat grey, of which there is nothing, has 1.
    return np.asarray(1 - _share(inner, inner + colour))


def _scaled(images: Images) -> Numbers:
    x = np.asarray(images)
    if x.ndim < 3 or 0 in x.shape[-3:]:
        raise PictureError(f"images have the shape {x.shape}; give (..., C, H, W), none of them 0")
    if x.dtype == np.uint8:
        return x / 255
    if not np.issubdtype(x.dtype, np.floating):
        raise PictureError(f"images are {x.dtype}; give uint8 or floats in [0, 1]")
    if not ((x >= 0) & (x <= 1)).all():
        raise PictureError(
            f"images are from {x.min():g} to {x.max():g}; give floats in [0, 1], or uint8"
        )
    return x.astype(np.float64)


def _centered(x: Numbers) -> Numbers:
    """Return ``x`` less each channel's mean; exactly 0 where it is flat."""
    x = x - x[..., :1, :1]
    return np.asarray(x - x.mean((-2, -1), keepdims=True))


def _mean_square(x: Numbers) -> Numbers:
    """Return means over channels and positions; 0 where an image has none of them."""
    return np.asarray(np.square(x).sum((-3, -2, -1)) / max(np.prod(x.shape[-3:]), 1))


def _share(part: Numbers, whole: Numbers) -> Numbers:
    """Return ``part / whole``, 0 where both are."""
    return np.asarray(np.divide(part, whole, out=np.zeros_like(whole), where=whole > 0))
