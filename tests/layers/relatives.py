"""Inputs and layers that the tests of BatchNorm's relatives share."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

import normlib
from tests.layers.table import perturb

C = 4


def drawn(*shape: int, seed: int = 0) -> Tensor:
    """Return an input of this shape, with a mean and a spread of its own."""
    random = np.random.default_rng([seed, *shape])
    return torch.from_numpy(random.normal(0.4, 1.8, shape))


def built(module: nn.Module, dtype: torch.dtype = torch.float64) -> nn.Module:
    """Return the layer with parameters and averages other than those it starts with."""
    return perturb(module.to(dtype))


def batch_norm(eps: float = 1e-5, momentum: float = 0.1) -> nn.Module:
    """Return what they are relatives of."""
    return built(normlib.BatchNorm2d(C, eps, momentum))
