"""Two domains: AdaBN and AutoDIAL."""

from __future__ import annotations

import numpy as np
from torch import nn

from normlib.layers.autodial import AutoDIAL
from normlib.layers.domain import AdaBatchNorm
from tests.layers.methods.case import Array, MethodCase


def _column(values: Array, x: Array) -> Array:
    return values.reshape(1, -1, *[1] * (x.ndim - 2))


def _affine(module: nn.Module, y: Array) -> Array:
    gamma, beta = (module.get_parameter(name).detach().numpy() for name in ("weight", "bias"))
    return _column(gamma, y) * y + _column(beta, y)


def _by_channel(x: Array) -> Array:
    return np.moveaxis(x, 1, 0).reshape(x.shape[1], -1)


def _followed(module: nn.Module, prefix: str, x: Array, momentum: float) -> dict[str, Array]:
    new = {"running_mean": _by_channel(x).mean(1), "running_var": _by_channel(x).var(1, ddof=1)}
    return {
        f"{prefix}{name}": (1 - momentum) * module.get_buffer(f"{prefix}{name}").numpy()
        + momentum * value
        for name, value in new.items()
    }


def adabn(module: AdaBatchNorm, x: Array, training: bool) -> Array:
    mean, variance = module.running_mean.numpy(), module.running_var.numpy()
    if training:
        mean, variance = _by_channel(x).mean(1), _by_channel(x).var(1)
    return _affine(module, (x - _column(mean, x)) / np.sqrt(_column(variance, x) + module.eps))


def adabn_state(module: AdaBatchNorm, x: Array) -> dict[str, Array]:
    return _followed(module, "", x, module.momentum)


def _of_weighted(x: Array, weights: Array) -> tuple[Array, Array]:
    """Mean and variance per channel of samples that count as much as their weights."""
    weights = weights.reshape(-1, *[1] * (x.ndim - 1)) / x[0, 0].size
    axes = (0, *range(2, x.ndim))
    mean = (weights * x).sum(axes)
    return mean, (weights * (x - _column(mean, x)) ** 2).sum(axes)


def _of_running(module: AutoDIAL, share_of_source: float) -> tuple[Array, Array]:
    """By first and second moments, which mix linearly."""
    first, second = 0.0, 0.0
    for domain, share in (("source", share_of_source), ("target", 1 - share_of_source)):
        mean = module.get_buffer(f"{domain}_running_mean").numpy()
        first = first + share * mean
        second = second + share * (module.get_buffer(f"{domain}_running_var").numpy() + mean**2)
    return first, second - first**2


def autodial(module: AutoDIAL, x: Array, training: bool) -> Array:
    alpha = 0.5 + 0.5 / (1 + np.exp(-module.mixing.item()))
    source = module.domains[0] if module.domains else 0
    y = np.empty_like(x)
    for samples, share in ((range(source), alpha), (range(source, len(x)), 1 - alpha)):
        if training and module.domains:
            weights = np.array([share / source] * source + [(1 - share) / module.domains[1]]
                               * module.domains[1])  # fmt: skip
            mean, variance = _of_weighted(x, weights)
        elif training:
            mean, variance = _of_weighted(x, np.full(len(x), 1 / len(x)))
        else:
            mean, variance = _of_running(module, share)
        for sample in samples:
            a = x[sample : sample + 1]
            y[sample] = ((a - _column(mean, x)) / np.sqrt(_column(variance, x) + module.eps))[0]
    return _affine(module, y)


def autodial_state(module: AutoDIAL, x: Array) -> dict[str, Array]:
    source, target = (x, x) if module.domains is None else np.split(x, [module.domains[0]])
    return _followed(module, "source_", source, module.momentum) | _followed(
        module, "target_", target, module.momentum
    )


def declared(layer: AutoDIAL, source: int, target: int) -> AutoDIAL:
    layer.domains = (source, target)  # what `domains` sets, for as long as the module lives
    return layer


CASES = (
    MethodCase(
        name="adabn",
        make=lambda: AdaBatchNorm(4),
        shape=(3, 4, 3, 2),
        reference=adabn,
        state=adabn_state,
    ),
    MethodCase(
        name="adabn-flat",
        make=lambda: AdaBatchNorm(4, eps=1e-3, momentum=0.3),
        shape=(6, 4),
        reference=adabn,
        state=adabn_state,
    ),
    MethodCase(
        name="autodial",
        make=lambda: AutoDIAL(4),
        shape=(3, 4, 3, 2),
        reference=autodial,
        state=autodial_state,
    ),
    MethodCase(
        name="autodial-domains",
        make=lambda: declared(AutoDIAL(4, momentum=0.3), 2, 3),
        shape=(5, 4, 3, 2),
        reference=autodial,
        state=autodial_state,
    ),
    MethodCase(
        name="autodial-flat",
        make=lambda: declared(AutoDIAL(3, eps=1e-3), 4, 3),
        shape=(7, 3),
        reference=autodial,
        state=autodial_state,
    ),
)
