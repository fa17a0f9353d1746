"""Running averages of statistics, and what a layer does with them when it is evaluated."""

from typing import overload

import torch
from torch import Tensor

from normlib.projection import rescale


@overload
def per_channel(parameter: Tensor, dims: int) -> Tensor: ...
@overload
def per_channel(parameter: Tensor | None, dims: int) -> Tensor | None: ...
def per_channel(parameter: Tensor | None, dims: int) -> Tensor | None:
    """View a vector of ``C`` entries as ``(1, C, 1, ...)`` with ``dims`` dimensions."""
    return None if parameter is None else parameter.reshape([1, -1] + [1] * (dims - 2))


def over_batch(x: Tensor) -> list[int]:
    """Return the dimensions of ``x`` but the channels': those of the batch's statistics."""
    return [0, *range(2, x.dim())]


def update(running: Tensor | None, new: Tensor, weight: float) -> None:
    """Move a buffer toward ``new``: ``running = (1 - weight) * running + weight * new``.

    ``weight`` in 0..1 is that of the new value, as in torch. No graph is kept.
    """
    if running is not None:
        with torch.no_grad():
            running.mul_(1 - weight).add_(new.reshape_as(running).to(running.dtype), alpha=weight)


def normalize_by_running(
    x: Tensor,
    mean: Tensor,
    variance: Tensor,
    gamma: Tensor | None,
    beta: Tensor | None,
    eps: float,
) -> Tensor:
    """Normalize ``x`` of shape (N, C, ...) by constants:
    ``y = gamma * (x - mean) / sqrt(variance + eps) + beta``, all of shape (C,).
    """
    n = x.dim()
    mu, sigma2 = per_channel(mean, n), per_channel(variance, n)
    return rescale(x, per_channel(gamma, n), per_channel(beta, n), mu, sigma2, eps=eps)
