"""Decorrelated BatchNorm: whitening by the inverse square root of the covariance (ZCA).

With ``A = Sigma^(1/2)``, differentiating ``A A = Sigma`` gives a Sylvester equation for ``dA``, and
differentiating ``W A = I`` gives ``dW``:

    A dA + dA A = dSigma,   dW = -W dA W

In the eigenbasis of ``A`` its solution divides by sums ``a_i + a_j`` of eigenvalues. Through the
eigendecomposition one would divide by differences, which equal eigenvalues make zero.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function

from normlib.layers.whitening import Whitening, with_eps


class DecorrelatedBatchNorm(Whitening):
    """Whiten the channels over the batch: ``y = gamma * (Sigma^(-1/2) (x - mu)) + beta``.

    ``Sigma^(-1/2) = U Lambda^(-1/2) U^T`` (ZCA) with the eigenvalues ``Lambda`` and eigenvectors
    ``U`` of ``Sigma = mean((x - mu) (x - mu)^T) + eps * I`` between the channels of a group, over
    the batch and all positions. Of all whitening matrices it changes ``x`` the least.

    The output's covariance has the eigenvalues ``lambda / (lambda + eps)``, where ``lambda`` are
    those of the input's. Its rank is below the number of values per channel: with fewer values
    than channels in a group some directions vanish, and ``eps`` must be above 0.

    Where the input is not finite the output is NaN, as BatchNorm's is.

    Args:
        num_features: Number of channels ``C``.
        groups: Number of groups of neighbouring channels, whitened each by itself.
        eps: Added to the eigenvalues of the covariance.
        momentum: Weight of the new value in the running mean and (unbiased) covariance, in 0..1.
        affine: Whether to have a scale ``gamma`` and a shift ``beta``.

    Shape:
        (N, C) or (N, C, ...), and the same out.

    Raises:
        ValueError: the groups do not divide the channels, another argument is out of its range,
            the input does not have ``C`` channels in dimension 1, or it has a single value per
            channel when training.

    Source: Huang, Yang, Lang and Deng 2018, https://arxiv.org/abs/1804.08450. The paper averages
    whitening matrices for evaluation; see `Whitening` for why this averages covariances.
    """

    def matrix(self, covariance: Tensor) -> Tensor:
        """Return ``(covariance + eps * I)^(-1/2)``."""
        return inverse_root(covariance, self.eps)


def inverse_root(covariance: Tensor, eps: float = 0.0) -> Tensor:
    """Return ``(covariance + eps * I)^(-1/2)``, differentiable any number of times.

    Args:
        covariance: Symmetric and positive semidefinite, of shape (..., D, D).
        eps: Added to the eigenvalues, at least 0; above 0 if one of them is 0.

    Returns:
        The symmetric, positive definite root, of the same shape; NaN for a matrix with an entry
        that is not finite.
    """
    finite = torch.isfinite(covariance).flatten(-2).all(-1)[..., None]
    # The eigensolver raises where there is nothing to solve; what is put in becomes NaN below.
    solvable = torch.where(finite[..., None], covariance.detach(), 1.0)
    eigenvalues, u = torch.linalg.eigh(solvable)
    # Rounding makes an eigenvalue of 0 negative by more than eps, if the others are large.
    a = torch.sqrt(eigenvalues.clamp(min=0) + eps)
    a = torch.where(finite, a, float("nan"))
    w: Tensor = _InverseRoot.apply(with_eps(covariance, eps), a, u)
    return w


class _InverseRoot(Function):
    """``W`` for ``sigma = A A``, given the eigenvalues ``a`` and eigenvectors ``u`` of ``A``."""

    generate_vmap_rule = True

    @staticmethod
    def forward(sigma: Tensor, a: Tensor, u: Tensor) -> Tensor:
        return (u / a[..., None, :]) @ u.mT

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        ctx.save_for_backward(*inputs, output)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, ...]:
        sigma, a, u, w = ctx.saved_tensors
        return -_Sylvester.apply(sigma @ w, w @ g @ w, a, u), None, None


class _Sylvester(Function):
    """The solution ``Y`` of ``A Y + Y A = R``, given the eigenvalues and eigenvectors of ``A``.

    ``A`` itself is only there for its gradient: its eigenvalues and eigenvectors get none.
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(root: Tensor, r: Tensor, a: Tensor, u: Tensor) -> Tensor:
        return u @ ((u.mT @ r @ u) / (a[..., :, None] + a[..., None, :])) @ u.mT

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        root, _, a, u = inputs
        ctx.save_for_backward(root, a, u, output)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, ...]:
        root, a, u, y = ctx.saved_tensors
        z = _Sylvester.apply(root, g, a, u)
        return -(z @ y.mT + y.mT @ z), z, None, None
