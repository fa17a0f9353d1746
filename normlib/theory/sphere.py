"""Where the projection lands: on the sphere, or, with ``eps``, at a known depth inside it.

In the statements ``f_eps(x) = xhat = (x - mu) / sqrt(sigma2 + eps)``, over ``d`` entries.
"""

import math

import numpy as np
import torch

from normlib import layers
from normlib.projection import sphere
from normlib.theory.examples import Example, each, plain
from normlib.theory.identity import Identity, apart, draw, worst

_CHAPTER = "01_projection"
_BA = "Ba, Kiros and Hinton 2016, https://arxiv.org/abs/1607.06450"
_IOFFE = "Ioffe and Szegedy 2015, https://arxiv.org/abs/1502.03167"
_SALIMANS = "Salimans and Kingma 2016, https://arxiv.org/abs/1602.07868"


@each
def _radius(one: Example) -> float:
    xhat, _, _ = sphere(one.x, one.dims)
    return apart(xhat.square().sum(one.dims), one.d)


@each
def _radius_eps(one: Example) -> float:
    def miss(centered: bool) -> float:
        xhat, _, sigma2 = sphere(one.x, one.dims, eps=one.eps, centered=centered)
        expected = one.d * sigma2 / (sigma2 + one.eps)
        return apart(xhat.square().sum(one.dims, keepdim=True), expected)

    return worst([miss(centered=True), miss(centered=False)])


@each
def _mean(one: Example) -> float:
    xhat, _, _ = sphere(one.x, one.dims, eps=one.eps)
    return apart(xhat.sum(one.dims), 0, unit=xhat.abs().max().item() * one.d)


@each
def _ray(one: Example) -> float:
    inside, _, sigma2 = sphere(one.x, one.dims, eps=one.eps)
    return apart(inside, (sigma2 / (sigma2 + one.eps)).sqrt() * plain(one.x, one.dims))


@each
def _idempotent(one: Example) -> float:
    once, _, _ = sphere(one.x, one.dims)
    twice, _, _ = sphere(once, one.dims)
    return apart(twice, once)


@each
def _again_eps(one: Example) -> float:
    once, _, sigma2 = sphere(one.x, one.dims, eps=one.eps)
    twice, _, _ = sphere(once, one.dims, eps=one.eps)
    return apart(twice, once / (sigma2 / (sigma2 + one.eps) + one.eps).sqrt())


@each
def _nearest(one: Example) -> float:
    xhat, _, sigma2 = sphere(one.x, one.dims)
    p = plain(one.another(), one.dims)  # another point of the same sphere
    farther = ((one.x - p).square() - (one.x - xhat).square()).sum(one.dims, keepdim=True)
    return apart(farther, sigma2.sqrt() * (p - xhat).square().sum(one.dims, keepdim=True))


@each
def _normal(one: Example) -> float:
    xhat, mu, sigma2 = sphere(one.x, one.dims)
    return apart(one.x - xhat, mu + (sigma2.sqrt() - 1) * xhat)


@each
def _affine(one: Example) -> float:
    kept = [1 if i in one.dims else n for i, n in enumerate(one.x.shape)]
    gamma, beta = draw(one.random, *kept), draw(one.random, *kept)
    y, _, sigma2 = sphere(one.x, one.dims, gamma, beta, eps=one.eps)
    variance, mean = torch.var_mean(y, one.dims, correction=0, keepdim=True)
    expected = gamma.square() * sigma2 / (sigma2 + one.eps)
    return worst([apart(mean, beta), apart(variance, expected)])


def _pair(seed: int) -> float:
    random = np.random.default_rng(seed)
    x, eps = draw(random, 20, 2), random.uniform(0.1, 2)
    half = (x[:, 0] - x[:, 1]) / 2
    first = half / (half.square() + eps).sqrt()
    found, _, _ = sphere(x, (1,), eps=eps)
    sign, _, _ = sphere(x, (1,))
    return worst([
        apart(found, torch.stack([first, -first], 1)),
        apart(sign, torch.stack([half.sign(), -half.sign()], 1)),
    ])  # fmt: skip


def _batch(seed: int) -> float:
    def miss(n: int, c: int, h: int, w: int) -> float:
        random = np.random.default_rng([seed, n, c])
        x, eps = draw(random, n, c, h, w), random.uniform(0.1, 2)
        layer = layers.BatchNorm2d(c, eps, affine=False, dtype=torch.float64)
        channels, rows = layer(x).movedim(1, 0).flatten(1), x.movedim(1, 0).flatten(1)
        sigma2 = rows.var(1, correction=0)
        return worst([
            apart(channels, plain(rows, (1,), eps)),
            apart(channels.square().sum(1), n * h * w * sigma2 / (sigma2 + eps)),
        ])  # fmt: skip

    return worst([miss(2, 3, 4, 5), miss(6, 4, 1, 1), miss(1, 5, 3, 3)])


