"""Derivatives of a NumPy formula along random directions, by central differences of five points.

    f'(0) = (8 (f(h) - f(-h)) - (f(2h) - f(-2h))) / (12 h) + O(h^4)

Nothing of normlib takes part, so that its backward is held to the derivative of a formula that is
written elsewhere and by hand.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from tests.layers.methods.case import Array
from tests.layers.methods.relative import relative_error

STEP = 1e-4
"""Of directions that are standard normal in each entry. The fourth power of the step is then below
what float64 rounds, and the rounding, divided by the step, near 1e-12."""
SEED = 3
"""Of the directions. No kink (a threshold, a largest value) lies within two steps of a case."""
DIRECTIONS = 4
"""A gradient that is wrong, in whatever entry, is right along a random direction by chance only."""

Formula = Callable[[Sequence[Array]], Array]


def gradient_error(f: Formula, at: Sequence[Array], g: Array, gradients: Sequence[Array]) -> float:
    """How far ``gradients`` of <g, f> at ``at`` are from its derivatives, along the directions.

    A part of the largest of these derivatives.
    """
    random = np.random.default_rng(SEED)
    drawn = [[random.normal(size=a.shape) for a in at] for _ in range(DIRECTIONS)]
    found = [sum((a * u).sum() for a, u in zip(gradients, us, strict=True)) for us in drawn]
    expected = [_along(f, at, g, us) for us in drawn]
    return relative_error(np.array(found), np.array(expected))


def _along(f: Formula, at: Sequence[Array], g: Array, us: Sequence[Array]) -> float:
    def moved(t: float) -> Array:
        return f([a + t * u for a, u in zip(at, us, strict=True)])

    near, far = moved(STEP) - moved(-STEP), moved(2 * STEP) - moved(-2 * STEP)
    return float(((8 * near - far) * g).sum() / (12 * STEP))
