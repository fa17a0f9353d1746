"""Steps of SGD and of Adam, as torch takes them, on a loss that has no length for the weight.

SGD is torch's throughout: ``m' = momentum m + grad + decay w`` and ``w' = w - lr m'``.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from normlib.theory.invariant_losses import Problem

STEPS = 12
#: Of Adam, as in torch: the share of its second average that stays.
BETA2 = 0.999


@dataclass(frozen=True)
class Walk:
    """What happened in ``T`` steps: ``T + 1`` weights, ``T`` gradients, ``T`` buffers."""

    weights: Tensor
    gradients: Tensor
    buffers: Tensor


def walk(
    problem: Problem,
    steps: int = STEPS,
    *,
    lr: float,
    growth: float = 1.0,
    decay: float = 0.0,
    momentum: float = 0.0,
    start: Tensor | None = None,
    buffer: Tensor | None = None,
) -> Walk:
    """Take ``steps`` steps of SGD as torch's, on a new batch each.

    ``m' = momentum m + grad + decay w``, ``w' = w - lr growth^t m'``

    Args:
        problem: The loss, and where to start if ``start`` does not say it.
        steps: How many.
        lr: Learning rate of the first step.
        growth: Factor of the learning rate from a step to the next.
        decay: Weight decay.
        momentum: Of the buffer ``m``.
        start: The first weight.
        buffer: ``m`` before the first step; None for zero.
    """
    w = problem.w if start is None else start
    m = torch.zeros_like(w) if buffer is None else buffer
    weights, gradients, buffers = [w], [], []
    for t in range(steps):
        g = problem.gradient(w, t)
        m = momentum * m + g + decay * w
        w = w - lr * growth**t * m
        weights.append(w)
        gradients.append(g)
        buffers.append(m)
    return Walk(*(torch.stack(one) for one in (weights, gradients, buffers)))


def adam(
    problem: Problem, steps: int, *, lr: float, start: Tensor
) -> tuple[list[Tensor], list[Tensor]]:
    """Take ``steps`` steps of Adam without its epsilon; return weights and steps per ``lr``."""
    w, m, v = start, torch.zeros_like(start), torch.zeros_like(start)
    weights, directions = [w], []
    for t in range(1, steps + 1):
        g = problem.gradient(w, t - 1)
        m, v = 0.9 * m + 0.1 * g, BETA2 * v + (1 - BETA2) * g.square()
        directions.append(m / (1 - 0.9**t) / (v / (1 - BETA2**t)).sqrt())
        w = w - lr * directions[-1]
        weights.append(w)
    return weights, directions
