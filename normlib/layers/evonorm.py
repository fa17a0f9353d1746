"""EvoNorm: normalization and activation in one expression, found by a search.

Source: Liu, Brock, Simonyan and Le 2020, https://arxiv.org/abs/2004.02967
"""

from collections.abc import Mapping, Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn

from normlib.layers.checks import check_channels, check_eps, check_groups
from normlib.layers.relative import BatchRelative
from normlib.layers.running import over_batch, per_channel, update
from normlib.precision import wide
from normlib.projection import rescale, sphere


class EvoNormB0(BatchRelative):
    """Divide by the larger of the batch's deviation and a shifted one of the sample's own.

    ``y = gamma * x / max(sqrt(s + eps), v * x + sqrt(t + eps)) + beta`` with the biased variances
    ``s`` over all dimensions but the channels' and ``t`` over the spatial ones. ``x`` itself is
    not centered. Evaluation takes a running average for ``s``; ``t`` is the sample's own always.

    The paper leaves the running average open. Here it follows the unbiased variance, ``momentum``
    being the weight of the new value, as in BatchNorm. No activation needs to follow.

    Args:
        num_features: Number of channels ``C``.
        eps: Added to the variances.
        momentum: Weight of the new value in the running average, in 0..1.

    Shape:
        (N, C, ...) with at least one spatial dimension, and the same out; ``weight``, ``bias``
        and ``v`` of shape (C,).

    Raises:
        ValueError: an argument out of its range, another shape, or a single value per channel when
            training.

    Source: Liu, Brock, Simonyan and Le 2020, https://arxiv.org/abs/2004.02967
    """

    starts: ClassVar[Mapping[str, float]] = {"running_var": 1.0}
    shown = ("eps", "momentum")

    v: nn.Parameter

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float = 0.1,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(num_features, eps, momentum, True, device, dtype)
        self.v = nn.Parameter(torch.empty(num_features, device=device, dtype=dtype))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Return to the initial values."""
        super().reset_parameters()
        if hasattr(self, "v"):  # not yet, while the base class is set up
            nn.init.ones_(self.v)

    def forward(self, x: Tensor) -> Tensor:
        """Apply the layer."""
        check_channels(x, self.num_features, least=3)
        return super().forward(x)

    def by_batch(self, x: Tensor) -> Tensor:
        """Divide with the batch's variance for ``s``, and move the running average."""
        w, count = wide(x), x.numel() // self.num_features
        s = _variance(w, over_batch(x), self.eps)
        update(self.running_var, s * (count / (count - 1)), self.momentum)
        return self._divide(w, s).to(x.dtype)

    def by_running(self, x: Tensor) -> Tensor:
        """Divide with the running average for ``s``."""
        s = per_channel(wide(self.running_var), x.dim())
        return self._divide(wide(x), s).to(x.dtype)

    def _divide(self, x: Tensor, s: Tensor) -> Tensor:
        t = _variance(x, range(2, x.dim()), self.eps)
        shifted = per_channel(self.v, x.dim()) * x + torch.sqrt(t + self.eps)
        xhat = x / torch.maximum(torch.sqrt(s + self.eps), shifted)
        return rescale(xhat, *self.scale_and_shift(x))


class EvoNormS0(nn.Module):
    """Gate each entry by itself, and divide by the deviation of its group of channels.

    ``y = gamma * x * sigmoid(v * x) / sqrt(s + eps) + beta`` with the biased variance ``s`` over
    ``C / groups`` channels and all positions of a sample. With ``v = 1`` the gate is the SiLU
    activation. ``x`` itself is not centered. No activation needs to follow.

    Args:
        num_features: Number of channels ``C``.
        groups: Number of groups of neighbouring channels; the paper's is 32.
        eps: Added to the variance.

    Shape:
        (N, C) or (N, C, ...), and the same out; ``weight``, ``bias`` and ``v`` of shape (C,).

    Raises:
        ValueError: the groups do not divide the channels, a group holds a single value, the
            input does not have ``C`` channels in dimension 1, or ``eps`` is negative.

    Source: Liu, Brock, Simonyan and Le 2020, https://arxiv.org/abs/2004.02967
    """

    def __init__(
        self,
        num_features: int,
        groups: int = 32,
        eps: float = 1e-5,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        check_eps(eps)
        check_groups(num_features, groups)
        self.num_features = num_features
        self.groups = groups
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(num_features, device=device, dtype=dtype))
        self.bias = nn.Parameter(torch.zeros(num_features, device=device, dtype=dtype))
        self.v = nn.Parameter(torch.ones(num_features, device=device, dtype=dtype))

    def forward(self, x: Tensor) -> Tensor:
        """Apply the layer."""
        check_channels(x, self.num_features)
        w, n, size = wide(x), x.dim(), self.num_features // self.groups
        if size * x.shape[2:].numel() == 1:
            raise ValueError(
                f"each of {self.groups} groups holds one value in an input of shape "
                f"{tuple(x.shape)}, and one value has no variance; use fewer groups"
            )
        s = _variance(w.unflatten(1, (self.groups, size)), range(2, n + 1), self.eps)
        s = s.flatten(1, 2).repeat_interleave(size, 1)
        gate = torch.sigmoid(per_channel(self.v, n) * w)
        y = w * gate * torch.rsqrt(s + self.eps)
        return rescale(y, per_channel(self.weight, n), per_channel(self.bias, n)).to(x.dtype)

    def extra_repr(self) -> str:
        """Return the arguments."""
        return f"{self.num_features}, groups={self.groups}, eps={self.eps}"


def _variance(x: Tensor, dims: Sequence[int], eps: float) -> Tensor:
    """Return the biased variance, which has a gradient; ``eps`` only keeps it finite."""
    return sphere(x, dims, eps=eps)[2]
