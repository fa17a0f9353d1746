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

from normlib.kernels import VERSION, compiled, inlined


class MaxPoolReLU(nn.Module):
    """``y = max(0, max of each 2 x 2 window)``.

    The maximum commutes with ReLU, and so do the derivatives: of the entries of a window the
    first largest gets the gradient, and none does if it is not above zero.

    Shape:
        (N, C, H, W) to (N, C, H // 2, W // 2); an odd last row or column is left out.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Apply both."""
        if not _applies(x):
            return torch.relu(F.max_pool2d(x, 2))
        y: Tensor = _MaxPoolReLU.apply(x)[0]
        return y


class _MaxPoolReLU(Function):
    @staticmethod
    def forward(x: Tensor) -> tuple[Tensor, Tensor]:
        n, c, h, w = x.shape
        y = x.new_empty(n, h // 2, w // 2, c)
        chosen = torch.empty(y.shape, dtype=torch.uint8)
        _pool(_rows(x), y.numpy(), chosen.numpy())
        return y.permute(0, 3, 1, 2), chosen

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor], output: tuple[Tensor, Tensor]) -> None:
        ctx.shape = inputs[0].shape
        ctx.mark_non_differentiable(output[1])
        ctx.save_for_backward(output[1])

    @staticmethod
    def backward(ctx: Any, g: Tensor, _: Any) -> Tensor:
        (chosen,) = ctx.saved_tensors
        n, c, h, w = ctx.shape
        if torch.is_grad_enabled():
            # A graph of the backward pass is wanted: the same choice by differentiable steps.
            parts = [g * (chosen.permute(0, 3, 1, 2) == place) for place in range(4)]
            windows = torch.stack(parts, -1).unflatten(-1, (2, 2))
            dx = windows.permute(0, 1, 2, 4, 3, 5).flatten(4, 5).flatten(2, 3)
            return F.pad(dx, (0, w % 2, 0, h % 2))
        make = torch.zeros if h % 2 or w % 2 else torch.empty
        dx = make((n, h, w, c), dtype=g.dtype)
        _unpool(_rows(g), chosen.numpy(), dx.numpy())
        return dx.permute(0, 3, 1, 2)


def _applies(x: Tensor) -> bool:
    return (
        not torch.compiler.is_compiling()
        and VERSION is not None
        and x.device.type == "cpu"
        and x.dtype in (torch.float32, torch.float64)
        and x.dim() == 4
        and x.numel() > 0
        and min(x.shape[2:]) > 1
        and torch._C._functorch.maybe_current_level() is None
        and torch.get_num_threads() == 1
        and x.is_contiguous(memory_format=torch.channels_last)
    )


def _rows(x: Tensor) -> Any:
    """Return the memory of a channels_last tensor as an array (N, H, W, C)."""
    return x.detach().permute(0, 2, 3, 1).contiguous().numpy()


# Each innermost loop writes to one place: a compiler uses vector registers only if it can tell
# that what is written is not what is read next, and it gives up on many such questions.


@compiled
def _pool(x: Any, y: Any, chosen: Any) -> None:
    zero = x.dtype.type(0)
    for n in range(y.shape[0]):
        for i in range(y.shape[1]):
            for j in range(y.shape[2]):
                for c in range(y.shape[3]):
                    y[n, i, j, c] = _largest(
                        x[n, 2 * i, 2 * j, c],
                        x[n, 2 * i, 2 * j + 1, c],
                        x[n, 2 * i + 1, 2 * j, c],
                        x[n, 2 * i + 1, 2 * j + 1, c],
                        zero,
                    )[0]
                for c in range(y.shape[3]):
                    chosen[n, i, j, c] = _largest(
                        x[n, 2 * i, 2 * j, c],
                        x[n, 2 * i, 2 * j + 1, c],
                        x[n, 2 * i + 1, 2 * j, c],
                        x[n, 2 * i + 1, 2 * j + 1, c],
                        zero,
                    )[1]


@inlined
def _largest(first: Any, second: Any, third: Any, fourth: Any, zero: Any) -> Any:
    """Return the largest of four and its place, or ``zero`` and 4 if it is not above."""
    best, place = first, 0
    # What is not a number differs from itself, and wins, as in torch.
    if second > best or second != second:
        best, place = second, 1
    if third > best or third != third:
        best, place = third, 2
    if fourth > best or fourth != fourth:
        best, place = fourth, 3
    if best <= 0:
        return zero, 4
    return best, place


@compiled
def _unpool(g: Any, chosen: Any, dx: Any) -> None:
    zero = dx.dtype.type(0)
    for n in range(g.shape[0]):
        for i in range(g.shape[1]):
            for j in range(g.shape[2]):
                for c in range(g.shape[3]):
                    dx[n, 2 * i, 2 * j, c] = g[n, i, j, c] if chosen[n, i, j, c] == 0 else zero
                for c in range(g.shape[3]):
                    dx[n, 2 * i, 2 * j + 1, c] = g[n, i, j, c] if chosen[n, i, j, c] == 1 else zero
                for c in range(g.shape[3]):
                    dx[n, 2 * i + 1, 2 * j, c] = g[n, i, j, c] if chosen[n, i, j, c] == 2 else zero
                for c in range(g.shape[3]):
                    last = g[n, i, j, c] if chosen[n, i, j, c] == 3 else zero
                    dx[n, 2 * i + 1, 2 * j + 1, c] = last
