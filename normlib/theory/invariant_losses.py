"""Losses of small networks that do not depend on the length of a weight.

``L(a w) = L(w)`` for every ``a > 0``, because what the weight ``w`` makes is normalized: per filter
by statistics over the batch, as a whole by statistics over the features, or by its own length.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import conv2d

from normlib.layers import WeightNorm
from normlib.projection import sphere
from normlib.theory.identity import draw

#: How many batches a problem has; later steps see them again.
BATCHES = 8


@dataclass(frozen=True, kw_only=True)
class Problem:
    """A weight and a loss that is invariant to its length.

    Attributes:
        w: Where to start.
        loss: Of the weight and the number of the batch.
        dims: Over which dimensions of ``w`` the length is taken that does not matter: all but
            the first for lengths of filters, all for the length of the whole.
    """

    w: Tensor
    loss: Callable[[Tensor, int], Tensor]
    dims: tuple[int, ...]

    def gradient(self, w: Tensor, batch: int = 0) -> Tensor:
        """Return the gradient of the loss at ``w``."""
        at = w.detach().requires_grad_()
        return torch.autograd.grad(self.loss(at, batch), at)[0]

    def inner(self, a: Tensor, b: Tensor) -> Tensor:
        """Return the inner product of ``a`` and ``b`` over ``dims``, which keep size 1."""
        return (a * b).sum(self.dims, keepdim=True)

    def square(self, w: Tensor) -> Tensor:
        """Return the squared length of ``w`` over ``dims``, which keep size 1."""
        return self.inner(w, w)


def by_batch(random: np.random.Generator, eps: float = 0.0) -> Problem:
    """Return a convolution whose channels are normalized over the batch: BatchNorm."""
    x, w = draw(random, BATCHES, 5, 3, 6, 6), torch.from_numpy(random.normal(size=(4, 3, 3, 3)))
    gamma, beta = draw(random, 1, 4, 1, 1), draw(random, 1, 4, 1, 1)
    direction = draw(random, 5, 4, 4, 4)

    def loss(w: Tensor, batch: int) -> Tensor:
        z = conv2d(x[batch % BATCHES], w)
        return _loss(sphere(z, (0, 2, 3), gamma, beta, eps=eps)[0], direction)

    return Problem(w=w, loss=loss, dims=(1, 2, 3))


def by_sample(random: np.random.Generator, eps: float = 0.0) -> Problem:
    """Return a matrix whose outputs are normalized over the features: LayerNorm."""
    x, w = draw(random, BATCHES, 7, 5), torch.from_numpy(random.normal(size=(6, 5)))
    gamma, beta, direction = draw(random, 1, 6), draw(random, 1, 6), draw(random, 7, 6)

    def loss(w: Tensor, batch: int) -> Tensor:
        z = x[batch % BATCHES] @ w.T
        return _loss(sphere(z, (1,), gamma, beta, eps=eps)[0], direction)

    return Problem(w=w, loss=loss, dims=(0, 1))


def by_length(random: np.random.Generator) -> Problem:
    """Return a matrix whose rows are divided by their lengths: weight normalization."""
    x, v = draw(random, BATCHES, 7, 5), torch.from_numpy(random.normal(size=(6, 5)))
    g, direction, weight = draw(random, 6, 1), draw(random, 7, 6), WeightNorm()

    def loss(v: Tensor, batch: int) -> Tensor:
        return _loss(x[batch % BATCHES] @ weight(g, v).T, direction)

    return Problem(w=v, loss=loss, dims=(1,))


def each(random: np.random.Generator) -> tuple[Problem, ...]:
    """Return a problem of every sort, without epsilon."""
    return by_batch(random), by_sample(random), by_length(random)


def _loss(y: Tensor, direction: Tensor) -> Tensor:
    # Smooth and curved, so that second derivatives exist and are not zero.
    return (direction * torch.tanh(y / 4)).mean()
