"""L1 batch normalization: the mean distance from the mean instead of the standard deviation.

Source: Hoffer, Banner, Golan and Soudry 2018, https://arxiv.org/abs/1803.01814
"""

import math
from collections.abc import Mapping
from typing import ClassVar

from torch import Tensor

from normlib.layers.relative import BatchRelative
from normlib.layers.running import over_batch, per_channel, update
from normlib.precision import wide
from normlib.projection import hyperplane, rescale

GAUSSIAN = math.sqrt(math.pi / 2)
"""The standard deviation of a normal variable, in mean distances from its mean."""


class L1BatchNorm(BatchRelative):
    """Normalize each channel over the batch by its mean distance from the mean.

    ``y = gamma * (x - mu) / (s + eps) + beta`` with ``s = sqrt(pi / 2) * mean(abs(x - mu))``
    over all dimensions but the channels'. On a normal distribution ``s`` is the standard
    deviation, otherwise it is at most ``sqrt(pi / 2)`` times that. It takes no squares, which
    leave the range of half precision early. The derivative takes ``sign(0)`` for 0.

    The running averages are ``running_mean`` and ``running_scale``, that of ``s``; evaluation
    uses them.

    Args:
        num_features: Number of channels ``C``.
        eps: Added to ``s``, not to its square: where BatchNorm has 1e-5 inside the root, the
            smallest divisor there is 3e-3.
        momentum: Weight of the new value in the running averages.
        affine: Whether to have ``gamma`` and ``beta``.

    Shape:
        (N, C) or (N, C, ...), and the same out.

    Raises:
        ValueError: an argument out of its range, an input without ``C`` channels in dimension 1,
            or a single value per channel when training.

    Source: Hoffer, Banner, Golan and Soudry 2018, https://arxiv.org/abs/1803.01814. ``eps`` goes
    where the authors' code has it, https://github.com/eladhoffer/norm_matters. Chosen here: the
    average of ``s`` for evaluation, where that code averages ``1 / (s + eps)``.
    """

    starts: ClassVar[Mapping[str, float]] = {"running_mean": 0.0, "running_scale": 1.0}

    running_scale: Tensor

    def by_batch(self, x: Tensor) -> Tensor:
        """Normalize by the batch's mean distance."""
        dims = over_batch(x)
        z, mu = hyperplane(wide(x), dims)
        s = GAUSSIAN * z.abs().mean(dims, keepdim=True)
        update(self.running_mean, mu, self.momentum)
        update(self.running_scale, s, self.momentum)
        gamma, beta = self.scale_and_shift(x)
        xhat = z / (s + self.eps)
        y = xhat if gamma is None or beta is None else xhat * gamma + beta
        return y.to(x.dtype)

    def by_running(self, x: Tensor) -> Tensor:
        """Normalize by the running averages."""
        n = x.dim()
        scale = per_channel(wide(self.running_scale) + self.eps, n)
        mu = per_channel(self.running_mean, n)
        return rescale(x, *self.scale_and_shift(x), mu, scale.square())
