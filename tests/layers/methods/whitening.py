"""Whitening of the channels: Decorrelated BatchNorm and IterNorm."""

from __future__ import annotations

import numpy as np
import torch

from normlib.layers.decorrelated import DecorrelatedBatchNorm
from normlib.layers.iterative import IterNorm
from normlib.layers.whitening import Whitening
from tests.layers.methods.case import Array, MethodCase


def rows(x: Array) -> Array:
    """All values of a channel in one column."""
    return np.moveaxis(x, 1, -1).reshape(-1, x.shape[1])


def unbiased(block: Array) -> Array:
    return np.cov(block, rowvar=False).reshape(block.shape[1], block.shape[1])


def inverse_root(sigma: Array) -> Array:
    eigenvalues, u = np.linalg.eigh(sigma)
    return u @ np.diag(1 / np.sqrt(eigenvalues)) @ u.T


def newton(sigma: Array, iterations: int) -> Array:
    p = np.eye(len(sigma))
    for _ in range(iterations):
        p = 1.5 * p - 0.5 * np.linalg.matrix_power(p, 3) @ sigma / np.trace(sigma)
    return p / np.sqrt(np.trace(sigma))


def whitened(module: Whitening, x: Array, training: bool) -> Array:
    data, size = rows(x), module.num_features // module.groups
    y = np.empty_like(data)
    for group in range(module.groups):
        channels = slice(group * size, (group + 1) * size)
        block = data[:, channels]
        if training:
            mean = block.mean(0)
            sigma = (block - mean).T @ (block - mean) / len(block)
        else:
            mean = module.running_mean.numpy()[channels]
            sigma = module.running_covariance.numpy()[group]
        sigma = sigma + module.eps * np.eye(size)
        w = (
            newton(sigma, module.iterations)
            if isinstance(module, IterNorm)
            else inverse_root(sigma)
        )
        y[:, channels] = (block - mean) @ w.T
    if module.weight is not None and module.bias is not None:
        y = module.weight.detach().numpy() * y + module.bias.detach().numpy()
    return np.moveaxis(y.reshape(*np.moveaxis(x, 1, -1).shape), -1, 1)


def state(module: Whitening, x: Array) -> dict[str, Array]:
    data, m = rows(x), module.momentum
    blocks = np.split(data, module.groups, axis=1)
    covariance = np.stack([unbiased(block) for block in blocks])
    return {
        "running_mean": (1 - m) * module.running_mean.numpy() + m * data.mean(0),
        "running_covariance": (1 - m) * module.running_covariance.numpy() + m * covariance,
    }


def moved(layer: Whitening) -> Whitening:
    """With a running covariance that is not the identity; it must stay positive definite."""
    groups, size = layer.groups, layer.num_features // layer.groups
    a = np.random.default_rng(7).normal(size=(groups, size, size))
    spd = a @ a.transpose(0, 2, 1) / size + 0.5 * np.eye(size)
    layer.running_covariance.copy_(torch.from_numpy(spd))
    return layer


CASES = (
    MethodCase(
        name="decorrelated",
        make=lambda: moved(DecorrelatedBatchNorm(4, eps=1e-3)),
        shape=(5, 4, 3, 2),
        reference=whitened,
        state=state,
    ),
    MethodCase(
        name="decorrelated-groups",
        make=lambda: moved(DecorrelatedBatchNorm(6, groups=3, momentum=0.3, affine=False)),
        shape=(8, 6),
        reference=whitened,
        state=state,
    ),
    MethodCase(
        name="iterative",
        make=lambda: moved(IterNorm(4, eps=1e-3)),
        shape=(5, 4, 3, 2),
        reference=whitened,
        state=state,
    ),
    MethodCase(
        name="iterative-groups",
        make=lambda: moved(IterNorm(6, groups=2, iterations=3, eps=0.1, momentum=0.3)),
        shape=(3, 6, 5),
        reference=whitened,
        state=state,
    ),
)
