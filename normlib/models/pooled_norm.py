"""BatchNorm, max pooling by two and ReLU in fewer passes over memory than one after the other.

Nobody but the pooling reads what BatchNorm writes, and the gradient that reaches BatchNorm is zero
but for one entry of each window. Both are as large as the activations and need not be in memory:
they are made image by image, which a core's own cache holds, by the loops that make them otherwise,
so that every bit is the same.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import Function

from normlib import kernels
from normlib.kernels import loops
from normlib.layers import BatchNorm2d
from normlib.models.pooling import MaxPoolReLU, applies, images, outputs, spread
from normlib.projection import sphere


def norm_then_pool(norm: nn.Module, pool: MaxPoolReLU, x: Tensor) -> Tensor:
    """Return ``pool(norm(x))``, in one go where ``norm`` is BatchNorm2d in training."""
    if _applies(norm, pool, x):
        assert isinstance(norm, BatchNorm2d)
        return norm.through(x, sphere_then_pool)
    y: Tensor = pool(norm(x))
    return y


def sphere_then_pool(
    x: Tensor, dims: Sequence[int], gamma: Tensor, beta: Tensor, *, eps: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Return `sphere` of ``x`` over all dimensions but the channels', pooled, and its statistics.

    Args: as of `sphere`, for ``dims`` (0, 2, 3) and an ``x`` (N, C, H, W) that the loops can take.
    """
    assert list(dims) == [0, 2, 3]
    y, mu, sigma2, _ = _SphereThenPool.apply(x, gamma, beta, eps)
    return y, mu, sigma2


def _applies(norm: nn.Module, pool: nn.Module, x: Tensor) -> bool:
    if type(norm) is not BatchNorm2d or not norm.training:
        return False
    if any(parameter is None for parameter in (norm.weight, norm.bias)):
        return False
    if any(_is_watched(module) for module in (norm, pool)) or not applies(x):
        return False
    parameters = [p.reshape(1, 1, 1, -1) for p in (norm.weight, norm.bias)]
    layout = kernels.layout_of(x.permute(0, 2, 3, 1), list(parameters), (0, 1, 2))
    return layout is not None and loops.divides_images(*x.shape)


def _is_watched(module: nn.Module) -> bool:
    """Whether somebody waits for what goes in and out of the module."""
    return bool(
        module._forward_hooks
        or module._forward_pre_hooks
        or module._backward_hooks
        or module._backward_pre_hooks
        or nn.modules.module._has_any_global_hook()
    )


class _SphereThenPool(Function):
    @staticmethod
    def forward(
        x: Tensor, gamma: Tensor, beta: Tensor, eps: float
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        channels = x.shape[1]
        mu, sigma2 = x.new_empty(1, channels, 1, 1), x.new_empty(1, channels, 1, 1)
        y, chosen = outputs(x)
        loops.project_pool(
            images(x),
            *(_row(parameter) for parameter in (gamma, beta)),
            eps,
            *(made.numpy() for made in (y, chosen, mu.view(-1), sigma2.view(-1))),
        )
        return y, mu, sigma2, chosen

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
        x, gamma, beta, ctx.eps = inputs
        _, mu, sigma2, chosen = output
        ctx.set_materialize_grads(False)
        ctx.mark_non_differentiable(chosen)
        ctx.save_for_backward(x, gamma, beta, mu, sigma2, chosen)

    @staticmethod
    def backward(
        ctx: Any, g: Tensor | None, g_mu: Tensor | None, g_sigma2: Tensor | None, _: None
    ) -> tuple[Tensor | None, ...]:
        x, gamma, beta, mu, sigma2, chosen = ctx.saved_tensors
        if (
            g is None
            or (g_mu is not None or g_sigma2 is not None)
            or torch.is_grad_enabled()
            or kernels.transformed(g)
        ):
            return *_by_steps(ctx, g, g_mu, g_sigma2), None
        dx = torch.empty_like(x)
        dgamma, dbeta = torch.empty_like(gamma), torch.empty_like(beta)
        loops.unpool_tangent(
            g.detach().contiguous().numpy(),
            chosen.numpy(),
            images(x),
            _row(gamma),
            *(statistic.detach().view(-1).numpy() for statistic in (mu, sigma2)),
            ctx.eps,
            dx.permute(0, 2, 3, 1).numpy(),
            *(_row(gradient) for gradient in (dgamma, dbeta)),
        )
        return dx, dgamma, dbeta, None


def _by_steps(
    ctx: Any, g: Tensor | None, g_mu: Tensor | None, g_sigma2: Tensor | None
) -> tuple[Tensor | None, ...]:
    """Return the gradients by `sphere`'s own, which can be differentiated again, or batched."""
    x, gamma, beta, _, _, chosen = ctx.saved_tensors
    wanted = [t for t in (x, gamma, beta) if t.requires_grad]
    again = torch.is_grad_enabled()
    with torch.enable_grad():
        made = sphere(x, (0, 2, 3), gamma, beta, eps=ctx.eps)
        arriving = (None if g is None else spread(g, chosen, x.shape[2:]), g_mu, g_sigma2)
        pairs = [(y, dy) for y, dy in zip(made, arriving, strict=True) if dy is not None]
        found = iter(
            torch.autograd.grad(
                [y for y, _ in pairs],
                wanted,
                [dy for _, dy in pairs],
                create_graph=again,
                allow_unused=True,
            )
        )
    return tuple(next(found) if t.requires_grad else None for t in (x, gamma, beta))


def _row(parameter: Tensor) -> Any:
    return parameter.detach().view(1, -1).numpy()
