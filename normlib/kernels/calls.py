"""From tensors to the loops and back."""

from typing import Any

import torch
from torch import Tensor

from normlib.kernels import loops
from normlib.kernels.layout import Layout


def project(
    x: Tensor,
    gamma: Tensor | None,
    beta: Tensor | None,
    eps: float,
    centered: bool,
    layout: Layout,
) -> tuple[Tensor, Tensor, Tensor]:
    """Return ``y``, ``mu`` and ``sigma2``, the statistics as vectors."""
    y = torch.empty_like(x)
    size = layout.shape[0] if layout.by_rows else layout.shape[1]
    mu, sigma2 = x.new_zeros(size), x.new_empty(size)
    kernel = loops.project_rows if layout.by_rows else loops.project_columns
    kernel(
        layout.view(x),
        layout.parameter(gamma, x),
        layout.parameter(beta, x),
        eps,
        centered,
        layout.view(y),
        mu.numpy(),
        sigma2.numpy(),
    )
    return y, mu, sigma2


def tangent(
    g: Tensor,
    x: Tensor,
    gamma: Tensor | None,
    mu: Tensor | None,
    sigma2: Tensor,
    eps: float,
    layout: Layout,
) -> tuple[Tensor, Tensor | None, Tensor | None]:
    """Return ``dx, dgamma, dbeta``; the latter two of the shape of ``gamma``.

    Without ``mu`` the projection was not centered.
    """
    centered = mu is not None
    dx = torch.empty_like(x)
    shape = (0, 0) if gamma is None else (layout.groups, layout.shape[1])
    dgamma, dbeta = x.new_zeros(shape), x.new_zeros(shape)
    kernel = loops.tangent_rows if layout.by_rows else loops.tangent_columns
    kernel(
        layout.view(g),
        layout.view(x),
        layout.parameter(gamma, x),
        _vector(sigma2.new_zeros(sigma2.shape) if mu is None else mu),
        _vector(sigma2),
        eps,
        centered,
        layout.view(dx),
        dgamma.numpy(),
        dbeta.numpy(),
    )
    if gamma is None:
        return dx, None, None
    return dx, dgamma.reshape(gamma.shape), dbeta.reshape(gamma.shape)


def _vector(x: Tensor) -> Any:
    return x.detach().reshape(-1).contiguous().numpy()
