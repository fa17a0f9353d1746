"""Whitening: instead of the variance of each channel, the covariance of all of them.

    mu = mean(x),   Sigma = mean((x - mu) (x - mu)^T) + eps * I,   xhat = W (x - mu)

with a matrix ``W`` such that ``W Sigma W^T = I``. The layers differ in how they find ``W``.
"""

from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor

from normlib.layers.checks import check_groups
from normlib.layers.relative import BatchRelative
from normlib.layers.running import over_batch, per_channel, update
from normlib.precision import full_precision, wide
from normlib.projection import hyperplane, memory_order, rescale


class Whitening(BatchRelative):
    """Whiten the channels, in groups, by a matrix that a subclass finds: ``y = W (x - mu)``.

    With the covariance taken over the batch and all positions, between the channels of a group;
    then ``gamma`` and ``beta`` per channel. As many groups as channels make it BatchNorm.

    Evaluation takes ``W`` from running averages of the mean and of the unbiased covariance. The
    papers average ``W`` itself. The average of covariances is again a covariance of the data, as
    BatchNorm's running variance is on its diagonal, while an average of their inverse roots is
    drawn to the batches with the smallest variances.

    Args:
        num_features: Number of channels ``C``.
        groups: Number of groups of neighbouring channels, whitened each by itself.
        eps: Added to the diagonal of the covariance.
        momentum: Weight of the new value in the running averages, in 0..1.
        affine: Whether to have a scale ``gamma`` and a shift ``beta``.

    Shape:
        (N, C) or (N, C, ...), and the same out; ``running_covariance`` of shape
        (groups, C / groups, C / groups).

    Raises:
        ValueError: the groups do not divide the channels; as of `BatchRelative` otherwise.
    """

    starts: ClassVar[Mapping[str, float]] = {"running_mean": 0.0}
    shown: ClassVar[tuple[str, ...]] = ("groups", "eps", "momentum", "affine")

    running_covariance: Tensor

    def __init__(
        self,
        num_features: int,
        groups: int = 1,
        eps: float = 1e-5,
        momentum: float = 0.1,
        affine: bool = True,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(num_features, eps, momentum, affine, device, dtype)
        check_groups(num_features, groups)
        self.groups = groups
        size = num_features // groups
        empty = torch.empty(groups, size, size, device=device, dtype=dtype)
        self.register_buffer("running_covariance", empty)
        self.reset_running_stats()

    def reset_running_stats(self) -> None:
        """Forget all batches."""
        super().reset_running_stats()
        if hasattr(self, "running_covariance"):  # not yet, while the base class is set up
            self.running_covariance.zero_().diagonal(dim1=-2, dim2=-1).fill_(1)

    def matrix(self, covariance: Tensor) -> Tensor:
        """Return ``W`` for covariances of shape (groups, D, D), without ``eps``."""
        raise NotImplementedError

    def by_batch(self, x: Tensor) -> Tensor:
        """Whiten by the batch's covariance, and move the running averages."""
        with full_precision(x):
            z, mu = hyperplane(wide(x), over_batch(x))
            grouped = self._grouped(z)[0]
            count = x.numel() // self.num_features
            covariance = torch.einsum("agib,agjb->gij", grouped, grouped) / count
            update(self.running_mean, mu, self.momentum)
            update(self.running_covariance, covariance * (count / (count - 1)), self.momentum)
            return self._whiten(z, covariance).to(x.dtype)

    def by_running(self, x: Tensor) -> Tensor:
        """Whiten by the running covariance."""
        with full_precision(x):
            z = rescale(wide(x), mu=per_channel(wide(self.running_mean), x.dim()))
            return self._whiten(z, wide(self.running_covariance)).to(x.dtype)

    def _whiten(self, z: Tensor, covariance: Tensor) -> Tensor:
        # Not the view that the covariance is of: gradients would add up to other last bits.
        grouped, order = self._grouped(z)
        y = torch.einsum("gij,agjb->agib", self.matrix(covariance), grouped)
        y = y.reshape([z.shape[d] for d in order])
        y = y.permute([order.index(d) for d in range(z.dim())])
        return rescale(y, *self.scale_and_shift(z))

    def _grouped(self, z: Tensor) -> tuple[Tensor, list[int]]:
        """View ``z`` as (before, groups, channels, after), in its `memory_order`, and return that.

        So that the output lies in memory as the input does.
        """
        order = memory_order(z)
        laid_out = z.permute(order)
        before = laid_out.shape[: order.index(1)].numel()
        after = laid_out.shape[order.index(1) + 1 :].numel()
        size = self.num_features // self.groups
        return laid_out.reshape(before, self.groups, size, after), order


def with_eps(covariance: Tensor, eps: float) -> Tensor:
    """Return ``covariance + eps * I``, for one matrix or several."""
    eye = torch.eye(covariance.shape[-1], dtype=covariance.dtype, device=covariance.device)
    return covariance + eps * eye