def _weight(seed: int) -> float:
    def miss(*shape: int) -> float:
        random = np.random.default_rng([seed, *shape])
        v, g = draw(random, *shape), 0.1 + draw(random, shape[0], 1, 1, 1).abs()
        w = layers.WeightNorm()(g, v)
        p = plain(draw(random, *shape), (1, 2, 3), centered=False)
        p = p * g / math.sqrt(v[0].numel())  # another point of the sphere of radius g

        def squared(a: torch.Tensor) -> torch.Tensor:
            return a.square().sum((1, 2, 3), keepdim=True)

        farther = squared(v - p) - squared(v - w)
        expected = squared(v).sqrt() / g * squared(p - w)
        return worst([apart(squared(w), g.square()), apart(farther, expected)])

    return worst([miss(4, 3, 3, 3), miss(2, 5, 1, 1)])


SPHERE = (
    Identity(
        name="sphere-mean",
        title="The projected entries sum to zero: they lie on the hyperplane",
        statement=r"\langle 1, \hat x\rangle = 0",
        residual=_mean,
        source=_BA,
        chapter=_CHAPTER,
    ),
    Identity(
        name="sphere-radius",
        title="Their length is the root of their number: they lie on a sphere",
        statement=r"\lVert\hat x\rVert^2 = d \quad (\varepsilon = 0)",
        residual=_radius,
        source=_BA,
        chapter=_CHAPTER,
    ),
    Identity(
        name="sphere-radius-eps",
        title="With eps they lie inside it, at a depth that the variance decides",
        statement=r"\lVert\hat x\rVert^2 = d\,\frac{\sigma^2}{\sigma^2 + \varepsilon}",
        residual=_radius_eps,
        chapter=_CHAPTER,
    ),
    Identity(
        name="sphere-ray",
        title="eps moves a point along its own ray, and nowhere else",
        statement=r"f_\varepsilon(x) = \sqrt{\frac{\sigma^2}{\sigma^2 + \varepsilon}}\;f_0(x)",
        residual=_ray,
        chapter=_CHAPTER,
    ),
    Identity(
        name="sphere-idempotent",
        title="Projecting twice is projecting once",
        statement=r"f_0(f_0(x)) = f_0(x)",
        residual=_idempotent,
        chapter=_CHAPTER,
    ),
    Identity(
        name="sphere-again-eps",
        title="With eps the second projection moves the point along its ray once more",
        statement=r"f_\varepsilon(\hat x) = \hat x \Big/ "
        r"\sqrt{\frac{\sigma^2}{\sigma^2 + \varepsilon} + \varepsilon}",
        residual=_again_eps,
        chapter=_CHAPTER,
    ),
    Identity(
        name="sphere-normal",
        title="What is taken away points along 1 and along the result: it is normal to the sphere",
        statement=r"x - \hat x = \mu\,1 + (\sigma - 1)\,\hat x \quad (\varepsilon = 0)",
        residual=_normal,
        chapter=_CHAPTER,
    ),
    Identity(
        name="sphere-nearest",
        title="No point p of the sphere is nearer to x",
        statement=r"\lVert x - p\rVert^2 - \lVert x - \hat x\rVert^2 "
        r"= \sigma\,\lVert p - \hat x\rVert^2 \quad (\varepsilon = 0)",
        residual=_nearest,
        chapter=_CHAPTER,
    ),
    Identity(
        name="sphere-affine",
        title="gamma and beta set the spread and the mean, whatever they were before",
        statement=r"\operatorname{mean}(y) = \beta, \quad "
        r"\operatorname{var}(y) = \gamma^2 \frac{\sigma^2}{\sigma^2 + \varepsilon}",
        residual=_affine,
        source=_IOFFE,
        chapter=_CHAPTER,
    ),
    Identity(
        name="sphere-pair",
        title="Of two entries only their order is left: the sphere is two points",
        statement=r"f_0(x_1, x_2) = (s, -s), \quad s = \operatorname{sign}(x_1 - x_2)",
        residual=_pair,
        chapter=_CHAPTER,
    ),
    Identity(
        name="sphere-batch",
        title="BatchNorm has a sphere per channel, whose points are whole batches",
        statement=r"\sum_{n,h,w} \hat x_{nchw}^2 = NHW\,"
        r"\frac{\sigma_c^2}{\sigma_c^2 + \varepsilon}",
        residual=_batch,
        source=_IOFFE,
        chapter=_CHAPTER,
    ),
    Identity(
        name="sphere-weight",
        title="Weight normalization projects a filter onto the sphere of radius g",
        statement=r"\lVert w\rVert = g, \quad \lVert v - p\rVert^2 - \lVert v - w\rVert^2 "
        r"= \frac{\lVert v\rVert}{g}\,\lVert p - w\rVert^2",
        residual=_weight,
        source=_SALIMANS,
        chapter=_CHAPTER,
    ),
)
