"""What may be done to the input without a trace in the output, and what passes through it."""

import math

import torch
from torch import Tensor

from normlib.projection import sphere
from normlib.theory.examples import Example, each, each_vector
from normlib.theory.identity import Identity, apart, worst

_CHAPTER = "01_projection"
_BA = "Ba, Kiros and Hinton 2016, https://arxiv.org/abs/1607.06450"


@each
def _scale_shift(one: Example) -> float:
    kept = [1 if i in one.dims else n for i, n in enumerate(one.x.shape)]
    b = torch.from_numpy(one.random.normal(size=kept))
    expected, _, _ = sphere(one.x, one.dims, eps=one.eps)

    def miss(a: float) -> float:
        found, _, _ = sphere(a * one.x + b, one.dims, eps=a * a * one.eps)
        return apart(found, math.copysign(1, a) * expected)

    return worst([miss(3.7), miss(-0.6), miss(one.random.normal())])


@each
def _slices(one: Example) -> float:
    kept = [1 if i in one.dims else n for i, n in enumerate(one.x.shape)]
    a, b = torch.from_numpy(one.random.normal(size=(2, *kept)))
    found, _, _ = sphere(a * one.x + b, one.dims)
    return apart(found, a.sign() * sphere(one.x, one.dims)[0])


@each
def _scale_uncentered(one: Example) -> float:
    a = one.random.normal()
    found, _, _ = sphere(a * one.x, one.dims, eps=a * a * one.eps, centered=False)
    expected, _, _ = sphere(one.x, one.dims, eps=one.eps, centered=False)
    return apart(found, math.copysign(1, a) * expected)


@each_vector
def _rotation(one: Example) -> float:
    d = one.d
    first = torch.ones(d, 1, dtype=torch.float64)
    basis = torch.linalg.qr(torch.cat([first, _normal(one, d, d - 1)], 1))[0]
    inner = torch.block_diag(torch.ones(1, 1), _orthogonal(one, d - 1)).to(torch.float64)
    Q = basis @ inner @ basis.T  # turns the hyperplane in itself: Q 1 = 1
    xhat, _, _ = sphere(one.x, (0,), eps=one.eps)
    return apart(sphere(Q @ one.x, (0,), eps=one.eps)[0], Q @ xhat)


@each_vector
def _rotation_uncentered(one: Example) -> float:
    Q = _orthogonal(one, one.d)
    xhat, _, _ = sphere(one.x, (0,), eps=one.eps, centered=False)
    return apart(sphere(Q @ one.x, (0,), eps=one.eps, centered=False)[0], Q @ xhat)


def _normal(one: Example, *shape: int) -> Tensor:
    return torch.from_numpy(one.random.normal(size=shape))


def _orthogonal(one: Example, d: int) -> Tensor:
    Q: Tensor = torch.linalg.qr(_normal(one, d, d))[0]
    return Q


SYMMETRY = (
    Identity(
        name="symmetry-scale-shift",
        title="Scale and shift of the input vanish, but for the sign, if eps is scaled along",
        statement=r"f_{a^2\varepsilon}(ax + b1) = \operatorname{sign}(a)\,f_\varepsilon(x)",
        residual=_scale_shift,
        source=_BA,
        chapter=_CHAPTER,
    ),
    Identity(
        name="symmetry-slices",
        title="Without eps every slice may have a scale and a shift of its own",
        statement=r"f_0(a_i x_i + b_i 1) = \operatorname{sign}(a_i)\,f_0(x_i)",
        residual=_slices,
        source=_BA,
        chapter=_CHAPTER,
    ),
    Identity(
        name="symmetry-rms",
        title="Without centering only the scale vanishes",
        statement=r"\mathrm{RMS}_{a^2\varepsilon}(ax) "
        r"= \operatorname{sign}(a)\,\mathrm{RMS}_\varepsilon(x)",
        residual=_scale_uncentered,
        source="Zhang and Sennrich 2019, https://arxiv.org/abs/1910.07467",
        chapter=_CHAPTER,
    ),
    Identity(
        name="symmetry-rotation",
        title="Rotations Q of the hyperplane in itself pass through, permutations among them",
        statement=r"f_\varepsilon(Qx) = Q f_\varepsilon(x) \quad (Q^\top Q = I,\ Q1 = 1)",
        residual=_rotation,
        chapter=_CHAPTER,
    ),
    Identity(
        name="symmetry-rotation-rms",
        title="Without centering every rotation passes through",
        statement=r"\mathrm{RMS}_\varepsilon(Qx) = Q\,\mathrm{RMS}_\varepsilon(x) "
        r"\quad (Q^\top Q = I)",
        residual=_rotation_uncentered,
        chapter=_CHAPTER,
    ),
)
