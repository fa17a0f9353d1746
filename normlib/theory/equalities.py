"""Methods that are one another in special cases, and methods that undo one another.

All without scale and shift, which come afterwards and may differ in shape.
"""

import math

import numpy as np
import torch
from torch import Tensor, nn

from normlib import layers
from normlib.projection import hyperplane, sphere
from normlib.theory.examples import plain
from normlib.theory.identity import Identity, apart, draw, worst

_CHAPTER = "01_projection"
_WU = "Wu and He 2018, https://arxiv.org/abs/1803.08494"
_ZHANG = "Zhang and Sennrich 2019, https://arxiv.org/abs/1910.07467"
SHAPES = ((4, 6, 3, 5), (2, 3, 4, 4), (3, 2, 1, 2))


def _images(seed: int) -> list[tuple[Tensor, float]]:
    randoms = [np.random.default_rng([seed, *shape]) for shape in SHAPES]
    return [(draw(r, *s), r.uniform(0.01, 1)) for r, s in zip(randoms, SHAPES, strict=True)]


def _layer(x: Tensor, eps: float) -> nn.Module:
    return layers.LayerNorm(list(x.shape[1:]), eps, elementwise_affine=False)


def _rms(x: Tensor, eps: float) -> nn.Module:
    return layers.RMSNorm(list(x.shape[1:]), eps, elementwise_affine=False)


def _both(one: Tensor, other: Tensor, formula: Tensor) -> float:
    """Two layers may agree because one function computes both: the formula judges."""
    return worst([apart(one, other), apart(one, formula), apart(other, formula)])


def _centering_first(seed: int) -> float:
    def miss(x: Tensor, eps: float) -> float:
        after = _rms(x, eps)(hyperplane(x, (1, 2, 3))[0])
        return _both(after, _layer(x, eps)(x), plain(x, (1, 2, 3), eps))

    return worst(miss(x, eps) for x, eps in _images(seed))


def _centering_second(seed: int) -> float:
    def miss(x: Tensor, eps: float) -> float:
        found, mu = hyperplane(_rms(x, eps)(x), (1, 2, 3))
        variance, mu = torch.var_mean(x, (1, 2, 3), correction=0, keepdim=True)
        return apart(found, (x - mu) / (variance + mu.square() + eps).sqrt())

    return worst(miss(x, eps) for x, eps in _images(seed))


def _one_group(seed: int) -> float:
    def miss(x: Tensor, eps: float) -> float:
        group = layers.GroupNorm(1, x.shape[1], eps, affine=False)
        return _both(group(x), _layer(x, eps)(x), plain(x, (1, 2, 3), eps))

    return worst(miss(x, eps) for x, eps in _images(seed))


def _all_groups(seed: int) -> float:
    def miss(x: Tensor, eps: float) -> float:
        channels = x.shape[1]
        group = layers.GroupNorm(channels, channels, eps, affine=False)
        instance = layers.InstanceNorm2d(channels, eps)
        return _both(group(x), instance(x), plain(x, (2, 3), eps))

    return worst(miss(x, eps) for x, eps in _images(seed))


def _batch_of_one(seed: int) -> float:
    def miss(x: Tensor, eps: float) -> float:
        batch = layers.BatchNorm2d(x.shape[1], eps, affine=False, dtype=x.dtype)
        each = torch.cat([batch(image[None]) for image in x])
        instance = layers.InstanceNorm2d(x.shape[1], eps)(x)
        return _both(each, instance, plain(x, (2, 3), eps))

    return worst(miss(x, eps) for x, eps in _images(seed))


def _one_position(seed: int) -> float:
    def miss(x: Tensor, eps: float) -> float:
        x = x.flatten(1)[:, :, None, None]
        channels = layers.LayerNormChannels(x.shape[1], eps, dtype=x.dtype)
        return _both(channels(x), _layer(x, eps)(x), plain(x, (1,), eps))

    return worst(miss(x, eps) for x, eps in _images(seed))


def _weight_is_rms(seed: int) -> float:
    def miss(v: Tensor) -> float:
        v = v[:, :, :1]  # filters of one row
        g = v.square().sum((1, 2, 3), keepdim=True) + 1
        w = layers.WeightNorm()(g, v)
        scaled = g / math.sqrt(v[0].numel()) * _rms(v, 0.0)(v)
        return _both(w, scaled, g * v / v.flatten(1).norm(dim=1)[:, None, None, None])

    return worst(miss(v) for v, _ in _images(seed))


def _finer_absorbs(seed: int) -> float:
    def miss(x: Tensor) -> float:
        fine, found = plain(x, (2, 3)), []
        for coarse in ((1, 2, 3), (0, 2, 3)):
            found.append(sphere(sphere(x, coarse)[0], (2, 3))[0])
            found.append(sphere(fine, coarse)[0])
        return worst(apart(one, fine) for one in found)

    return worst(miss(x) for x, _ in _images(seed))


EQUALITIES = (
    Identity(
        name="equality-centering-first",
        title="LayerNorm is RMSNorm after centering",
        statement=r"\mathrm{LN}_\varepsilon(x) = \mathrm{RMS}_\varepsilon(Cx)",
        residual=_centering_first,
        source=_ZHANG,
        chapter=_CHAPTER,
    ),
    Identity(
        name="equality-centering-second",
        title="Centering after RMSNorm is not: the squared mean then acts as an eps",
        statement=r"C\,\mathrm{RMS}_\varepsilon(x) = \mathrm{LN}_{\varepsilon + \mu^2}(x)",
        residual=_centering_second,
        chapter=_CHAPTER,
    ),
    Identity(
        name="equality-one-group",
        title="GroupNorm with one group is LayerNorm over C, H, W",
        statement=r"\mathrm{GN}_{G=1} = \mathrm{LN}_{CHW}",
        residual=_one_group,
        source=_WU,
        chapter=_CHAPTER,
    ),
    Identity(
        name="equality-all-groups",
        title="GroupNorm with a group per channel is InstanceNorm",
        statement=r"\mathrm{GN}_{G=C} = \mathrm{IN}",
        residual=_all_groups,
        source=_WU,
        chapter=_CHAPTER,
    ),
    Identity(
        name="equality-batch-of-one",
        title="BatchNorm in training on a batch of one is InstanceNorm",
        statement=r"\mathrm{BN}_{N=1} = \mathrm{IN}",
        residual=_batch_of_one,
        chapter=_CHAPTER,
    ),
    Identity(
        name="equality-one-position",
        title="On vectors LayerNorm over C, H, W and LayerNorm over C are the same",
        statement=r"\mathrm{LN}_{CHW} = \mathrm{LN}_{C} \quad (H = W = 1)",
        residual=_one_position,
        chapter=_CHAPTER,
    ),
    Identity(
        name="equality-weight",
        title="Weight normalization is RMSNorm of a filter's d entries, with another radius",
        statement=r"g\,\frac{v}{\lVert v\rVert} = \frac{g}{\sqrt d}\,\mathrm{RMS}_0(v)",
        residual=_weight_is_rms,
        chapter=_CHAPTER,
    ),
    Identity(
        name="equality-finer-absorbs",
        title="InstanceNorm absorbs LayerNorm and BatchNorm, before it and after it",
        statement=r"\mathrm{IN}_0\,F = F\,\mathrm{IN}_0 = \mathrm{IN}_0, \quad "
        r"F \in \{\mathrm{LN}_0, \mathrm{BN}_0\}",
        residual=_finer_absorbs,
        chapter=_CHAPTER,
    ),
)
