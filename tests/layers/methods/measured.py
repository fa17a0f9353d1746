"""One case beside its NumPy formula: output, running statistics and gradients, in both modes."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import nn

from normlib.analysis.parity.formulas import MODES, Comparison
from tests.layers.measure import seeded
from tests.layers.methods.case import SEED, Array, MethodCase
from tests.layers.methods.differences import gradient_error
from tests.layers.methods.relative import BOUNDS, relative_error


def rows(case: MethodCase) -> list[Comparison]:
    """A row per mode and quantity that the method has; the worst over the shapes of the case."""
    return [
        Comparison(case.method, case.name, mode, quantity, means, error, BOUNDS[means])
        for mode in MODES
        for quantity, means, error in _errors(case, mode == "train")
    ]


def _errors(case: MethodCase, training: bool) -> Iterator[tuple[str, str, float]]:
    found = [_values(case, shape, training) for shape in (case.shape, *case.also)]
    for quantity in found[0]:
        yield quantity, "formula", max(errors[quantity] for errors in found)
    yield from _gradients(case, training)


def _values(case: MethodCase, shape: tuple[int, ...], training: bool) -> dict[str, float]:
    """One call in float64 beside the reference; in evaluation no buffer may change."""
    module = case.build(training=training)
    before, x = copy.deepcopy(module), case.input(shape).numpy()
    torch.manual_seed(SEED)
    found = module(torch.from_numpy(x.copy())).detach().numpy()
    errors = {"output": relative_error(found, case.reference(copy.deepcopy(before), x, training))}
    buffers = _floats(before)
    if training and case.state is not None:
        changed = case.state(before, x.copy())
        assert set(changed) <= set(buffers), f"no such buffers: {set(changed) - set(buffers)}"
        buffers |= changed
    if buffers:
        after = _floats(module)
        errors["buffers"] = max(relative_error(after[k], np.asarray(v)) for k, v in buffers.items())
    return errors


def _gradients(case: MethodCase, training: bool) -> Iterator[tuple[str, str, float]]:
    """Of <g, y> by the input, and by all parameters together."""
    module, x = case.build(training=training), case.input().requires_grad_()
    before, parameters = copy.deepcopy(module), list(module.parameters())
    torch.manual_seed(SEED)
    y = module(x)
    g = seeded(y, 11)
    grads = torch.autograd.grad(y, [x, *parameters], g, materialize_grads=True)
    gx, *rest = (grad.numpy() for grad in grads)
    a, weights = x.detach().numpy(), [p.detach().numpy() for p in parameters]
    if case.stated(training):
        assert case.backward is not None
        expected = case.backward(before, a, g.numpy(), training)
        yield "d input", "stated", relative_error(gx, expected)
    else:
        error = gradient_error(
            lambda at: case.reference(before, at[0], training), [a], g.numpy(), [gx]
        )
        yield "d input", "differences", error
    if parameters:
        moved = copy.deepcopy(before)
        error = gradient_error(
            lambda at: case.reference(_with(moved, at), a, training), weights, g.numpy(), rest
        )
        yield "d parameters", "differences", error


def _with(module: nn.Module, values: Sequence[Array]) -> nn.Module:
    with torch.no_grad():
        for parameter, value in zip(module.parameters(), values, strict=True):
            parameter.copy_(torch.from_numpy(np.asarray(value)))
    return module


def _floats(module: nn.Module) -> dict[str, Array]:
    """The floating-point buffers of ``module``, copied."""
    return {
        name: buffer.detach().numpy().copy()
        for name, buffer in module.named_buffers()
        if buffer.is_floating_point()
    }
