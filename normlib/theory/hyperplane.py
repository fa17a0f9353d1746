"""Centering alone: the projection onto the hyperplane of mean zero, ``z = C x``.

It is linear, with the matrix ``C = I - 11^T / d``.
"""

import numpy as np
import torch

from normlib.projection import hyperplane
from normlib.theory.examples import Example, each, each_vector
from normlib.theory.identity import Identity, apart, draw, worst

_CHAPTER = "01_projection"


@each
def _linear(one: Example) -> float:
    a, b, other = *one.random.normal(size=2), one.another()
    both, _ = hyperplane(a * one.x + b * other, one.dims)
    parts = a * hyperplane(one.x, one.dims)[0] + b * hyperplane(other, one.dims)[0]
    return apart(both, parts)


@each_vector
def _projector(one: Example) -> float:
    d = one.d
    C, _ = hyperplane(torch.eye(d, dtype=torch.float64), (0,))
    return worst([
        apart(C, torch.eye(d, dtype=torch.float64) - 1 / d),
        apart(C, C.T),
        apart(C @ C, C),
        apart(C.trace(), d - 1),
        apart(C @ torch.ones(d, dtype=torch.float64), 0, unit=1),
    ])  # fmt: skip


@each
def _nearest(one: Example) -> float:
    z, _ = hyperplane(one.x, one.dims)
    p = one.another()
    p = p - p.mean(one.dims, keepdim=True)  # another point of the hyperplane
    farther = ((one.x - p).square() - (one.x - z).square()).sum(one.dims)
    return apart(farther, (p - z).square().sum(one.dims))


@each_vector
def _permutation(one: Example) -> float:
    order = torch.from_numpy(one.random.permutation(one.d))
    return apart(hyperplane(one.x[order], (0,))[0], hyperplane(one.x, (0,))[0][order])


def _commute(seed: int) -> float:
    x = draw(np.random.default_rng(seed), 6, 4, 3)
    rows_first, _ = hyperplane(hyperplane(x, (1, 2))[0], (0,))
    columns_first, _ = hyperplane(hyperplane(x, (0,))[0], (1, 2))
    expected = x - x.mean((1, 2), keepdim=True) - x.mean(0, keepdim=True) + x.mean()
    return worst([apart(rows_first, expected), apart(columns_first, expected)])


HYPERPLANE = (
    Identity(
        name="hyperplane-linear",
        title="Centering is linear",
        statement=r"C(ax + bx') = aCx + bCx'",
        residual=_linear,
        chapter=_CHAPTER,
    ),
    Identity(
        name="hyperplane-projector",
        title="Its matrix is an orthogonal projector that removes one direction",
        statement=r"C = I - \tfrac1d 1 1^\top = C^\top = C^2, \quad "
        r"\operatorname{tr} C = d - 1, \quad C1 = 0",
        residual=_projector,
        chapter=_CHAPTER,
    ),
    Identity(
        name="hyperplane-nearest",
        title="No point p of the hyperplane is nearer to x",
        statement=r"\lVert x - p\rVert^2 - \lVert x - Cx\rVert^2 = \lVert p - Cx\rVert^2",
        residual=_nearest,
        chapter=_CHAPTER,
    ),
    Identity(
        name="hyperplane-permutation",
        title="It does not know the order of the entries: it commutes with permutations",
        statement=r"C\Pi x = \Pi Cx",
        residual=_permutation,
        chapter=_CHAPTER,
    ),
    Identity(
        name="hyperplane-commute",
        title="Centering over samples and centering within samples commute",
        statement=r"C_N C_{CHW}\,x = C_{CHW}\,C_N\,x",
        residual=_commute,
        chapter=_CHAPTER,
    ),
)
