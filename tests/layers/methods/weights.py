"""The methods on weights: one table with NumPy's formulas, on layers of four kinds."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from normlib.layers.centered_weight import centered_weight_norm
from normlib.layers.spectral import spectral_norm
from normlib.layers.standardization import (
    GAMMA_RELU,
    scaled_weight_standardization,
    weight_standardization,
)
from normlib.layers.weight import output_dim, weight_norm
from tests.layers.measure import seeded
from tests.layers.methods.case import Array

Named = dict[str, Array]

LAYERS: dict[str, tuple[Callable[[torch.dtype], nn.Module], tuple[int, ...]]] = {
    "linear": (lambda dtype: nn.Linear(5, 4, dtype=dtype), (3, 5)),
    "conv2d": (lambda dtype: nn.Conv2d(3, 4, 2, dtype=dtype), (2, 3, 4, 4)),
    "grouped": (lambda dtype: nn.Conv2d(4, 4, 3, groups=2, dtype=dtype), (2, 4, 4, 4)),
    "transposed": (lambda dtype: nn.ConvTranspose2d(3, 4, 2, dtype=dtype), (2, 3, 3, 3)),
}


def _by_slice(v: Array, dim: int | None, f: Callable[[Array, int], Array]) -> Array:
    """``f`` of each slice along ``dim``, one after the other; of the whole for None."""
    if dim is None:
        return f(v, 0)
    return np.stack([f(v.take(i, dim), i) for i in range(v.shape[dim])], dim)


def _weight(dim: int | None, originals: list[Array], centered: bool = False) -> Array:
    g, v = originals

    def one(a: Array, i: int) -> Array:
        z = a - a.mean() if centered else a
        return g.ravel()[i] * z / math.sqrt((z**2).sum())

    return _by_slice(v, dim, one)


def _standardized(dim: int, v: Array, eps: float) -> Array:
    return _by_slice(v, dim, lambda a, i: (a - a.mean()) / math.sqrt(a.var() + eps))


def _scaled(dim: int, originals: list[Array], gamma: float, eps: float) -> Array:
    gain, v = originals
    n = v.size / v.shape[dim]
    return _by_slice(
        _standardized(dim, v, eps), dim, lambda a, i: gain.ravel()[i] * gamma * a / math.sqrt(n)
    )


def vectors(dim: int, v: Array, buffers: Named, steps: int) -> tuple[Array, Array]:
    matrix = np.moveaxis(v, dim, 0).reshape(v.shape[dim], -1)
    u1, v1 = buffers["_u"], buffers["_v"]
    for _ in range(steps):
        u1 = matrix @ v1 / np.linalg.norm(matrix @ v1)
        v1 = u1 @ matrix / np.linalg.norm(u1 @ matrix)
    return u1, v1


def spectral(dim: int, v: Array, buffers: Named, steps: int) -> Array:
    u1, v1 = vectors(dim, v, buffers, steps)
    return v / (u1 @ np.moveaxis(v, dim, 0).reshape(len(u1), -1) @ v1)


def spectral_backward(dim: int, v: Array, buffers: Named, steps: int, dw: Array) -> Array:
    """dv = (dw - <dw, w> u1 v1^T) / sigma, with the vectors after the steps as constants."""
    u1, v1 = vectors(dim, v, buffers, steps)
    rows = np.moveaxis(v, dim, 0)
    sigma = u1 @ rows.reshape(len(u1), -1) @ v1
    outer = np.moveaxis(np.outer(u1, v1).reshape(rows.shape), 0, dim)
    return (dw - (dw * v / sigma).sum() * outer) / sigma


@dataclass(frozen=True)
class Method:
    """One parametrization.

    ``reference`` gets the dimension of the filters, the free arrays, the buffers and how many
    steps of iteration precede; ``kept`` changes a weight into one that is left as it is. What
    takes ``steps`` has the state `vectors` and, in training, the stated `spectral_backward`.
    """

    apply: Callable[[nn.Module], nn.Module]
    reference: Callable[[int, list[Array], Named, int], Array]
    kept: Callable[[int, Array], Array] = lambda dim, w: w
    steps: int = 0
    exact: bool = True  # eps is 0
    centered: bool = False


def _centered(dim: int | None, w: Array) -> Array:
    return _by_slice(w, dim, lambda a, i: a - a.mean())


def _of_variance(variance: Callable[[int], float]) -> Callable[[int, Array], Array]:
    return lambda dim, w: _by_slice(
        w, dim, lambda a, i: (a - a.mean()) / a.std() * math.sqrt(variance(a.size))
    )


METHODS = {
    "weight": Method(
        lambda m: weight_norm(m, dim=output_dim(m)), lambda dim, o, b, k: _weight(dim, o)
    ),
    "weight-one-norm": Method(
        lambda m: weight_norm(m, dim=None), lambda dim, o, b, k: _weight(None, o)
    ),
    "centered-weight": Method(
        lambda m: centered_weight_norm(m, dim=output_dim(m)),
        lambda dim, o, b, k: _weight(dim, o, centered=True),
        kept=_centered,
        centered=True,
    ),
    "centered-weight-one-norm": Method(
        lambda m: centered_weight_norm(m, dim=None),
        lambda dim, o, b, k: _weight(None, o, centered=True),
        kept=lambda dim, w: _centered(None, w),
        centered=True,
    ),
    "weight-standardization": Method(
        lambda m: weight_standardization(m),
        lambda dim, o, b, k: _standardized(dim, o[0], 1e-6),
        kept=_of_variance(lambda n: 1 - 1e-6),
        exact=False,
        centered=True,
    ),
    "weight-standardization-eps-0": Method(
        lambda m: weight_standardization(m, eps=0.0),
        lambda dim, o, b, k: _standardized(dim, o[0], 0.0),
        kept=_of_variance(lambda n: 1.0),
        centered=True,
    ),
    "scaled-weight-standardization": Method(
        lambda m: scaled_weight_standardization(m, gamma=GAMMA_RELU, eps=0.01),
        lambda dim, o, b, k: _scaled(dim, o, GAMMA_RELU, 0.01),
        kept=_of_variance(lambda n: GAMMA_RELU**2 / n - 0.01),
        exact=False,
        centered=True,
    ),
    "scaled-weight-standardization-eps-0": Method(
        lambda m: scaled_weight_standardization(m, eps=0.0),
        lambda dim, o, b, k: _scaled(dim, o, 1.0, 0.0),
        kept=_of_variance(lambda n: 1 / n),
        centered=True,
    ),
    "spectral": Method(
        lambda m: spectral_norm(m),
        lambda dim, o, b, k: spectral(dim, o[0], b, k),
        kept=lambda dim, w: w / np.linalg.norm(np.moveaxis(w, dim, 0).reshape(w.shape[dim], -1), 2),
        steps=1,
    ),
    "spectral-three-steps": Method(
        lambda m: spectral_norm(m, n_power_iterations=3),
        lambda dim, o, b, k: spectral(dim, o[0], b, k),
        kept=lambda dim, w: w / np.linalg.norm(np.moveaxis(w, dim, 0).reshape(w.shape[dim], -1), 2),
        steps=3,
    ),
}


def build(
    name: str, layer: str, *, training: bool = True, dtype: torch.dtype = torch.float64
) -> nn.Module:
    """Parametrized, with its free parameters moved, so that no gain is 1 and no mean 0."""
    torch.manual_seed(0)
    module = METHODS[name].apply(LAYERS[layer][0](dtype))
    with torch.no_grad():
        for i, parameter in enumerate(module.parameters()):
            parameter.mul_(1.5).add_(seeded(parameter, i), alpha=0.1).add_(0.05)
    return module.train(training)


def free(module: nn.Module) -> list[Tensor]:
    """The free tensors, in the order in which the parametrization takes them."""
    return list(module.parametrizations.weight.parameters())


def buffers_of(module: nn.Module) -> Named:
    """The buffers as they are, copied, in float64."""
    return {k.split(".")[-1]: b.double().numpy().copy() for k, b in module.named_buffers()}


def formula(name: str, module: nn.Module) -> Array:
    """The weight that the next look at ``module.weight`` must give."""
    originals = [p.detach().double().numpy().copy() for p in free(module)]
    method = METHODS[name]
    steps = method.steps if module.training else 0
    return method.reference(output_dim(module), originals, buffers_of(module), steps)
