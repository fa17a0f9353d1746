"""The one table of module inputs that drives the layer tests.

A case names a class of ``torch.nn``, what it is built with and the shape of its input; every
test builds it from the subject (normlib) and from the framework and compares the two.

Set NORMLIB_TEST_SUBJECT=torch.nn to point the suite at the framework itself: whatever then fails
is wrong in the tests, except for the tests that torch.nn must fail (dispatched operators).
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import ModuleType, SimpleNamespace

import numpy as np
import torch
from torch import nn

SUBJECT: ModuleType | SimpleNamespace = importlib.import_module(
    os.environ.get("NORMLIB_TEST_SUBJECT", "normlib")
)


@dataclass(frozen=True)
class Case:
    """One module and one input shape, under a readable name."""

    name: str
    cls: str
    args: tuple[object, ...]
    shape: tuple[int, ...]
    kwargs: Mapping[str, object] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.name

    def build(
        self, namespace: object, *, dtype: torch.dtype = torch.float64, training: bool = True
    ) -> nn.Module:
        """The module with parameters and running statistics away from their initial values."""
        module = getattr(namespace, self.cls)(*self.args, **self.kwargs)
        return perturb(module).to(dtype).train(training)

    def input(self, *, seed: int = 0, mean: float = 0.3, std: float = 1.7) -> torch.Tensor:
        """A float64 input whose groups have different means and scales."""
        random = np.random.default_rng([seed, *self.shape])
        x = random.normal(size=self.shape) * std + mean
        if x.ndim > 1:
            per_channel = (1, self.shape[1]) + (1,) * (x.ndim - 2)
            x = x * random.uniform(0.5, 2, per_channel) + random.normal(size=per_channel)
        return torch.from_numpy(x)


def perturb(module: nn.Module, seed: int = 1) -> nn.Module:
    """Move parameters and running statistics off their defaults, so that no term is 0 or 1."""
    random = np.random.default_rng(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(torch.from_numpy(random.normal(0.7, 0.5, tuple(parameter.shape))))
        for name, buffer in module.named_buffers():
            if name.endswith("running_mean"):
                buffer.copy_(torch.from_numpy(random.normal(0, 0.5, tuple(buffer.shape))))
            elif name.endswith("running_var"):
                buffer.copy_(torch.from_numpy(random.uniform(0.5, 2, tuple(buffer.shape))))
    return module


def _batch(dim: int, shape: tuple[int, ...]) -> list[Case]:
    cls, c = f"BatchNorm{dim}d", shape[1]
    return [
        Case(f"{cls}", cls, (c,), shape),
        Case(f"{cls}-cumulative", cls, (c,), shape, {"eps": 1e-3, "momentum": None}),
        Case(f"{cls}-momentum", cls, (c,), shape, {"momentum": 0.8}),
        Case(f"{cls}-plain", cls, (c,), shape, {"affine": False}),
        Case(f"{cls}-unbiased", cls, (c,), shape, {"bias": False}),
        Case(f"{cls}-batchstats", cls, (c,), shape, {"track_running_stats": False}),
    ]


def _instance(dim: int, shape: tuple[int, ...]) -> list[Case]:
    cls, c = f"InstanceNorm{dim}d", shape[1]
    return [
        Case(f"{cls}", cls, (c,), shape),
        Case(f"{cls}-affine", cls, (c,), shape, {"affine": True}),
        Case(f"{cls}-tracking", cls, (c,), shape, {"affine": True, "track_running_stats": True}),
        Case(f"{cls}-unbatched", cls, (c,), shape[1:], {"eps": 1e-3, "affine": True}),
    ]


CASES: tuple[Case, ...] = (
    Case("BatchNorm1d-flat", "BatchNorm1d", (4,), (6, 4)),
    *_batch(1, (3, 4, 5)),
    *_batch(2, (3, 4, 3, 2)),
    *_batch(3, (2, 3, 2, 3, 2)),
    Case("BatchNorm2d-one-image", "BatchNorm2d", (4,), (1, 4, 3, 2)),
    Case("LayerNorm-last", "LayerNorm", (5,), (3, 4, 5)),
    Case("LayerNorm-image", "LayerNorm", ([4, 3, 2],), (3, 4, 3, 2)),
    Case("LayerNorm-plain", "LayerNorm", ([3, 2],), (3, 4, 3, 2), {"elementwise_affine": False}),
    Case("LayerNorm-unbiased", "LayerNorm", ([4, 3, 2],), (3, 4, 3, 2), {"bias": False}),
    Case("LayerNorm-sharp", "LayerNorm", (6,), (5, 6), {"eps": 0.0}),
    Case("LayerNorm-blunt", "LayerNorm", (6,), (5, 6), {"eps": 1.0}),
    Case("LayerNorm-whole", "LayerNorm", ([4, 3],), (4, 3)),
    Case("GroupNorm-flat", "GroupNorm", (2, 6), (4, 6)),
    Case("GroupNorm-1d", "GroupNorm", (3, 6), (4, 6, 5)),
    Case("GroupNorm-2d", "GroupNorm", (2, 4), (3, 4, 3, 2)),
    Case("GroupNorm-3d", "GroupNorm", (2, 4), (2, 4, 2, 3, 2)),
    Case("GroupNorm-one-group", "GroupNorm", (1, 4), (3, 4, 3, 2), {"eps": 1e-3}),
    Case("GroupNorm-all-groups", "GroupNorm", (4, 4), (3, 4, 3, 2)),
    Case("GroupNorm-plain", "GroupNorm", (2, 4), (3, 4, 3, 2), {"affine": False}),
    Case("GroupNorm-unbiased", "GroupNorm", (2, 4), (3, 4, 3, 2), {"bias": False}),
    *_instance(1, (3, 4, 5)),
    *_instance(2, (3, 4, 3, 2)),
    *_instance(3, (2, 3, 2, 3, 2)),
    Case("RMSNorm-last", "RMSNorm", (5,), (3, 4, 5)),
    Case("RMSNorm-eps", "RMSNorm", (5,), (3, 4, 5), {"eps": 1e-3}),
    Case("RMSNorm-image", "RMSNorm", ([4, 3, 2],), (3, 4, 3, 2), {"eps": 1e-5}),
    Case("RMSNorm-plain", "RMSNorm", ([3, 2],), (3, 4, 3, 2), {"elementwise_affine": False}),
)
"""Small, since ``gradgradcheck`` runs on every one of them."""

BY_NAME = {case.name: case for case in CASES}
assert len(BY_NAME) == len(CASES), "two cases share a name"

CLASSES = tuple(sorted({case.cls for case in CASES}))
"""The nine classes that normlib replaces."""
