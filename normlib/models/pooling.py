"""Max pooling by two, then ReLU, in one pass over memory.

In a small CNN these two steps, and the zeros and indices that they write, take a quarter of a
training step on one CPU thread. Both only choose among numbers, so one loop gives their very bits.
Elsewhere than on channels_last activations on one thread of a CPU, torch's own are used.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.nn import functional as F

from normlib import kernels
from normlib.kernels import loops


class MaxPoolReLU(nn.Module):
    """``y = max(0, max of each 2 x 2 window)``.

    The maximum commutes with ReLU, and so do the derivatives: of the entries of a window the
    first largest gets the gradient, and none does if it is not above zero.

    Shape:
        (N, C, H, W) to (N, C, H // 2, W // 2); an odd last row or column is left out.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Apply both."""
        if not applies(x):
            return torch.relu(F.max_pool2d(x, 2))
        y: Tensor = _MaxPoolReLU.apply(x)[0]
        return y


class _MaxPoolReLU(Function):
    @staticmethod
    def forward(x: Tensor) -> tuple[Tensor, Tensor]:
        y, chosen = outputs(x)
        loops.pool(images(x), y.numpy(), chosen.numpy())
        return y, chosen

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor], output: tuple[Tensor, Tensor]) -> None:
        ctx.size = inputs[0].shape[2:]
        ctx.mark_non_differentiable(output[1])
        ctx.save_for_backward(output[1])

    @staticmethod
    def backward(ctx: Any, g: Tensor, _: Any) -> Tensor:
        (chosen,) = ctx.saved_tensors
        if torch.is_grad_enabled() or kernels.transformed(g):
            return spread(g, chosen, ctx.size)
        n, _, _, c = chosen.shape
        h, w = ctx.size
        make = torch.zeros if h % 2 or w % 2 else torch.empty
        dx = make((n, h, w, c), dtype=g.dtype)
        loops.unpool(g.detach().contiguous().numpy(), chosen.numpy(), dx.numpy())
        return dx.permute(0, 3, 1, 2)


def applies(x: Tensor) -> bool:
    """Whether the loops can take ``x``."""
    return (
        kernels.readable(x)
        and x.dim() == 4
        and x.numel() > 0
        and min(x.shape[2:]) > 1
        and x.is_contiguous(memory_format=torch.channels_last)
    )


def images(x: Tensor) -> Any:
    """Return the memory of a channels_last tensor as an array (N, H, W, C)."""
    return x.detach().permute(0, 2, 3, 1).contiguous().numpy()


def outputs(x: Tensor) -> tuple[Tensor, Tensor]:
    """Return room for the pooled ``x``, (N, C, H // 2, W // 2), and for the choices, channels last.

    A fully connected layer follows, which takes the entries of an image in this order.
    """
    n, c, h, w = x.shape
    return x.new_empty(n, c, h // 2, w // 2), torch.empty(n, h // 2, w // 2, c, dtype=torch.uint8)


def spread(g: Tensor, chosen: Tensor, size: torch.Size) -> Tensor:
    """Return the gradient before pooling, by differentiable steps: ``g`` where it was chosen."""
    n, c, h, w = g.shape
    parts = [g * (chosen.permute(0, 3, 1, 2) == place) for place in range(4)]
    windows = torch.stack(parts, -1).reshape(n, c, h, w, 2, 2)
    dx = windows.permute(0, 1, 2, 4, 3, 5).reshape(n, c, 2 * h, 2 * w)
    return F.pad(dx, (0, size[1] % 2, 0, size[0] % 2))
