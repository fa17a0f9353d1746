"""PowerNorm: a running quadratic mean in both modes, and a running projection in the backward.

Source: Shen et al. 2020, https://arxiv.org/abs/2003.07845
"""

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.autograd import Function

from normlib.layers.relative import BatchRelative
from normlib.layers.running import over_batch, per_channel, update
from normlib.layers.snapshot import snapshot
from normlib.precision import wide
from normlib.projection import rescale


class PowerNorm(BatchRelative):
    """Divide each channel by its running quadratic mean, in training too; no centering.

    ``xhat = x / sqrt(psi2 + eps)`` and ``y = gamma * xhat + beta``, where ``psi2`` averages
    ``mean(x ** 2)`` over the batches before this one. The exact derivative of this takes ``psi2``
    for a constant and would let the activations grow; the derivative through the batch's own
    statistic would take ``xhat * mean(h * xhat)`` away from ``h = gamma * g``, ``g`` being the
    gradient that reaches ``y``. What is done instead, and is NOT the derivative of the forward:

        h'  = h - nu * xhat
        dx  = h' / sqrt(psi2 + eps)
        nu += momentum * mean(h' * xhat)

    so that ``nu``, a running average as well, is at rest when ``h'`` is tangent to the sphere on
    average. ``gamma`` and ``beta`` get their exact gradients; in evaluation so does ``x``.

    The buffers are ``running_square`` (``psi2``, moved by each training forward) and
    ``running_slope`` (``nu``, moved by each training backward; of the size of the gradients, so
    that a change of the loss's scale disturbs it).

    Args:
        num_features: Number of channels ``C``.
        eps: Added to ``psi2``; 1e-5 as in the authors' code.
        momentum: Weight of the new value in both running averages, ``1 - alpha`` in that code.
        affine: Whether to have ``gamma`` and ``beta``.

    Shape:
        (N, C) or (N, C, ...), and the same out.

    Raises:
        ValueError: an argument out of its range, or an input without ``C`` channels in
            dimension 1.

    Source: Shen et al. 2020, https://arxiv.org/abs/2003.07845: PN, which divides by running
    statistics in training. The authors' code, https://github.com/sIncerass/powernorm, warms up
    with the batch's own statistic, divides by that one in the backward pass, and scales groups of
    channels per position first. Here none of this is done.
    """

    starts: ClassVar[Mapping[str, float]] = {"running_square": 1.0, "running_slope": 0.0}
    least = 1

    running_square: Tensor
    running_slope: Tensor

    def by_batch(self, x: Tensor) -> Tensor:
        """Divide by the average of the batches before; lean on their gradients."""
        psi2 = snapshot(self.running_square)
        xhat = rescale(wide(x), sigma2=per_channel(psi2, x.dim()), eps=self.eps)
        with torch.no_grad():
            square = wide(x).square().mean(over_batch(x))
        update(self.running_square, square, self.momentum)
        leaning: Tensor = _RunningTangent.apply(xhat, self.running_slope, self.momentum)
        return rescale(leaning, *self.scale_and_shift(x)).to(x.dtype)

    def by_running(self, x: Tensor) -> Tensor:
        """Divide by a constant."""
        psi2 = per_channel(self.running_square, x.dim())
        return rescale(x, *self.scale_and_shift(x), sigma2=psi2, eps=self.eps)


class _RunningTangent(Function):
    """The identity, with the backward ``h - nu * xhat``, which moves ``nu``."""

    @staticmethod
    def forward(xhat: Tensor, nu: Tensor, momentum: float) -> Tensor:
        return xhat.view_as(xhat)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        xhat, ctx.nu, ctx.momentum = inputs
        ctx.save_for_backward(xhat)

    @staticmethod
    def backward(ctx: Any, h: Tensor) -> tuple[Tensor | None, ...]:
        (xhat,) = ctx.saved_tensors
        nu = per_channel(ctx.nu.clone(), h.dim())
        tangent = h - nu * xhat
        with torch.no_grad():
            ctx.nu.add_((tangent * xhat).mean(over_batch(h)).to(ctx.nu.dtype), alpha=ctx.momentum)
        return tangent, None, None
