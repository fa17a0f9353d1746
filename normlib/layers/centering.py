"""Centering alone: the projection onto the hyperplane without the one onto the sphere.

Source: Salimans and Kingma 2016, https://arxiv.org/abs/1602.07868
"""

from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor, nn

from normlib.layers.relative import BatchRelative
from normlib.layers.running import over_batch, per_channel, update
from normlib.projection import hyperplane, rescale


class MeanOnlyBatchNorm(BatchRelative):
    """Center each channel over the batch: ``y = x - mu + beta``.

    ``mu`` is the mean over all dimensions but the channels'; evaluation uses its running average.
    There is no scale: the method goes with weight normalization, whose ``g`` is one. On inputs
    whose sample covariance is the identity, the two together are BatchNorm with ``gamma = g``
    and ``eps = 0``.

    Args:
        num_features: Number of channels ``C``.
        momentum: Weight of the new value in the running average.
        bias: Whether to have the shift ``beta``.

    Shape:
        (N, C) or (N, C, ...), and the same out.

    Raises:
        ValueError: an argument out of its range, an input without ``C`` channels in dimension 1,
            or a single value per channel when training.

    Source: Salimans and Kingma 2016, https://arxiv.org/abs/1602.07868, section 4.
    """

    starts: ClassVar[Mapping[str, float]] = {"running_mean": 0.0}

    def __init__(
        self,
        num_features: int,
        momentum: float = 0.1,
        bias: bool = True,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(num_features, 0.0, momentum, False, device, dtype)
        if bias:
            self.bias = nn.Parameter(torch.zeros(num_features, device=device, dtype=dtype))

    def by_batch(self, x: Tensor) -> Tensor:
        """Subtract the batch's mean."""
        y, mu = hyperplane(x, over_batch(x), per_channel(self.bias, x.dim()))
        update(self.running_mean, mu, self.momentum)
        return y

    def by_running(self, x: Tensor) -> Tensor:
        """Subtract the running mean."""
        n = x.dim()
        return rescale(x, None, per_channel(self.bias, n), per_channel(self.running_mean, n))

    def extra_repr(self) -> str:
        """Return the number of channels and the options."""
        return f"{self.num_features}, momentum={self.momentum}, bias={self.bias is not None}"
