"""Whitening: the same projection with a matrix for the variance.

In the statements ``Z`` is centered, a row of ``m`` values per channel, ``S = Z Z^T / m`` is their
covariance, and ``Y = S^(-1/2) Z`` (with ``S + eps I`` where there is an ``eps``). One channel is
batch normalization.
"""

import numpy as np
import torch
from torch import Tensor

from normlib import layers
from normlib.theory.identity import Identity, apart, draw, worst

_CHAPTER = "01_projection"
_HUANG = "Huang et al. 2018, https://arxiv.org/abs/1804.08450"
SHAPES = ((2, 9), (3, 40), (6, 50))


def power(S: Tensor, exponent: float) -> Tensor:
    """Return a power of a symmetric positive definite matrix."""
    values, vectors = torch.linalg.eigh(S)
    result: Tensor = vectors * values**exponent @ vectors.T
    return result


def whitened(x: Tensor, eps: float = 0.0) -> tuple[Tensor, Tensor, Tensor]:
    """Return ``Y``, ``Z`` and ``S`` of channels ``x``, of shape (C, m)."""
    z = x - x.mean(1, keepdim=True)
    layer = layers.DecorrelatedBatchNorm(len(x), eps=eps, affine=False, dtype=x.dtype)
    return layer(x.T).T, z, z @ z.T / x.shape[1]


def _data(seed: int) -> list[tuple[Tensor, np.random.Generator]]:
    randoms = [np.random.default_rng([seed, *shape]) for shape in SHAPES]
    # mixed channels, so that they are correlated
    return [
        (torch.from_numpy(r.normal(size=(s[0], s[0]))) @ draw(r, *s) + 2 * draw(r, *s), r)
        for r, s in zip(randoms, SHAPES, strict=True)
    ]


def _covariance(seed: int) -> float:
    def miss(x: Tensor, eps: float) -> float:
        Y, _, S = whitened(x, eps)
        expected = torch.linalg.solve(S + eps * torch.eye(len(S), dtype=S.dtype), S)
        return apart(Y @ Y.T / x.shape[1], expected)

    return worst(miss(x, eps) for x, _ in _data(seed) for eps in (0.0, 0.3))


def _one_channel(seed: int) -> float:
    def miss(x: Tensor, eps: float) -> float:
        norm = layers.BatchNorm1d(len(x), eps, affine=False, dtype=x.dtype)
        separate = torch.cat([whitened(row[None], eps)[0] for row in x])
        return apart(separate, norm(x.T).T)

    return worst(miss(x, eps) for x, _ in _data(seed) for eps in (1e-5, 0.3))


def _uncorrelated(seed: int) -> float:
    def miss(x: Tensor, random: np.random.Generator) -> float:
        Y, _, _ = whitened(x)
        spread, mean = torch.from_numpy(random.uniform(0.5, 3, (2, len(x), 1)))
        x = spread * Y + mean  # channels without correlation
        norm = layers.BatchNorm1d(len(x), 0.1, affine=False, dtype=x.dtype)
        return apart(whitened(x, 0.1)[0], norm(x.T).T)

    return worst(miss(x, random) for x, random in _data(seed))


def _nearest(seed: int) -> float:
    def miss(x: Tensor) -> float:
        Y, Z, S = whitened(x)
        P, _, _ = whitened(x.flip(1) + x.sin())  # another white batch
        farther = (Z - P).square().sum() - (Z - Y).square().sum()
        return apart(farther, (power(S, 0.25) @ (P - Y)).square().sum())

    return worst(miss(x) for x, _ in _data(seed))


def _rotation(seed: int) -> float:
    def miss(x: Tensor, random: np.random.Generator) -> float:
        Q = torch.linalg.qr(torch.from_numpy(random.normal(size=(len(x), len(x)))))[0]
        return apart(whitened(Q @ x, 0.2)[0], Q @ whitened(x, 0.2)[0])

    return worst(miss(x, random) for x, random in _data(seed))


WHITENING = (
    Identity(
        name="whitening-covariance",
        title="The whitened channels have unit variance and no correlation, but for eps",
        statement=r"\tfrac1m YY^\top = S\,(S + \varepsilon I)^{-1}",
        residual=_covariance,
        source=_HUANG,
        chapter=_CHAPTER,
    ),
    Identity(
        name="whitening-one-channel",
        title="Whitening one channel is BatchNorm",
        statement=r"(s + \varepsilon)^{-1/2} z = \mathrm{BN}_\varepsilon(x)",
        residual=_one_channel,
        chapter=_CHAPTER,
    ),
    Identity(
        name="whitening-uncorrelated",
        title="So is whitening channels that have no correlation",
        statement=r"S = \operatorname{diag}(\sigma_c^2) \Rightarrow Y = \mathrm{BN}(x)",
        residual=_uncorrelated,
        chapter=_CHAPTER,
    ),
    Identity(
        name="whitening-nearest",
        title="No white batch P is nearer to Z than its whitening Y",
        statement=r"\lVert Z - P\rVert^2 - \lVert Z - Y\rVert^2 = "
        r"\lVert S^{1/4}(P - Y)\rVert^2 \quad (\varepsilon = 0)",
        residual=_nearest,
        chapter=_CHAPTER,
    ),
    Identity(
        name="whitening-rotation",
        title="Rotations of the channels pass through",
        statement=r"Y(Qx) = Q\,Y(x) \quad (Q^\top Q = I)",
        residual=_rotation,
        chapter=_CHAPTER,
    ),
)
