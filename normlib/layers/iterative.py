"""IterNorm: whitening by a few of Newton's iterations, without eigenvectors."""

import torch
from torch import Tensor

from normlib.layers.whitening import Whitening, with_eps


class IterNorm(Whitening):
    """Whiten the channels over the batch approximately: ``y = gamma * (W (x - mu)) + beta``.

    ``W = P / sqrt(trace(Sigma))`` with ``Sigma = mean((x - mu) (x - mu)^T) + eps * I`` between the
    channels of a group, and ``P`` from ``P = I`` by Newton's iteration

        P <- (3 P - P^3 Sigma / trace(Sigma)) / 2

    toward the inverse square root of ``Sigma / trace(Sigma)``, whose eigenvalues ``s`` lie in
    0..1. Every eigenvalue of ``P`` follows it by itself, ``p <- (3 p - p^3 s) / 2``, and grows at
    most by 3/2 per iteration while it should reach ``1 / sqrt(s)``. After the usual five, then,
    directions with less than about 1/60 of the group's variance are still far from whitened: the
    layer is `DecorrelatedBatchNorm` only where ``Sigma`` is well-conditioned.

    Computed as written, rounding errors that do not commute with ``Sigma`` grow in every further
    iteration, by about half its condition number, and more iterations diverge. Here ``P`` is
    computed together with ``Y = P Sigma / trace(Sigma)``, which gives the same ``P`` without that.

    Args:
        num_features: Number of channels ``C``.
        groups: Number of groups of neighbouring channels, whitened each by itself.
        iterations: Of Newton's; 0 only divides by ``sqrt(trace(Sigma))``.
        eps: Added to the diagonal of the covariance.
        momentum: Weight of the new value in the running mean and (unbiased) covariance, in 0..1.
        affine: Whether to have a scale ``gamma`` and a shift ``beta``.

    Shape:
        (N, C) or (N, C, ...), and the same out.

    Raises:
        ValueError: negative ``iterations``, the groups do not divide the channels, another
            argument is out of its range, the input does not have ``C`` channels in dimension 1,
            or it has a single value per channel when training.

    Source: Huang, Zhou, Zhu, Liu and Shao 2019, https://arxiv.org/abs/1904.03441; the stable form,
    Higham 1997, https://doi.org/10.1023/A:1019150005407. The first paper averages whitening
    matrices for evaluation; see `Whitening` for why this averages covariances.
    """

    shown = ("groups", "iterations", "eps", "momentum", "affine")

    def __init__(
        self,
        num_features: int,
        groups: int = 1,
        iterations: int = 5,
        eps: float = 1e-5,
        momentum: float = 0.1,
        affine: bool = True,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(num_features, groups, eps, momentum, affine, device, dtype)
        if iterations < 0:
            raise ValueError(f"iterations={iterations} is no number of iterations; the usual is 5")
        self.iterations = iterations

    def matrix(self, covariance: Tensor) -> Tensor:
        """Return ``P / sqrt(trace(Sigma))``."""
        sigma = with_eps(covariance, self.eps)
        trace = sigma.diagonal(dim1=-2, dim2=-1).sum(-1)[..., None, None]
        y, eye = sigma / trace, with_eps(torch.zeros_like(sigma), 1.0)
        p = eye
        for _ in range(self.iterations):
            step = (3 * eye - p @ y) / 2
            y, p = y @ step, step @ p
        return p * torch.rsqrt(trace)
