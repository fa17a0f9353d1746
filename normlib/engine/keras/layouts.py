"""Weights between PyTorch's layouts (channels first) and Keras's (channels last).

| array         | PyTorch                  | Keras                    |
|---------------|--------------------------|--------------------------|
| `conv.weight` | (O, I, KH, KW)           | (KH, KW, I, O)           |
| `fc.weight`   | (hidden, features) C,H,W | (features, hidden) H,W,C |
| `out.weight`  | (classes, hidden)        | (hidden, classes)        |
| images        | (N, C, H, W)             | (N, H, W, C)             |
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def images(array: Array) -> Array:
    """Return (N, C, H, W) as a contiguous (N, H, W, C)."""
    return np.ascontiguousarray(np.transpose(array, (0, 2, 3, 1)))


def kernel(weight: Array) -> Array:
    """Return a convolution's weight (O, I, KH, KW) as (KH, KW, I, O)."""
    return np.ascontiguousarray(np.transpose(weight, (2, 3, 1, 0)))


def dense(weight: Array) -> Array:
    """Return a linear layer's weight (outputs, inputs) as (inputs, outputs)."""
    return np.ascontiguousarray(weight.T)


def dense_after_flatten(weight: Array, channels: int, height: int, width: int) -> Array:
    """Return (outputs, inputs), inputs ordered C,H,W, as (inputs, outputs), ordered H,W,C."""
    outputs = weight.shape[0]
    shaped = weight.reshape(outputs, channels, height, width)
    return np.ascontiguousarray(np.transpose(shaped, (2, 3, 1, 0)).reshape(-1, outputs))


def to_keras(arrays: Mapping[str, Array], pooled: tuple[int, int]) -> dict[str, Array]:
    """Return `normlib.engine.initial_arrays` in Keras's layouts, under the same names.

    ``pooled`` is height and width of the activations that are flattened, (14, 14) for 28x28 images.
    """
    channels = arrays["conv.weight"].shape[0]
    return {
        "conv.weight": kernel(arrays["conv.weight"]),
        "conv.bias": arrays["conv.bias"],
        "fc.weight": dense_after_flatten(arrays["fc.weight"], channels, *pooled),
        "fc.bias": arrays["fc.bias"],
        "out.weight": dense(arrays["out.weight"]),
        "out.bias": arrays["out.bias"],
    }
