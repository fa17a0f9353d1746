"""Mean and variance per channel of more data than fits into one batch."""

import torch
from torch import Tensor

from normlib.layers.running import over_batch


class Moments:
    """Mean and sum of squared deviations of what was added, per channel, in float64.

    Parts of ``m`` and ``n`` values are merged by the difference ``d`` of their means:

        mean    = mean_m + d * n / (m + n)
        squares = squares_m + squares_n + d^2 * m * n / (m + n)

    which unlike sums of squares does not cancel.

    Attributes:
        count: Number of values per channel.
        mean: Their mean, of shape (C,).
        squares: Their sum of squared deviations from it, of shape (C,).

    Source: Chan, Golub and LeVeque 1983, https://doi.org/10.1080/00031305.1983.10483115
    """

    def __init__(self) -> None:
        self.count = 0
        self.mean = self.squares = torch.zeros((), dtype=torch.float64)

    def add(self, x: Tensor) -> None:
        """Add the values of ``x`` of shape (N, C, ...)."""
        count = x.numel() // x.shape[1]
        if count == 0:
            return
        x, dims = x.double(), over_batch(x)
        mean = x.mean(dims, keepdim=True)
        squares = (x - mean).square().sum(dims)
        between = mean.flatten() - self.mean.to(x)
        total = self.count + count
        self.squares = self.squares.to(x) + squares + between**2 * (self.count * count / total)
        self.mean = self.mean.to(x) + between * (count / total)
        self.count = total
