"""BatchNorm's relatives: centered only, renormalized, ghost, L1, noisy, population, power."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import nn

from normlib.layers.centering import MeanOnlyBatchNorm
from normlib.layers.ghost import GhostBatchNorm
from normlib.layers.l1 import L1BatchNorm
from normlib.layers.noisy import NoisyBatchNorm
from normlib.layers.population import PopulationBatchNorm
from normlib.layers.power import PowerNorm
from normlib.layers.relative import BatchRelative
from normlib.layers.renorm import BatchRenorm
from tests.layers.methods.case import SEED, Array, MethodCase

C = 4


def _gamma(module: BatchRelative) -> Array:
    return np.ones(C) if module.weight is None else module.weight.detach().numpy()


def _beta(module: BatchRelative) -> Array:
    return np.zeros(C) if module.bias is None else module.bias.detach().numpy()


def _by_channel(x: Array, new: Callable[[int, Array], Array]) -> Array:
    """``new`` of each channel's number and entries, put together again."""
    y = np.empty_like(x)
    for channel in range(x.shape[1]):
        y[:, channel] = new(channel, x[:, channel])
    return y


def _channels(x: Array) -> list[Array]:
    return [x[:, channel] for channel in range(x.shape[1])]


def _move(old: torch.Tensor, new: list[float], weight: float) -> Array:
    return (1 - weight) * old.numpy() + weight * np.array(new)


def _batch_state(module: BatchRelative, x: Array) -> dict[str, Array]:
    means = [float(a.mean()) for a in _channels(x)]
    variances = [float(a.var(ddof=1)) for a in _channels(x)]
    return {
        "running_mean": _move(module.running_mean, means, module.momentum),
        "running_var": _move(module.running_var, variances, module.momentum),
    }


def _by_running(module: BatchRelative, x: Array) -> Array:
    mean, variance = module.running_mean.numpy(), module.running_var.numpy()
    gamma, beta = _gamma(module), _beta(module)
    return _by_channel(
        x, lambda c, a: gamma[c] * (a - mean[c]) / np.sqrt(variance[c] + module.eps) + beta[c]
    )


def mean_only(module: MeanOnlyBatchNorm, x: Array, training: bool) -> Array:
    mean, beta = module.running_mean.numpy(), _beta(module)
    return _by_channel(x, lambda c, a: a - (a.mean() if training else mean[c]) + beta[c])


def mean_only_state(module: MeanOnlyBatchNorm, x: Array) -> dict[str, Array]:
    means = [float(a.mean()) for a in _channels(x)]
    return {"running_mean": _move(module.running_mean, means, module.momentum)}


def _ramped(ramp: tuple[int, int] | None, start: float, end: float, batches: int) -> float:
    if ramp is None or batches >= ramp[1]:
        return end
    if batches <= ramp[0]:
        return start
    return start + (end - start) * (batches - ramp[0]) / (ramp[1] - ramp[0])


def _corrections(module: BatchRenorm, x: Array) -> Iterator[tuple[float, float, float, float]]:
    """mu, sigma, r, d of each channel."""
    batches = int(module.num_batches_tracked)
    r_max = _ramped(module.r_ramp, 1, module.r_max, batches)
    d_max = _ramped(module.d_ramp, 0, module.d_max, batches)
    for c, a in enumerate(_channels(x)):
        mean, std = float(module.running_mean[c]), float(module.running_std[c])
        mu, sigma = float(a.mean()), float(np.sqrt(a.var() + module.eps))
        r = min(max(sigma / std, 1 / r_max), r_max)
        yield mu, sigma, r, min(max((mu - mean) / std, -d_max), d_max)


def renorm(module: BatchRenorm, x: Array, training: bool) -> Array:
    gamma, beta = _gamma(module), _beta(module)
    if not training:
        mean, std = module.running_mean.numpy(), module.running_std.numpy()
        return _by_channel(x, lambda c, a: gamma[c] * (a - mean[c]) / std[c] + beta[c])
    found = list(_corrections(module, x))

    def corrected(c: int, a: Array) -> Array:
        mu, sigma, r, d = found[c]
        return gamma[c] * ((a - mu) / sigma * r + d) + beta[c]

    return _by_channel(x, corrected)


def renorm_state(module: BatchRenorm, x: Array) -> dict[str, Array]:
    found = list(_corrections(module, x))
    return {
        "running_mean": _move(module.running_mean, [mu for mu, *_ in found], module.momentum),
        "running_std": _move(
            module.running_std, [sigma for _, sigma, *_ in found], module.momentum
        ),
    }


