"""Statistics within a sample: ScaleNorm, filter response, EvoNorm, local response."""

from __future__ import annotations

import numpy as np
from torch import nn

from normlib.layers.evonorm import EvoNormB0, EvoNormS0
from normlib.layers.neighbours import LocalResponseNorm
from normlib.layers.response import FilterResponseNorm
from normlib.layers.scale import ScaleNorm
from tests.layers.methods.case import Array, MethodCase


def _value(module: nn.Module, name: str) -> Array:
    return module.get_parameter(name).detach().numpy()


def _column(module: nn.Module, name: str, x: Array) -> Array:
    return _value(module, name).reshape(1, -1, *[1] * (x.ndim - 2))


def _affine(module: nn.Module, y: Array) -> Array:
    return _column(module, "weight", y) * y + _column(module, "bias", y)


def scale(module: ScaleNorm, x: Array, training: bool) -> Array:
    (g,) = _value(module, "weight")
    rows = x.reshape(-1, int(np.prod(module.normalized_shape)))
    lengths = [np.sqrt(sum(row * row) + len(row) * module.eps) for row in rows]
    return (g * rows / np.array(lengths)[:, None]).reshape(x.shape)


def response(module: FilterResponseNorm, x: Array, training: bool) -> Array:
    learned = abs(_value(module, "eps_l")[0]) if module.eps_l is not None else 0.0
    y = np.empty_like(x)
    for sample in range(x.shape[0]):
        for channel in range(x.shape[1]):
            a = x[sample, channel]
            y[sample, channel] = a / np.sqrt(np.mean(a * a) + module.eps + learned)
    y = _affine(module, y)
    return y if module.tau is None else np.maximum(y, _column(module, "tau", x))


def evonorm_b0(module: EvoNormB0, x: Array, training: bool) -> Array:
    variances = module.running_var.numpy()
    if training:
        variances = np.array([x[:, channel].var() for channel in range(x.shape[1])])
    y = np.empty_like(x)
    for sample in range(x.shape[0]):
        for channel in range(x.shape[1]):
            a = x[sample, channel]
            batch = np.sqrt(variances[channel] + module.eps)
            own = _value(module, "v")[channel] * a + np.sqrt(a.var() + module.eps)
            y[sample, channel] = a / np.maximum(batch, own)
    return _affine(module, y)


def evonorm_b0_state(module: EvoNormB0, x: Array) -> dict[str, Array]:
    new = np.array([x[:, channel].var(ddof=1) for channel in range(x.shape[1])])
    old = module.running_var.numpy()
    return {"running_var": (1 - module.momentum) * old + module.momentum * new}


def evonorm_s0(module: EvoNormS0, x: Array, training: bool) -> Array:
    y = np.empty_like(x)
    size = x.shape[1] // module.groups
    for sample in range(x.shape[0]):
        for first in range(0, x.shape[1], size):
            variance = x[sample, first : first + size].var()
            for channel in range(first, first + size):
                a = x[sample, channel]
                gate = 1 / (1 + np.exp(-_value(module, "v")[channel] * a))
                y[sample, channel] = a * gate / np.sqrt(variance + module.eps)
    return _affine(module, y)


def local_response(module: LocalResponseNorm, x: Array, training: bool) -> Array:
    n = module.size
    alpha = module.alpha / n if module.averaged else module.alpha
    y = np.empty_like(x)
    for channel in range(x.shape[1]):
        window = range(max(0, channel - n // 2), min(x.shape[1], channel + (n - 1) // 2 + 1))
        energy = sum(x[:, other] ** 2 for other in window)
        y[:, channel] = x[:, channel] / (module.k + alpha * energy) ** module.beta
    return y


CASES = (
    MethodCase(
        name="scale", make=lambda: ScaleNorm(5), shape=(3, 4, 5), reference=scale, vmap=True
    ),
    MethodCase(
        name="scale-image",
        make=lambda: ScaleNorm([4, 3, 2], eps=1e-2),
        shape=(3, 4, 3, 2),
        reference=scale,
        vmap=True,
    ),
    MethodCase(
        name="frn",
        make=lambda: FilterResponseNorm(4),
        shape=(3, 4, 3, 2),
        reference=response,
        vmap=True,
        also=((3, 4, 5), (5, 4), (2, 4, 2, 3, 2)),
    ),
    MethodCase(
        name="frn-learned-eps",
        make=lambda: FilterResponseNorm(4, eps=1e-2, learned_eps=True, thresholded=False),
        shape=(5, 4),
        reference=response,
        vmap=True,
        also=((3, 4, 3, 2),),
    ),
    MethodCase(
        name="evonorm-b0",
        make=lambda: EvoNormB0(4, momentum=0.3),
        shape=(3, 4, 3, 2),
        reference=evonorm_b0,
        state=evonorm_b0_state,
        also=((3, 4, 5), (2, 4, 2, 3, 2)),
    ),
    MethodCase(
        name="evonorm-s0",
        make=lambda: EvoNormS0(4, groups=2),
        shape=(3, 4, 3, 2),
        reference=evonorm_s0,
        vmap=True,
        also=((3, 4, 5), (5, 4), (2, 4, 2, 3, 2)),
    ),
    MethodCase(
        name="local-response",
        make=lambda: LocalResponseNorm(3, alpha=0.5),
        shape=(2, 5, 3, 2),
        reference=local_response,
        vmap=True,
        also=((2, 1, 3), (2, 2, 3, 2, 2)),
    ),
    MethodCase(
        name="local-response-sum",
        make=lambda: LocalResponseNorm(4, alpha=0.3, beta=0.5, k=2.0, averaged=False),
        shape=(2, 5, 4),
        reference=local_response,
        vmap=True,
    ),
)
