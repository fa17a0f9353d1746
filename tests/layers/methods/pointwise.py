"""Methods without statistics: Dynamic Tanh."""

from __future__ import annotations

import numpy as np

from normlib.layers.dynamic_tanh import DynamicTanh
from tests.layers.methods.case import Array, MethodCase


def dynamic_tanh(module: DynamicTanh, x: Array, training: bool) -> Array:
    alpha, gamma, beta = (
        module.get_parameter(name).detach().numpy() for name in ("alpha", "weight", "bias")
    )
    channels = np.moveaxis(x, module.channel_dim, -1)
    return np.moveaxis(gamma * np.tanh(alpha[0] * channels) + beta, -1, module.channel_dim)


CASES = (
    MethodCase(
        name="dynamic-tanh",
        make=lambda: DynamicTanh(4),
        shape=(3, 4, 3, 2),
        reference=dynamic_tanh,
        vmap=True,
        also=((5, 4), (3, 4, 5), (2, 4, 2, 3, 2)),
    ),
    MethodCase(
        name="dynamic-tanh-tokens",
        make=lambda: DynamicTanh(4, channel_dim=-1),
        shape=(3, 5, 4),
        reference=dynamic_tanh,
        vmap=True,
        also=((5, 4), (4,)),
    ),
)