def renorm_backward(module: BatchRenorm, x: Array, g: Array, training: bool) -> Array:
    """r and d are constants: what is left is the sphere's tangent, times gamma r."""
    gamma, found = _gamma(module), list(_corrections(module, x))

    def tangent(c: int, a: Array) -> Array:
        mu, sigma, r, _ = found[c]
        xhat, h = (a - mu) / sigma, gamma[c] * r * g[:, c]
        return (h - h.mean() - xhat * (h * xhat).mean()) / sigma

    return _by_channel(x, tangent)


def _parts(module: GhostBatchNorm, x: Array) -> list[Array]:
    """Cut off one part after the other; what is less than one more stays with the last."""
    parts, rest = [], x
    while len(rest) >= 2 * module.ghost_size:
        parts.append(rest[: module.ghost_size])
        rest = rest[module.ghost_size :]
    return [*parts, rest]


def ghost(module: GhostBatchNorm, x: Array, training: bool) -> Array:
    if not training:
        return _by_running(module, x)
    gamma, beta = _gamma(module), _beta(module)

    def normal(c: int, a: Array) -> Array:
        return gamma[c] * (a - a.mean()) / np.sqrt(a.var() + module.eps) + beta[c]

    return np.concatenate([_by_channel(part, normal) for part in _parts(module, x)])


def ghost_state(module: GhostBatchNorm, x: Array) -> dict[str, Array]:
    after = copy.deepcopy(module)
    for part in _parts(module, x):
        for name, value in _batch_state(after, part).items():
            after.get_buffer(name).copy_(torch.from_numpy(value))
    return {name: after.get_buffer(name).numpy() for name in ("running_mean", "running_var")}


def _distance(a: Array) -> float:
    return float(np.sqrt(np.pi / 2) * np.abs(a - a.mean()).mean())


def l1(module: L1BatchNorm, x: Array, training: bool) -> Array:
    gamma, beta = _gamma(module), _beta(module)
    mean, scale = module.running_mean.numpy(), module.running_scale.numpy()

    def normal(c: int, a: Array) -> Array:
        mu, s = (a.mean(), _distance(a)) if training else (mean[c], scale[c])
        return gamma[c] * (a - mu) / (s + module.eps) + beta[c]

    return _by_channel(x, normal)


def l1_state(module: L1BatchNorm, x: Array) -> dict[str, Array]:
    scales = [_distance(a) for a in _channels(x)]
    return mean_only_state(module, x) | {
        "running_scale": _move(module.running_scale, scales, module.momentum)
    }


def noisy(module: NoisyBatchNorm, x: Array, training: bool) -> Array:
    if not training:
        return _by_running(module, x)
    torch.manual_seed(SEED)
    n = len(x)
    mu = module.n_mu * (2 * torch.rand(1, C).double().numpy() - 1)
    sigma = 1 + (module.n_sigma - 1) * torch.rand(1, C).double().numpy()
    m = mu + module.r_mu * (2 * torch.rand(n, C).double().numpy() - 1)
    s = sigma + module.r_sigma * torch.randn(n, C).double().numpy()
    gamma, beta, y = _gamma(module), _beta(module), np.empty_like(x)
    for c, a in enumerate(_channels(x)):
        normal = gamma[c] * (a - a.mean()) / np.sqrt(a.var() + module.eps) + beta[c]
        for sample in range(n):
            y[sample, c] = s[sample, c] * normal[sample] + m[sample, c]
    return y


def population(module: PopulationBatchNorm, x: Array, training: bool) -> Array:
    return _by_running(module, x)


def _psi(module: PowerNorm) -> Array:
    return np.sqrt(module.running_square.numpy() + module.eps)


def power(module: PowerNorm, x: Array, training: bool) -> Array:
    gamma, beta, psi = _gamma(module), _beta(module), _psi(module)
    return _by_channel(x, lambda c, a: gamma[c] * a / psi[c] + beta[c])


def power_state(module: PowerNorm, x: Array) -> dict[str, Array]:
    """The slope waits for the backward pass."""
    squares = [float((a * a).mean()) for a in _channels(x)]
    return {"running_square": _move(module.running_square, squares, module.momentum)}


def power_backward(module: PowerNorm, x: Array, g: Array, training: bool) -> Array:
    gamma, psi, nu = _gamma(module), _psi(module), module.running_slope.numpy()
    return _by_channel(x, lambda c, a: (gamma[c] * g[:, c] - nu[c] * a / psi[c]) / psi[c])


