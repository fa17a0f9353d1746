"""Adaptive gradient clipping: no unit moves far in proportion to its weight."""

from collections.abc import Iterable

import torch
from torch import Tensor

from normlib.layers.weight import dims_within
from normlib.precision import wide


def clip_gradients_adaptively(
    parameters: Tensor | Iterable[Tensor],
    clipping: float = 0.01,
    eps: float = 1e-3,
    *,
    dim: int = 0,
) -> None:
    """Shorten, in place, the gradient of each unit where it is long beside the unit's weight.

    ``g = g * limit / norm(g)`` where ``norm(g) > limit``, with
    ``limit = clipping * max(norm(w), eps)``.

    A unit is a slice along ``dim``: a filter, the row of a linear layer. A parameter of fewer than
    two dimensions (a bias, a gain) is one unit, as in the authors' code; the paper is silent.
    Call it between ``backward`` and the optimizer's step. The paper leaves the gradient of the
    last linear layer alone, so pass the others. Of a normalized weight the parameters are clipped,
    such as length and direction, each for itself.

    Args:
        parameters: One or more parameters; those without a gradient are passed over.
        clipping: The longest gradient, as a part of the weight's length; more than 0.
        eps: The length that a shorter weight counts as, so that weights starting at 0 can move.
        dim: The dimension whose entries are units: 0, or 1 for transposed convolutions, which
            need a call of their own.

    Raises:
        ValueError: ``clipping`` is not positive, or ``eps`` is negative.
        IndexError: a parameter of two or more dimensions has no dimension ``dim``.

    Source: Brock et al. 2021, https://arxiv.org/abs/2102.06171
    """
    if not clipping > 0:
        raise ValueError(f"clipping={clipping} leaves no gradient; choose more than 0, as 0.01")
    if not eps >= 0:
        raise ValueError(f"eps={eps} is the least length of a weight; choose 0 or more")
    for parameter in [parameters] if isinstance(parameters, Tensor) else parameters:
        gradient = parameter.grad
        if gradient is None:
            continue
        limit = clipping * _lengths(parameter.detach(), dim).clamp_min(eps)
        # 0 / 0 must not be: a gradient of length 0 stays.
        factor = limit / torch.maximum(_lengths(gradient.detach(), dim), limit)
        gradient.detach().mul_(torch.where(limit > 0, factor, 0))


def _lengths(x: Tensor, dim: int) -> Tensor:
    dims = dims_within(x, dim if x.dim() > 1 else None)
    lengths: Tensor = torch.linalg.vector_norm(wide(x), dim=dims, keepdim=True)
    return lengths
