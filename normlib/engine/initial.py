"""Initial parameters from the seed alone, the same for every norm and framework."""

import hashlib
import math

import numpy as np
from numpy.typing import NDArray

from normlib.engine.shapes import Shape, shapes
from normlib.records import Experiment

Arrays = dict[str, NDArray[np.float32]]


def initial_arrays(experiment: Experiment) -> Arrays:
    """Return the arrays of `shapes`, drawn as the field ``initialization`` says.

    - ``glorot``: weights ``W ~ U(-a, a)``, ``a = sqrt(6 / (fan_in + fan_out))``; zero biases.
    - ``torch``: PyTorch's for linear layers and convolutions: weights and biases ``U(-a, a)``,
      ``a = 1 / sqrt(fan_in)``.
    - ``torchvision``: convolutions ``W ~ N(0, 2 / fan_out)``; the classifier's weight and bias
      ``U(-a, a)``, ``a = 1 / sqrt(fan_in)``.
    - ``fixup``: as ``torchvision``, from where the network itself goes on.
    - ``data``: as ``torchvision``, from where `layers.initialize_from_data` goes on with the first
      batch: each layer's scale and shift are set so that it normalizes that batch.

    The fans are counted over the receptive field. Each array has a generator of its own, seeded
    by (seed, name), so that neither the norm nor the order of the layers changes any of them.

    Source: Glorot and Bengio 2010, the default of the framework that sources A and B used; He,
    Zhang, Ren and Sun 2015, https://arxiv.org/abs/1502.01852, as torchvision's ResNets start,
    whose classifier starts as every ``torch.nn.Linear``.
    """
    layers = shapes(experiment)
    if experiment.initialization == "glorot":
        return {
            name: _glorot_uniform(_generator(experiment.seed, name), shape)
            if name.endswith(".weight")
            else np.zeros(shape, np.float32)
            for name, shape in layers.items()
        }
    if experiment.initialization == "torch":
        fan_in = {_layer(name): math.prod(s[1:]) for name, s in layers.items() if len(s) > 1}
        return {
            name: _uniform(
                _generator(experiment.seed, name), shape, 1 / math.sqrt(fan_in[_layer(name)])
            )
            for name, shape in layers.items()
        }
    features = layers["fc.weight"][1]
    return {
        name: _he_normal(_generator(experiment.seed, name), shape)
        if len(shape) == 4
        else _uniform(_generator(experiment.seed, name), shape, 1 / math.sqrt(features))
        for name, shape in layers.items()
    }


def _layer(name: str) -> str:
    return name.rpartition(".")[0]


def _generator(seed: int, name: str) -> np.random.Generator:
    digest = hashlib.sha256(f"initial/{seed}/{name}".encode()).digest()
    return np.random.Generator(np.random.PCG64(int.from_bytes(digest[:16], "little")))


def _glorot_uniform(generator: np.random.Generator, shape: Shape) -> NDArray[np.float32]:
    field = math.prod(shape[2:])
    return _uniform(generator, shape, math.sqrt(6 / ((shape[0] + shape[1]) * field)))


def _he_normal(generator: np.random.Generator, shape: Shape) -> NDArray[np.float32]:
    deviation = math.sqrt(2 / (shape[0] * math.prod(shape[2:])))
    return generator.normal(0, deviation, shape).astype(np.float32)


def _uniform(generator: np.random.Generator, shape: Shape, bound: float) -> NDArray[np.float32]:
    return generator.uniform(-bound, bound, shape).astype(np.float32)
