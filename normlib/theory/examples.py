"""What the identities of the projection are checked on, and its formula written plainly."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import wraps

import numpy as np
from torch import Tensor

from normlib.theory.identity import draw, worst

#: Shapes, and the dimensions normalized over: a vector, rows, channels of a batch, samples.
CASES: tuple[tuple[tuple[int, ...], tuple[int, ...]], ...] = (
    ((3,), (0,)),
    ((5, 7), (1,)),
    ((4, 3, 2, 5), (0, 2, 3)),
    ((3, 4, 3, 2), (1, 2, 3)),
)
#: Entries of the vectors on which derivatives are checked, which are matrices.
SIZES = (3, 4, 12)


@dataclass(frozen=True)
class Example:
    """Entries to normalize.

    Attributes:
        x: Normal numbers; mean and spread are drawn.
        dims: The dimensions to normalize over.
        eps: Between a thousandth of the variance and ten times it, so that it matters.
        random: For whatever else an identity needs.
    """

    x: Tensor
    dims: tuple[int, ...]
    eps: float
    random: np.random.Generator

    @property
    def d(self) -> int:
        """How many entries are normalized together."""
        return math.prod(self.x.shape[i] for i in self.dims)

    def another(self) -> Tensor:
        """Return new entries of the same shape."""
        return draw(self.random, *self.x.shape)


def examples(seed: int) -> Iterator[Example]:
    """Yield an example of each of `CASES`, drawn with ``seed``."""
    for place, (shape, dims) in enumerate(CASES):
        random = np.random.default_rng([seed, place])
        x = draw(random, *shape)
        eps = x.var().item() * 10 ** random.uniform(-3, 1)
        yield Example(x, dims, eps, random)


def each(measure: Callable[[Example], float]) -> Callable[[int], float]:
    """Turn what measures one example into a residual: the worst over a seed's examples."""

    @wraps(measure)
    def residual(seed: int) -> float:
        return worst(measure(example) for example in examples(seed))

    return residual


def vectors(seed: int) -> Iterator[Example]:
    """Yield a vector of each of `SIZES`, to be normalized as a whole."""
    for d in SIZES:
        random = np.random.default_rng([seed, 99, d])
        x = draw(random, d)
        yield Example(x, (0,), x.var().item() * 10 ** random.uniform(-3, 1), random)


def each_vector(measure: Callable[[Example], float]) -> Callable[[int], float]:
    """As `each`, over vectors: for derivatives, which are matrices then."""

    @wraps(measure)
    def residual(seed: int) -> float:
        return worst(measure(example) for example in vectors(seed))

    return residual


def plain(x: Tensor, dims: tuple[int, ...], eps: float = 0.0, *, centered: bool = True) -> Tensor:
    """Return ``(x - mu) / sqrt(sigma2 + eps)``, word for word; complex ``x`` may be a step."""
    z = x - x.mean(dims, keepdim=True) if centered else x
    result: Tensor = z / ((z * z).mean(dims, keepdim=True) + eps).sqrt()
    return result
