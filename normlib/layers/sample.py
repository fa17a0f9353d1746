"""Statistics within a sample: LayerNorm, GroupNorm, InstanceNorm, RMSNorm."""

import torch
from torch import Tensor, nn

from normlib.layers.checks import check_entries
from normlib.layers.running import normalize_by_running, per_channel, update
from normlib.projection import sphere


class LayerNorm(nn.LayerNorm):
    """Normalize over the trailing dimensions.

    ``y = gamma * (x - mu) / sqrt(sigma2 + eps) + beta`` with ``mu`` and the biased ``sigma2``
    over the dimensions of ``normalized_shape``, which ``gamma`` and ``beta`` have, too.

    Args: as of `torch.nn.LayerNorm`.

    Shape:
        (..., *normalized_shape), and the same out.

    Raises:
        RuntimeError: the input does not end in ``normalized_shape``.

    Source: Ba, Kiros and Hinton 2016, https://arxiv.org/abs/1607.06450
    """

    def forward(self, input: Tensor) -> Tensor:
        """Apply the layer."""
        x = input
        dims = _trailing(x, self.normalized_shape)
        gamma, beta = _expand(self.weight, x), _expand(self.bias, x)
        return sphere(x, dims, gamma, beta, eps=self.eps)[0]


class LayerNormChannels(nn.Module):
    """Normalize over the channels, at each position by itself.

    ``y = gamma * (x - mu) / sqrt(sigma2 + eps) + beta`` with ``mu`` and the biased ``sigma2``
    over ``C``, and ``gamma`` and ``beta`` per channel: LayerNorm on channels-last activations.

    Args:
        num_channels: Number of channels ``C``.
        eps: Added to the variance.
        norm: The LayerNorm over ``C`` that computes it; None for normlib's own, which alone has
            the ``eps``, device and type given here.

    Shape:
        (N, C, ...), and the same out.

    Raises:
        RuntimeError: the input does not have ``C`` channels in dimension 1.

    Source: Ba, Kiros and Hinton 2016, https://arxiv.org/abs/1607.06450
    """

    def __init__(
        self,
        num_channels: int,
        eps: float = 1e-5,
        norm: nn.LayerNorm | None = None,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        own = LayerNorm(num_channels, eps, device=device, dtype=dtype) if norm is None else norm
        self.norm = own

    def forward(self, x: Tensor) -> Tensor:
        """Apply the layer."""
        y: Tensor = self.norm(x.movedim(1, -1))
        return y.movedim(-1, 1)


class RMSNorm(nn.RMSNorm):
    """Divide by the root mean square over the trailing dimensions.

    ``y = gamma * x / sqrt(mean(x ** 2) + eps)``; ``eps=None`` is the machine epsilon of the
    type computed in, which is float32 for half precision.

    Args: as of `torch.nn.RMSNorm`.

    Shape:
        (..., *normalized_shape), and the same out.

    Raises:
        RuntimeError: the input does not end in ``normalized_shape``.

    Source: Zhang and Sennrich 2019, https://arxiv.org/abs/1910.07467
    """

    def forward(self, x: Tensor) -> Tensor:
        """Apply the layer."""
        dims = _trailing(x, self.normalized_shape)
        computed = torch.float64 if x.dtype == torch.float64 else torch.float32
        eps = torch.finfo(computed).eps if self.eps is None else self.eps
        return sphere(x, dims, _expand(self.weight, x), eps=eps, centered=False)[0]


class GroupNorm(nn.GroupNorm):
    """Normalize each group of neighbouring channels within a sample.

    ``y = gamma * (x - mu) / sqrt(sigma2 + eps) + beta`` with ``mu`` and the biased ``sigma2``
    over ``C / num_groups`` channels and all positions, ``gamma`` and ``beta`` per channel.

    Args: as of `torch.nn.GroupNorm`.

    Shape:
        (N, C, ...), and the same out.

    Raises:
        RuntimeError: the channels do not divide into the groups, or differ from the parameters.
        ValueError: a group holds a single value.

    Source: Wu and He 2018, https://arxiv.org/abs/1803.08494
    """

    def forward(self, input: Tensor) -> Tensor:
        """Apply the layer."""
        x, groups = input, self.num_groups
        if x.dim() < 2:
            raise RuntimeError(
                f"Expected at least 2 dimensions, got input of size {tuple(x.shape)}"
            )
        channels = x.shape[1]
        if channels % groups:
            raise RuntimeError(
                "Expected number of channels in input to be divisible by num_groups, but got "
                f"input of shape {tuple(x.shape)} and num_groups={groups}"
            )
        if self.weight is not None and self.weight.numel() != channels:
            raise RuntimeError(
                f"Expected weight to be a vector of size equal to the number of channels in "
                f"input, but got weight of shape {tuple(self.weight.shape)} and input of shape "
                f"{tuple(x.shape)}"
            )
        if x.numel() == groups:  # torch's quirk, copied: it refuses this for one sample only
            raise ValueError(
                "Expected more than 1 value per channel when training, got input size "
                f"{tuple(x.shape)}: each of {groups} groups holds one value, which less its "
                "mean is zero; use fewer groups"
            )
        grouped = x.unflatten(1, (groups, channels // groups))
        gamma, beta = (
            None if p is None else p.reshape([1, groups, -1] + [1] * (x.dim() - 2))
            for p in (self.weight, self.bias)
        )
        dims = range(2, grouped.dim())
        return sphere(grouped, dims, gamma, beta, eps=self.eps)[0].flatten(1, 2)


class _Instance(nn.modules.instancenorm._InstanceNorm):
    def _apply_instance_norm(self, input: Tensor) -> Tensor:
        x, n = input, input.dim()
        check_entries(x, running_mean=self.running_mean)
        if not self.training and self.track_running_stats:
            assert self.running_mean is not None
            assert self.running_var is not None
            return normalize_by_running(
                x, self.running_mean, self.running_var, self.weight, self.bias, self.eps
            )
        count = x.shape[2:].numel()
        if count == 1:
            raise ValueError(
                "Expected more than 1 spatial element when training, got input size "
                f"{tuple(x.shape)}: one value less its mean is zero"
            )
        gamma, beta = per_channel(self.weight, n), per_channel(self.bias, n)
        y, mu, sigma2 = sphere(x, range(2, n), gamma, beta, eps=self.eps)
        if self.training and self.track_running_stats:
            weight = 0.0 if self.momentum is None else self.momentum
            update(self.running_mean, mu.mean(0), weight)
            update(self.running_var, sigma2.mean(0) * (count / max(1, count - 1)), weight)
        return y


class InstanceNorm1d(_Instance, nn.InstanceNorm1d):
    """Normalize each channel of each sample over its positions.

    ``y = gamma * (x - mu) / sqrt(sigma2 + eps) + beta`` with ``mu`` and the biased ``sigma2``
    over the spatial dimensions. With ``track_running_stats`` their means over the batch are
    averaged for evaluation. As in torch these averages become NaN on an empty batch.

    Args: as of `torch.nn.InstanceNorm1d`; by default there are no ``gamma`` and ``beta``.

    Shape:
        (N, C, L) or (C, L), and the same out.

    Raises:
        ValueError: another number of dimensions, a single position, or, with ``affine``, another
            number of channels.
        RuntimeError: another number of channels, with ``track_running_stats``.

    Source: Ulyanov, Vedaldi and Lempitsky 2016, https://arxiv.org/abs/1607.08022
    """


class InstanceNorm2d(_Instance, nn.InstanceNorm2d):
    """Normalize each channel of each sample over both spatial dimensions.

    As `InstanceNorm1d`, with the arguments of `torch.nn.InstanceNorm2d`.

    Shape:
        (N, C, H, W) or (C, H, W), and the same out.

    Raises:
        ValueError: another number of dimensions, a single position, or, with ``affine``, another
            number of channels.
        RuntimeError: another number of channels, with ``track_running_stats``.

    Source: Ulyanov, Vedaldi and Lempitsky 2016, https://arxiv.org/abs/1607.08022
    """


class InstanceNorm3d(_Instance, nn.InstanceNorm3d):
    """Normalize each channel of each sample over all three spatial dimensions.

    As `InstanceNorm1d`, with the arguments of `torch.nn.InstanceNorm3d`.

    Shape:
        (N, C, D, H, W) or (C, D, H, W), and the same out.

    Raises:
        ValueError: another number of dimensions, a single position, or, with ``affine``, another
            number of channels.
        RuntimeError: another number of channels, with ``track_running_stats``.

    Source: Ulyanov, Vedaldi and Lempitsky 2016, https://arxiv.org/abs/1607.08022
    """


def _trailing(x: Tensor, shape: tuple[int, ...]) -> range:
    if not shape:
        raise RuntimeError(
            "Expected normalized_shape to be at least 1-dimensional, but got normalized_shape = []"
        )
    if tuple(x.shape[x.dim() - len(shape) :]) != tuple(shape) or x.dim() < len(shape):
        raise RuntimeError(
            f"Given normalized_shape={list(shape)}, expected input with shape "
            f"[*, {', '.join(map(str, shape))}], but got input of size{list(x.shape)}"
        )
    return range(x.dim() - len(shape), x.dim())


def _expand(parameter: Tensor | None, x: Tensor) -> Tensor | None:
    if parameter is None:
        return None
    return parameter.reshape([1] * (x.dim() - parameter.dim()) + list(parameter.shape))
