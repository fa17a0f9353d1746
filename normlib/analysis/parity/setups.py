"""Inputs like those source A may have used; it does not state them.

Channels last, as TensorFlow has them, quantized as the cases' inputs are. What Keras's layers give
on them, and how far other definitions are from that, is stored with Keras's side.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np

from normlib.analysis.parity.inputs import Array, generator, normal, quantized
from normlib.datasets import load
from normlib.engine.initial import initial_arrays
from normlib.records import Experiment

LOSSES: Final[dict[str, str]] = {
    "mean": "mean of y",
    "sum": "sum of y",
    "mean-square": "mean of y^2",
    "sum-square": "sum of y^2",
    "weighted": "<gy, y> with gy standard normal",
}
"""Losses whose input gradients are compared. The mean and the sum of xhat are constant for an
affine map with gamma = 1: under those two the true gradient is zero, under the squares nearly."""


@dataclass(frozen=True, eq=False)
class Setup:
    """A batch ``x``, (N, H, W, C) or (N, C), and ``gy`` of its shape, both exact in float32."""

    name: str
    title: str
    x: Array
    gy: Array


@cache
def setups() -> tuple[Setup, ...]:
    """Return all set-ups, always the same ones; treat their arrays as read-only."""
    return tuple(_setup(name, *made) for name, made in _MAKERS.items())


def _setup(name: str, title: str, make: Callable[[], Array]) -> Setup:
    setup = Setup(name, title, make(), normal("setup", name, "gy", shape=make().shape))
    setup.x.setflags(write=False)
    setup.gy.setflags(write=False)
    return setup


def _normal(name: str, *shape: int, mean: float = 0.0, std: float = 1.0) -> Callable[[], Array]:
    return lambda: normal("setup", name, shape=shape, mean=mean, std=std)


def _uniform(name: str, *shape: int) -> Callable[[], Array]:
    return lambda: quantized(generator("setup", name).uniform(0, 1, shape))


def _pixels(count: int = 100) -> Array:
    """The first training images of the bundled sample, in 0..1."""
    images = load("fashion-mnist-sample", "train").images[:count]
    return np.transpose(images, (0, 2, 3, 1)) / 255.0


def _activations() -> Array:
    """The first of those images after the report's convolution, as initialized for seed 0."""
    arrays = initial_arrays(Experiment(dataset="fashion-mnist-sample"))
    padded = np.pad(_pixels(20)[..., 0], ((0, 0), (2, 2), (2, 2)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (5, 5), axis=(1, 2))
    kernel = arrays["conv.weight"].astype(np.float64).reshape(-1, 25)
    return quantized(windows.reshape(20, 28, 28, 25) @ kernel.T)


_MAKERS: Final[dict[str, tuple[str, Callable[[], Array]]]] = {
    "normal-features": ("standard normal, (100, 128)", _normal("normal-features", 100, 128)),
    "few-features": ("standard normal, (10, 5)", _normal("few-features", 10, 5)),
    "small-batch": ("standard normal, (4, 10)", _normal("small-batch", 4, 10)),
    "normal-images": ("standard normal, (8, 14, 14, 16)", _normal("normal-images", 8, 14, 14, 16)),
    "uniform-features": (
        "uniform in 0..1, (100, 128)",
        _uniform("uniform-features", 100, 128),
    ),
    "few-uniform": ("uniform in 0..1, (10, 10)", _uniform("few-uniform", 10, 10)),
    "uniform-images": (
        "uniform in 0..1, (32, 28, 28, 1)",
        _uniform("uniform-images", 32, 28, 28, 1),
    ),
    "uniform-color": ("uniform in 0..1, (8, 32, 32, 3)", _uniform("uniform-color", 8, 32, 32, 3)),
    "shifted-features": (
        "normal of mean 2 and standard deviation 3, (32, 64)",
        _normal("shifted-features", 32, 64, mean=2, std=3),
    ),
    "pixels": ("100 images in 0..1, (100, 28, 28, 1)", lambda: quantized(_pixels())),
    "activations": ("20 of them after the convolution, (20, 28, 28, 32)", _activations),
}
