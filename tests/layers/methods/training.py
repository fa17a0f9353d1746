"""What is no layer's formula alone: Fixup's residual block, and clipped gradients."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import torch
from torch import nn

from normlib.analysis.parity.formulas import Comparison
from normlib.layers.clipping import clip_gradients_adaptively
from normlib.layers.fixup import FixupBlock
from tests.layers.measure import seeded
from tests.layers.methods.case import Array, MethodCase
from tests.layers.methods.relative import BOUNDS, relative_error

SHAPES = [(4, 5), (4, 3, 2, 2), (3, 4, 2), (6,), (), (1, 5), (5, 1)]
CLIPPING, EPS = (0.01, 1.0), (1e-3, 0.0, 10.0)


def fixup_block(block: FixupBlock, x: Array, training: bool) -> Array:
    p = {k: v.detach().numpy() for k, v in block.named_parameters()}
    y, m = x, len(block.layers)
    for i in range(m):
        y = (y + p["before"][i]) @ p[f"layers.{i}.weight"].T + p[f"layers.{i}.bias"]
        y = np.maximum(y + p["after"][i], 0) if i < m - 1 else y * p["scale"] + p["after"][i]
    shortcut = "shortcut.weight" in p
    y = y + ((x + p["before"][0]) @ p["shortcut.weight"].T if shortcut else x)
    return np.maximum(y, 0)


def _block(m: int, shortcut: bool) -> FixupBlock:
    """Of linear layers from 3 features to 3."""
    across = nn.Linear(3, 3, bias=False) if shortcut else None
    return FixupBlock([nn.Linear(3, 3) for _ in range(m)], 4, across)


def clipped(w: Array, g: Array, clipping: float, eps: float, dim: int) -> Array:
    """One unit after the other; all of a vector is one unit."""
    if w.ndim < 2:
        length, limit = math.sqrt((g**2).sum()), clipping * max(math.sqrt((w**2).sum()), eps)
        return g * (limit / length) if length > limit else g
    units = range(w.shape[dim])
    pairs = [(w.take(i, dim).ravel(), g.take(i, dim)) for i in units]
    return np.stack(
        [clipped(a, b.ravel(), clipping, eps, 0).reshape(b.shape) for a, b in pairs], dim
    )


def with_gradient(shape: tuple[int, ...], seed: int = 0) -> nn.Parameter:
    """Units whose gradients are from much shorter to much longer than the limit."""
    parameter = nn.Parameter(seeded(torch.empty(shape, dtype=torch.float64), seed))
    g = seeded(parameter, seed + 1)
    lengths = torch.logspace(-5, 1, g.shape[0], dtype=torch.float64) if g.dim() else torch.ones(())
    parameter.grad = g * lengths.reshape([-1] + [1] * (g.dim() - 1) if g.dim() else [])
    return parameter


def clipping_row() -> Comparison:
    """The worst over shapes and options. The gradient that a step is to use is the formula's."""
    errors = []
    for shape, clipping, eps in product(SHAPES, CLIPPING, EPS):
        for dim in (0, 1, -1) if len(shape) > 1 else (0,):
            parameter = with_gradient(shape)
            assert parameter.grad is not None
            w, g = (t.detach().numpy().copy() for t in (parameter, parameter.grad))
            clip_gradients_adaptively(parameter, clipping, eps, dim=dim)
            found = parameter.grad.numpy()
            errors.append(relative_error(found, np.asarray(clipped(w, g, clipping, eps, dim))))
    name, bound = "adaptive-clipping", BOUNDS["stated"]
    return Comparison(name, name, "train", "d parameters", "stated", max(errors), bound)


FIXUP = tuple(
    MethodCase(
        name=f"fixup-{m}-layers{'-shortcut' if shortcut else ''}",
        make=lambda m=m, shortcut=shortcut: _block(m, shortcut),
        shape=(5, 3),
        reference=fixup_block,
    )
    for m in (1, 2, 3)
    for shortcut in (False, True)
)
