"""EvoNorm: normalization and activation in one expression, found by a search.

Source: Liu, Brock, Simonyan and Le 2020, https://arxiv.org/abs/2004.02967
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from normlib.layers.checks import check_channels, check_eps, check_groups, check_momentum
from normlib.layers.running import per_channel, update
from normlib.precision import wide
from normlib.projection import rescale, sphere


class _EvoNorm(nn.Module):
    def __init__(
        self,
        num_features: int,
        eps: float,
        device: torch.device | str | None,
        dtype: torch.dtype | None,
    ) -> None:
        super().__init__()
        check_eps(eps)
        self.num_features = num_features
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(num_features, device=device, dtype=dtype))
        self.bias = nn.Parameter(torch.zeros(num_features, device=device, dtype=dtype))
        self.v = nn.Parameter(torch.ones(num_features, device=device, dtype=dtype))

    def _affine(self, y: Tensor, x: Tensor) -> Tensor:
        gamma, beta = per_channel(self.weight, x.dim()), per_channel(self.bias, x.dim())
        return rescale(y, gamma, beta).to(x.dtype)

    def _variance(self, x: Tensor, dims: Sequence[int]) -> Tensor:
        """Return the biased variance, which has a gradient."""
        return sphere(x, dims, eps=self.eps)[2]


class EvoNormB0(_EvoNorm):
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
        ValueError: another shape, a single value per channel when training, a negative ``eps``,
            or a ``momentum`` outside 0..1.

    Source: Liu, Brock, Simonyan and Le 2020, https://arxiv.org/abs/2004.02967
    """

    running_var: Tensor
    num_batches_tracked: Tensor

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float = 0.1,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(num_features, eps, device, dtype)
        check_momentum(momentum)
        self.momentum = momentum
        self.register_buffer("running_var", torch.ones(num_features, device=device, dtype=dtype))
        self.register_buffer(
            "num_batches_tracked", torch.tensor(0, dtype=torch.long, device=device)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Apply the layer."""
        check_channels(x, self.num_features, least=3)
        w, n = wide(x), x.dim()
        s = self._variance_of_batch(w) if self.training else per_channel(self.running_var, n)
        t = self._variance(w, range(2, n))
        shifted = per_channel(self.v, n) * w + torch.sqrt(t + self.eps)
        return self._affine(w / torch.maximum(torch.sqrt(wide(s) + self.eps), shifted), x)

    def _variance_of_batch(self, x: Tensor) -> Tensor:
        count = x.numel() // x.shape[1]
        if count < 2:
            raise ValueError(
                f"expected more than 1 value per channel when training, got {tuple(x.shape)}: "
                "one value has no variance; use a larger batch or eval()"
            )
        s = self._variance(x, [0, *range(2, x.dim())])
        self.num_batches_tracked.add_(1)
        update(self.running_var, s * (count / (count - 1)), self.momentum)
        return s

    def extra_repr(self) -> str:
        """Return the arguments."""
        return f"{self.num_features}, eps={self.eps}, momentum={self.momentum}"


class EvoNormS0(_EvoNorm):
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
        super().__init__(num_features, eps, device, dtype)
        check_groups(num_features, groups)
        self.groups = groups

    def forward(self, x: Tensor) -> Tensor:
        """Apply the layer."""
        check_channels(x, self.num_features)
        w, n, size = wide(x), x.dim(), self.num_features // self.groups
        if size * x.shape[2:].numel() == 1:
            raise ValueError(
                f"each of {self.groups} groups holds one value in an input of shape "
                f"{tuple(x.shape)}, and one value has no variance; use fewer groups"
            )
        s = self._variance(w.unflatten(1, (self.groups, size)), range(2, n + 1))
        s = s.flatten(1, 2).repeat_interleave(size, 1)
        gate = torch.sigmoid(per_channel(self.v, n) * w)
        return self._affine(w * gate * torch.rsqrt(s + self.eps), x)

    def extra_repr(self) -> str:
        """Return the arguments."""
        return f"{self.num_features}, groups={self.groups}, eps={self.eps}"
