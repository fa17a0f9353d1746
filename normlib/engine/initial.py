"""Initial parameters from the seed alone, the same for every norm and framework."""

import hashlib
import math

import numpy as np
from numpy.typing import NDArray

from normlib.datasets import INFO
from normlib.records import Experiment

Arrays = dict[str, NDArray[np.float32]]


def shapes(experiment: Experiment) -> dict[str, tuple[int, ...]]:
    """Return name and shape of every parameter outside the norm, in PyTorch's layouts.

    ``cnn``: a 5x5 convolution with padding 2 to ``width`` channels, pooling by 2, a fully
    connected layer of ``hidden`` units and one of as many outputs as the data set has classes.
    """
    info = INFO[experiment.dataset]
    channels, height, rows = info.shape
    features = experiment.width * (height // 2) * (rows // 2)
    classes = len(info.classes)
    return {
        "conv.weight": (experiment.width, channels, 5, 5),
        "conv.bias": (experiment.width,),
        "fc.weight": (experiment.hidden, features),
        "fc.bias": (experiment.hidden,),
        "out.weight": (classes, experiment.hidden),
        "out.bias": (classes,),
    }


def initial_arrays(experiment: Experiment) -> Arrays:
    """Return Glorot uniform weights and zero biases.

    ``W ~ U(-a, a)``, ``a = sqrt(6 / (fan_in + fan_out))``, with the fans counted over the
    receptive field. Each array has a generator of its own, seeded by (seed, name), so that
    neither the norm nor the order of the layers changes any of them.

    Source: Glorot and Bengio 2010; the default of the framework that sources A and B used.
    """
    return {
        name: _glorot_uniform(_generator(experiment.seed, name), shape)
        if name.endswith(".weight")
        else np.zeros(shape, np.float32)
        for name, shape in shapes(experiment).items()
    }


def _generator(seed: int, name: str) -> np.random.Generator:
    digest = hashlib.sha256(f"initial/{seed}/{name}".encode()).digest()
    return np.random.Generator(np.random.PCG64(int.from_bytes(digest[:16], "little")))


def _glorot_uniform(generator: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.float32]:
    field = math.prod(shape[2:])
    bound = math.sqrt(6 / ((shape[0] + shape[1]) * field))
    return generator.uniform(-bound, bound, shape).astype(np.float32)
