"""What BatchNorm's relatives share: parameters per channel, running averages, two modes."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn

from normlib.layers.checks import check_channels, check_eps, check_features, check_momentum
from normlib.layers.running import normalize_by_running, per_channel
from normlib.precision import wide
from normlib.projection import hyperplane, rescale

Statistics = tuple[Tensor, Tensor]
"""Mean and biased variance."""


class BatchRelative(nn.Module):
    """A layer of ``C`` channels with statistics of the batch and running averages of them.

    A subclass says what training does (`by_batch`, which also moves the running averages) and,
    if its averages are not BatchNorm's, what evaluation does (`by_running`). An empty batch has
    no statistics: even in training it is treated as in evaluation, and is not counted.

    Args:
        num_features: Number of channels ``C``.
        eps: Added to what is divided by.
        momentum: Weight of the new value in the running averages.
        affine: Whether to have a scale ``gamma`` and a shift ``beta``.

    Shape:
        (N, C) or (N, C, ...), and the same out.

    Raises:
        ValueError: an argument out of its range; an input without ``C`` channels in dimension 1;
            fewer than ``least`` values per channel when training.
    """

    starts: ClassVar[Mapping[str, float]] = {"running_mean": 0.0, "running_var": 1.0}
    """The running averages and the values that they start at."""
    shown: ClassVar[tuple[str, ...]] = ("eps", "momentum", "affine")
    """The options in the module's text."""
    least: ClassVar[int] = 2
    """How many values of a channel have statistics; a single one less its mean is zero."""

    weight: nn.Parameter | None
    bias: nn.Parameter | None
    running_mean: Tensor
    running_var: Tensor
    num_batches_tracked: Tensor

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float = 0.1,
        affine: bool = True,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        check_features(num_features)
        check_eps(eps)
        check_momentum(momentum)
        self.num_features = num_features
        self.eps = eps
        self.momentum = momentum
        self.affine = affine
        for name in ("weight", "bias"):
            empty = torch.empty(num_features, device=device, dtype=dtype) if affine else None
            self.register_parameter(name, None if empty is None else nn.Parameter(empty))
        for name in self.starts:
            self.register_buffer(name, torch.empty(num_features, device=device, dtype=dtype))
        counter = torch.zeros((), dtype=torch.long, device=device)
        self.register_buffer("num_batches_tracked", counter)
        self.reset_parameters()

    def reset_running_stats(self) -> None:
        """Forget all batches."""
        for name, value in self.starts.items():
            self.get_buffer(name).fill_(value)
        self.num_batches_tracked.zero_()

    def reset_parameters(self) -> None:
        """Return to the initial values."""
        self.reset_running_stats()
        if self.weight is not None:
            nn.init.ones_(self.weight)
        if self.bias is not None:
            nn.init.zeros_(self.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Apply the layer."""
        check_channels(x, self.num_features)
        count = x.numel() // self.num_features
        if not self.training or count == 0:
            return self.by_running(x)
        if count < self.least:
            raise ValueError(
                f"training needs at least {self.least} values per channel, got an input of shape "
                f"{tuple(x.shape)}; use a larger batch or eval()"
            )
        y = self.by_batch(x)
        self.num_batches_tracked.add_(1)
        return y

    def by_batch(self, x: Tensor) -> Tensor:
        """Normalize in training, and move the running averages."""
        raise NotImplementedError

    def by_running(self, x: Tensor) -> Tensor:
        """Normalize in evaluation; BatchNorm's way, for averages of mean and variance."""
        return normalize_by_running(
            x, self.running_mean, self.running_var, self.weight, self.bias, self.eps
        )

    def by_statistics(self, x: Tensor, statistics: Statistics) -> Tensor:
        """Normalize by statistics that have a gradient, unlike running averages."""
        mu, sigma2 = statistics
        gamma, beta = self.scale_and_shift(x)
        scale = torch.rsqrt(sigma2 + self.eps)
        return rescale(wide(x) - mu, scale if gamma is None else scale * gamma, beta).to(x.dtype)

    def scale_and_shift(self, x: Tensor) -> tuple[Tensor | None, Tensor | None]:
        """Return ``gamma`` and ``beta`` shaped for ``x``, or None."""
        return per_channel(self.weight, x.dim()), per_channel(self.bias, x.dim())

    def extra_repr(self) -> str:
        """Return the number of channels and the options."""
        return ", ".join([str(self.num_features), *(f"{k}={getattr(self, k)}" for k in self.shown)])


def moments(x: Tensor, dims: Sequence[int]) -> Statistics:
    """Return mean and biased variance over ``dims``, which are kept with size 1."""
    z, mu = hyperplane(wide(x), dims)
    return mu, z.square().mean(tuple(dims), keepdim=True)
