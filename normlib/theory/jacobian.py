"""The derivative: up to a factor, the projector onto the tangent space of the sphere.

normlib's backward passes are written by hand; here each is compared with the matrix that the
statement names, and the matrices with the formula's own derivative by a complex step.
"""

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor
from torch.func import jacrev

from normlib import layers
from normlib.projection import sphere
from normlib.theory.examples import Example, each_vector, plain
from normlib.theory.identity import Identity, apart, draw, worst

_CHAPTER = "01_projection"
_IOFFE = "Ioffe and Szegedy 2015, https://arxiv.org/abs/1502.03167"
_SALIMANS = "Salimans and Kingma 2016, https://arxiv.org/abs/1602.07868"
_XU = "Xu et al. 2019, https://arxiv.org/abs/1911.07013"
#: Of `by_complex_step`: its square is nothing beside 1.
STEP = 1e-30


def by_complex_step(f: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """Return the Jacobian of ``f`` at the vector ``x`` without a difference that could cancel.

    ``f(x + i h e).imag / h`` is the derivative along ``e`` for any formula of arithmetic and roots.

    Source: Squire and Trapp 1998, https://doi.org/10.1137/S003614459631241X
    """
    columns = [f(x + 1j * STEP * e).imag / STEP for e in torch.eye(len(x), dtype=x.dtype)]
    return torch.stack(columns, 1)


def jacobian(one: Example, eps: float, *, centered: bool = True) -> Tensor:
    """Return the Jacobian of the layer without scale and shift, by normlib's backward pass."""
    make = layers.LayerNorm if centered else layers.RMSNorm
    J: Tensor = jacrev(make(one.d, eps, elementwise_affine=False))(one.x)
    return J


def stated(one: Example, eps: float, *, centered: bool = True) -> Tensor:
    """Return ``(I - 11^T/d - xhat xhat^T/d) / sqrt(sigma2 + eps)``; uncentered, without 11^T."""
    d, xhat = one.d, plain(one.x, (0,), eps, centered=centered)
    kept = torch.eye(d, dtype=xhat.dtype) - torch.outer(xhat, xhat) / d
    return (kept - centered / d) / _root(one, eps, centered=centered)


def _root(one: Example, eps: float, *, centered: bool = True) -> float:
    mu = one.x.mean() if centered else 0.0
    return math.sqrt((one.x - mu).square().mean().item() + eps)


def _same_matrices(one: Example, *, centered: bool) -> float:
    def miss(eps: float) -> float:
        expected = stated(one, eps, centered=centered)
        true = by_complex_step(lambda x: plain(x, (0,), eps, centered=centered), one.x)
        backward = jacobian(one, eps, centered=centered)
        return worst([apart(true, expected), apart(backward, expected)])

    return worst([miss(0.0), miss(one.eps)])


@each_vector
def _layer(one: Example) -> float:
    return _same_matrices(one, centered=True)


@each_vector
def _rms(one: Example) -> float:
    return _same_matrices(one, centered=False)


@each_vector
def _projector(one: Example) -> float:
    def miss(centered: bool) -> float:
        P = jacobian(one, 0.0, centered=centered) * _root(one, 0.0, centered=centered)
        rank = one.d - 1 - centered
        return worst([apart(P, P.T), apart(P @ P, P), apart(P.trace(), rank)])

    return worst([miss(centered=True), miss(centered=False)])


@each_vector
def _product(one: Example) -> float:
    identity, xhat = torch.eye(one.d, dtype=one.x.dtype), plain(one.x, (0,))
    C, S = identity - 1 / one.d, identity - torch.outer(xhat, xhat) / one.d
    P = jacobian(one, 0.0) * _root(one, 0.0)
    return worst([apart(P, C @ S), apart(P, S @ C)])


@each_vector
def _kernel(one: Example) -> float:
    def miss(eps: float) -> float:
        J, xhat = jacobian(one, eps), plain(one.x, (0,), eps)
        left = eps / _root(one, eps) ** 3
        return worst([
            apart(J.sum(1), 0, unit=J.abs().max().item()),
            apart(J @ xhat, left * xhat, unit=J.abs().max().item()),
        ])  # fmt: skip

    return worst([miss(0.0), miss(one.eps)])


@each_vector
def _spectrum(one: Example) -> float:
    def miss(eps: float) -> float:
        root = _root(one, eps)
        expected = one.x.new_tensor([0.0, eps / root**3, *[1 / root] * (one.d - 2)])
        return apart(torch.linalg.eigvalsh(jacobian(one, eps)), expected)

    return worst([miss(0.0), miss(one.eps)])


@each_vector
def _defect(one: Example) -> float:
    P = jacobian(one, one.eps) * _root(one, one.eps)
    xhat = plain(one.x, (0,), one.eps)
    lost = one.eps / _root(one, one.eps) ** 2
    return apart(P - P @ P, lost * torch.outer(xhat, xhat) / one.d)


@each_vector
def _parts(one: Example) -> float:
    x, h, d = one.x.requires_grad_(), one.another(), one.d
    xhat, _, sigma2 = sphere(x, (0,))
    (dx,) = torch.autograd.grad(xhat, x, h)
    with torch.no_grad():
        mean, slope, left = h.mean(), (h * xhat).mean(), dx * sigma2.sqrt()
        lengths = d * mean**2 + d * slope**2 + left.square().sum()
        return worst([apart(mean + slope * xhat + left, h), apart(lengths, h.square().sum())])


@each_vector
def _affine(one: Example) -> float:
    x, g, d = one.x.requires_grad_(), one.another(), one.d
    norm = layers.LayerNorm(d, one.eps, dtype=x.dtype)
    with torch.no_grad():
        norm.weight.copy_(one.another())
        norm.bias.copy_(one.another())
    dx, dgamma, dbeta = torch.autograd.grad(norm(x), [x, norm.weight, norm.bias], g)
    x = x.detach()
    h = norm.weight.detach() * g
    return worst([
        apart(dx, stated(Example(x, (0,), one.eps, one.random), one.eps) @ h),
        apart(dgamma, g * plain(x, (0,), one.eps)),
        apart(dbeta, g),
    ])  # fmt: skip


@each_vector
def _scaled(one: Example) -> float:
    a, b = one.random.normal(size=2)
    moved = Example(a * one.x + b, (0,), a * a * one.eps, one.random)
    return apart(jacobian(moved, moved.eps), jacobian(one, one.eps) / abs(a))


@each_vector
def _statistics(one: Example) -> float:
    x, d = one.x, one.d
    mu, sigma2 = (jacrev(lambda x, i=i: sphere(x, (0,))[i])(x)[0] for i in (1, 2))
    ones = torch.full_like(x, 1 / d)
    return worst([apart(mu, ones), apart(sigma2, 2 * (x - x.mean()) / d)])


def _batch(seed: int) -> float:
    random = np.random.default_rng(seed)
    shape, eps = (3, 2, 2, 2), random.uniform(0.1, 2)
    x = draw(random, *shape)
    norm = layers.BatchNorm2d(2, eps, affine=False, track_running_stats=False)
    m = x.numel() // 2
    J = jacrev(norm)(x).movedim((1, 5), (0, 1)).reshape(2, 2, m, m)
    channels = x.movedim(1, 0).reshape(2, m)
    expected = torch.zeros_like(J)
    for c, entries in enumerate(channels):
        expected[c, c] = stated(Example(entries, (0,), eps, random), eps)
    return apart(J, expected)


@each_vector
def _weight(one: Example) -> float:
    v, g = one.x[None], one.another()[:1, None].abs() + 0.1
    norm = layers.WeightNorm()
    by_v, by_g = jacrev(norm, 1)(g, v)[0, :, 0], jacrev(norm)(g, v)[0, :, 0, 0]
    direction = v[0] / v.norm()
    P = torch.eye(one.d, dtype=v.dtype) - torch.outer(direction, direction)
    return worst([apart(by_v, g / v.norm() * P), apart(by_g, direction)])


JACOBIAN = (
    Identity(
        name="jacobian-layer",
        title="LayerNorm's derivative takes away two directions and divides",
        statement=r"\frac{\partial \hat x}{\partial x} = \frac{1}{\sqrt{\sigma^2 + \varepsilon}}"
        r"\Big(I - \tfrac1d 1 1^\top - \tfrac1d \hat x \hat x^\top\Big)",
        residual=_layer,
        chapter=_CHAPTER,
    ),
    Identity(
        name="jacobian-rms",
        title="RMSNorm's derivative takes away one",
        statement=r"\frac{\partial \hat x}{\partial x} = "
        r"\frac{1}{\sqrt{\operatorname{mean}(x^2) + \varepsilon}}"
        r"\Big(I - \tfrac1d \hat x \hat x^\top\Big)",
        residual=_rms,
        source="Zhang and Sennrich 2019, https://arxiv.org/abs/1910.07467",
        chapter=_CHAPTER,
    ),
    Identity(
        name="jacobian-projector",
        title="Times sigma it is an orthogonal projector, of rank d - 2 (RMSNorm: d - 1)",
        statement=r"P = \sigma J = P^\top = P^2, \quad \operatorname{tr} P = d - 2 "
        r"\quad (\varepsilon = 0)",
        residual=_projector,
        chapter=_CHAPTER,
    ),
    Identity(
        name="jacobian-product",
        title="It is the hyperplane's projector and the sphere's, in either order",
        statement=r"\sigma J = CS = SC, \quad C = I - \tfrac1d 1 1^\top, \quad "
        r"S = I - \tfrac1d \hat x \hat x^\top \quad (\varepsilon = 0)",
        residual=_product,
        chapter=_CHAPTER,
    ),
    Identity(
        name="jacobian-kernel",
        title="Along 1 nothing passes; along the result nothing but what eps lets through",
        statement=r"J1 = 0, \quad "
        r"J\hat x = \frac{\varepsilon}{(\sigma^2 + \varepsilon)^{3/2}}\,\hat x",
        residual=_kernel,
        chapter=_CHAPTER,
    ),
    Identity(
        name="jacobian-spectrum",
        title="All other directions are divided alike: there are three eigenvalues",
        statement=r"\operatorname{spec} J = \Big\{0,\ "
        r"\frac{\varepsilon}{(\sigma^2 + \varepsilon)^{3/2}},\ "
        r"\frac{1}{\sqrt{\sigma^2 + \varepsilon}}\ (d - 2 \text{ times})\Big\}",
        residual=_spectrum,
        chapter=_CHAPTER,
    ),
    Identity(
        name="jacobian-defect",
        title="With eps the matrix misses being a projector along the result only",
        statement=r"P - P^2 = \frac{\varepsilon}{\sigma^2 + \varepsilon}\,"
        r"\tfrac1d \hat x \hat x^\top, \quad P = \sqrt{\sigma^2 + \varepsilon}\;J",
        residual=_defect,
        chapter=_CHAPTER,
    ),
    Identity(
        name="jacobian-parts",
        title="A gradient h falls into three orthogonal parts, of which one is passed on",
        statement=r"h = \operatorname{mean}(h)\,1 + \operatorname{mean}(h\hat x)\,\hat x "
        r"+ \sigma\,dx, \quad \lVert h\rVert^2 = d\operatorname{mean}(h)^2 "
        r"+ d\operatorname{mean}(h\hat x)^2 + \sigma^2\lVert dx\rVert^2",
        residual=_parts,
        source=_XU,
        chapter=_CHAPTER,
    ),
    Identity(
        name="jacobian-affine",
        title="Scale and shift come before it on the way back",
        statement=r"dx = J(\gamma \odot g), \quad d\gamma = g \odot \hat x, \quad d\beta = g",
        residual=_affine,
        source=_IOFFE,
        chapter=_CHAPTER,
    ),
    Identity(
        name="jacobian-scaled",
        title="The larger the input, the smaller the derivative",
        statement=r"J_{a^2\varepsilon}(ax + b1) = \tfrac{1}{|a|}\,J_\varepsilon(x)",
        residual=_scaled,
        chapter=_CHAPTER,
    ),
    Identity(
        name="jacobian-statistics",
        title="The statistics' own derivatives are the directions taken away",
        statement=r"\frac{\partial\mu}{\partial x} = \tfrac1d 1, \quad "
        r"\frac{\partial\sigma^2}{\partial x} = \tfrac2d (x - \mu 1)",
        residual=_statistics,
        source=_IOFFE,
        chapter=_CHAPTER,
    ),
    Identity(
        name="jacobian-batch",
        title="BatchNorm has such a matrix per channel, and no channel sees another",
        statement=r"\frac{\partial \hat x_c}{\partial x_{c'}} = \delta_{cc'}\,"
        r"\frac{1}{\sqrt{\sigma_c^2 + \varepsilon}}\Big(I - \tfrac1m 1 1^\top "
        r"- \tfrac1m \hat x_c \hat x_c^\top\Big), \quad m = NHW",
        residual=_batch,
        chapter=_CHAPTER,
    ),
    Identity(
        name="jacobian-weight",
        title="So has weight normalization, per filter",
        statement=r"\frac{\partial w}{\partial v} = \frac{g}{\lVert v\rVert}"
        r"\Big(I - \frac{v v^\top}{\lVert v\rVert^2}\Big), \quad "
        r"\frac{\partial w}{\partial g} = \frac{v}{\lVert v\rVert}",
        residual=_weight,
        source=_SALIMANS,
        chapter=_CHAPTER,
    ),
)
