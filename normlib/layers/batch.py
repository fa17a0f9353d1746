"""Statistics over the batch: BatchNorm and its relatives.

Source: Ioffe and Szegedy 2015, https://arxiv.org/abs/1502.03167
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from normlib.layers.checks import check_entries
from normlib.layers.running import normalize_by_running, over_batch, per_channel, update
from normlib.projection import rescale, sphere

Project = Callable[..., tuple[Tensor, Tensor, Tensor]]
"""A function with the arguments of `sphere`, and mean and variance beside what it makes."""


class _Batch(nn.modules.batchnorm._BatchNorm):
    def forward(self, input: Tensor) -> Tensor:
        """Apply the layer."""
        return self.through(input, sphere)

    def through(self, x: Tensor, project: Project) -> Tensor:
        """Apply the layer with ``project`` in the place of `sphere`, by the batch's statistics."""
        self._check_input_dim(x)
        check_entries(x, running_mean=self.running_mean, weight=self.weight)
        by_batch = self.training or self.running_mean is None or self.running_var is None
        weight = self._weight_of_new()
        if not by_batch:
            assert self.running_mean is not None
            assert self.running_var is not None
            return normalize_by_running(
                x, self.running_mean, self.running_var, self.weight, self.bias, self.eps
            )
        if self.eps <= 0:
            raise ValueError(f"batch_norm eps must be positive during training, but got {self.eps}")
        n = x.dim()
        count = x.numel() // x.shape[1] if x.shape[1] else 0
        if count == 1:
            raise ValueError(
                "Expected more than 1 value per channel when training, got input size "
                f"{tuple(x.shape)}: one value less its mean is zero; use a larger batch or eval()"
            )
        gamma, beta = per_channel(self.weight, n), per_channel(self.bias, n)
        if count == 0:  # no statistics; torch counts the batch and keeps its averages, too
            return rescale(x, gamma, beta)
        y, mu, sigma2 = project(x, over_batch(x), gamma, beta, eps=self.eps)
        if self.training and self.track_running_stats:
            update(self.running_mean, mu, weight)
            update(self.running_var, sigma2 * (count / (count - 1)), weight)
        return y

    def _weight_of_new(self) -> float:
        """Count the batch; return the weight of its statistics in the running averages."""
        if not (self.training and self.track_running_stats):
            return 0.0
        if self.num_batches_tracked is not None:
            self.num_batches_tracked.add_(1)
            if self.momentum is None:
                return 1.0 / float(self.num_batches_tracked)
        return 0.0 if self.momentum is None else self.momentum


class BatchNormOfAnyShape(_Batch):
    """BatchNorm of (N, C) or (N, C, ...): what its relatives here are that torch.nn has not."""

    def _check_input_dim(self, input: Tensor) -> None:
        if input.dim() < 2:
            raise ValueError(f"expected at least 2D input (got {input.dim()}D input)")
        if input.shape[1] != self.num_features:
            raise RuntimeError(
                f"expected {self.num_features} channels in dimension 1, got an input of shape "
                f"{tuple(input.shape)}"
            )


class BatchNorm1d(_Batch, nn.BatchNorm1d):
    """Normalize each channel over the batch.

    ``y = gamma * (x - mu) / sqrt(sigma2 + eps) + beta`` with ``mu`` and the biased ``sigma2``
    over all dimensions but the channels'. When training, running averages follow ``mu`` and the
    unbiased variance, ``momentum`` being the weight of the new value; evaluation uses them, or,
    with ``track_running_stats=False``, the batch's own statistics.

    Args: as of `torch.nn.BatchNorm1d`.

    Shape:
        (N, C) or (N, C, L), and the same out.

    Raises:
        ValueError: another number of dimensions; when training, a single value per channel or an
            ``eps`` that is not above 0.
        RuntimeError: another number of channels, which is seen, as in torch, if there are
            parameters or running averages.

    Source: Ioffe and Szegedy 2015, https://arxiv.org/abs/1502.03167
    """


class BatchNorm2d(_Batch, nn.BatchNorm2d):
    """Normalize each channel over the batch and both spatial dimensions.

    As `BatchNorm1d`, with the arguments of `torch.nn.BatchNorm2d`.

    Shape:
        (N, C, H, W), and the same out.

    Raises:
        ValueError: another number of dimensions; when training, a single value per channel or an
            ``eps`` that is not above 0.
        RuntimeError: another number of channels, which is seen, as in torch, if there are
            parameters or running averages.

    Source: Ioffe and Szegedy 2015, https://arxiv.org/abs/1502.03167
    """


class BatchNorm3d(_Batch, nn.BatchNorm3d):
    """Normalize each channel over the batch and all three spatial dimensions.

    As `BatchNorm1d`, with the arguments of `torch.nn.BatchNorm3d`.

    Shape:
        (N, C, D, H, W), and the same out.

    Raises:
        ValueError: another number of dimensions; when training, a single value per channel or an
            ``eps`` that is not above 0.
        RuntimeError: another number of channels, which is seen, as in torch, if there are
            parameters or running averages.

    Source: Ioffe and Szegedy 2015, https://arxiv.org/abs/1502.03167
    """


class BatchNormMinus(BatchNormOfAnyShape):
    """Normalize each channel over the batch, without scale and shift:
    ``y = (x - mu) / sqrt(sigma2 + eps)``.

    Args:
        num_features: Number of channels ``C``.
        eps: Added to the variance.
        momentum: Weight of the new value in the running averages, or None for their plain mean.
        track_running_stats: Whether to keep running averages for evaluation.

    Shape:
        (N, C) or (N, C, ...), and the same out.

    Raises:
        ValueError: fewer than two dimensions; when training, a single value per channel or an
            ``eps`` that is not above 0.
        RuntimeError: another number of channels.

    Source: Peerthum and Stamp 2023, there called BatchNorm-minus.
    """

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        track_running_stats: bool = True,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(num_features, eps, momentum, False, track_running_stats, device, dtype)
