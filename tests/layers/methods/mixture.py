"""Mixtures of statistics: Switchable Normalization."""

from __future__ import annotations

import numpy as np

from normlib.layers.mixture import SwitchableNorm
from tests.layers.methods.case import Array, MethodCase


def softmax(logits: Array) -> Array:
    return np.exp(logits) / np.exp(logits).sum()


def switchable(module: SwitchableNorm, x: Array, training: bool) -> Array:
    w = softmax(module.mean_weight.detach().numpy())
    v = softmax(module.var_weight.detach().numpy())
    y = np.empty_like(x)
    for sample in range(x.shape[0]):
        for channel in range(x.shape[1]):
            data = {"instance": x[sample, channel], "layer": x[sample], "batch": x[:, channel]}
            means = {scope: values.mean() for scope, values in data.items()}
            variances = {scope: values.var() for scope, values in data.items()}
            if not training:
                means["batch"] = module.running_mean.numpy()[channel]
                variances["batch"] = module.running_var.numpy()[channel]
            mu = sum(a * means[scope] for a, scope in zip(w, module.scopes, strict=True))
            sigma2 = sum(a * variances[scope] for a, scope in zip(v, module.scopes, strict=True))
            y[sample, channel] = (x[sample, channel] - mu) / np.sqrt(sigma2 + module.eps)
    shape = (1, -1, *[1] * (x.ndim - 2))
    if module.weight is not None and module.bias is not None:
        y = module.weight.detach().numpy().reshape(shape) * y
        y = y + module.bias.detach().numpy().reshape(shape)
    return y


def state(module: SwitchableNorm, x: Array) -> dict[str, Array]:
    """The running variance is biased: that is what training mixes."""
    channels, m = np.moveaxis(x, 1, 0).reshape(x.shape[1], -1), module.momentum
    return {
        "running_mean": (1 - m) * module.running_mean.numpy() + m * channels.mean(1),
        "running_var": (1 - m) * module.running_var.numpy() + m * channels.var(1),
    }


CASES = (
    MethodCase(
        name="switchable",
        make=lambda: SwitchableNorm(4),
        shape=(3, 4, 3, 2),
        reference=switchable,
        state=state,
    ),
    MethodCase(
        name="switchable-flat",
        make=lambda: SwitchableNorm(4, momentum=0.3, affine=False, scopes=("batch", "layer")),
        shape=(5, 4),
        reference=switchable,
        state=state,
    ),
)