def power_slope(module: PowerNorm, x: Array, g: Array) -> Array:
    """The slope after a backward pass: ``nu (1 - w Gamma) + w Lambda`` in the paper's letters."""
    gamma, psi, nu = _gamma(module), _psi(module), module.running_slope.numpy()
    slopes = []
    for c, a in enumerate(_channels(x)):
        xhat = a / psi[c]
        big_gamma, big_lambda = (xhat * xhat).mean(), (gamma[c] * g[:, c] * xhat).mean()
        slopes.append(nu[c] * (1 - module.momentum * big_gamma) + module.momentum * big_lambda)
    return np.array(slopes)


def _moved(module: BatchRelative, batches: int = 0) -> nn.Module:
    """Move the buffers that ``perturb`` does not know off their initial values."""
    for name, low, high in (
        ("running_std", 0.3, 2.5),
        ("running_scale", 0.6, 1.9),
        ("running_square", 0.7, 2.2),
        ("running_slope", -0.3, 0.4),
    ):
        if name in module.starts:
            module.get_buffer(name).copy_(torch.linspace(low, high, module.num_features))
    module.num_batches_tracked.fill_(batches)
    return module


def _renorm(**options: object) -> Callable[[], nn.Module]:
    """r and d are clipped in some channels and free in others."""
    return lambda: _moved(BatchRenorm(C, **options), batches=3)


FLAT, IMAGE = (6, C), (3, C, 3, 2)
ALSO = (FLAT, (3, C, 5), (2, C, 2, 3, 2))

CASES = (
    MethodCase(
        name="mean-only",
        make=lambda: MeanOnlyBatchNorm(C, momentum=0.3),
        shape=IMAGE,
        reference=mean_only,
        state=mean_only_state,
        also=ALSO,
    ),
    MethodCase(
        name="renorm",
        make=_renorm(r_max=1.8, d_max=0.9, r_ramp=None, d_ramp=None),
        shape=IMAGE,
        reference=renorm,
        state=renorm_state,
        backward=renorm_backward,
        stated_in=("train",),
        also=ALSO,
    ),
    MethodCase(
        name="renorm-ramp",
        make=_renorm(momentum=0.01, affine=False, r_ramp=(1, 6), d_ramp=(2, 12)),
        shape=FLAT,
        reference=renorm,
        state=renorm_state,
        backward=renorm_backward,
        stated_in=("train",),
        also=(IMAGE,),
    ),
    MethodCase(
        name="ghost",
        make=lambda: GhostBatchNorm(C, ghost_size=2, momentum=0.3),
        shape=(5, C, 2, 2),
        reference=ghost,
        state=ghost_state,
        also=((6, C), (7, C, 3), (2, C, 2, 3, 2), (1, C, 3)),
    ),
    MethodCase(
        name="ghost-even",
        make=lambda: GhostBatchNorm(C, ghost_size=3, momentum=1.0, affine=False),
        shape=(6, C),
        reference=ghost,
        state=ghost_state,
        also=((6, C, 2, 2),),
    ),
    MethodCase(
        name="l1",
        make=lambda: _moved(L1BatchNorm(C, eps=1e-3, momentum=0.3)),
        shape=IMAGE,
        reference=l1,
        state=l1_state,
        also=ALSO,
    ),
    MethodCase(
        name="noisy",
        make=lambda: NoisyBatchNorm(C, momentum=0.3),
        shape=IMAGE,
        reference=noisy,
        state=_batch_state,
        random=True,
        also=ALSO,
    ),
    MethodCase(
        name="noisy-plain",
        make=lambda: NoisyBatchNorm(C, affine=False, n_mu=2.0, n_sigma=0.5, r_mu=1.0, r_sigma=0.3),
        shape=FLAT,
        reference=noisy,
        state=_batch_state,
        random=True,
    ),
    MethodCase(
        name="population",
        make=lambda: PopulationBatchNorm(C, momentum=0.3),
        shape=IMAGE,
        reference=population,
        state=_batch_state,
        also=ALSO,
    ),
    MethodCase(
        name="power",
        make=lambda: _moved(PowerNorm(C, momentum=0.3)),
        shape=IMAGE,
        reference=power,
        state=power_state,
        backward=power_backward,
        stated_in=("train",),
        also=(*ALSO, (1, C)),
    ),
    MethodCase(
        name="power-plain",
        make=lambda: _moved(PowerNorm(C, affine=False)),
        shape=FLAT,
        reference=power,
        state=power_state,
        backward=power_backward,
        stated_in=("train",),
    ),
)
