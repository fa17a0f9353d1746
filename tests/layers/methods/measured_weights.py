"""One method on weights beside its NumPy formula: weight, state and gradient, in both modes."""

from __future__ import annotations

import torch

from normlib.analysis.parity.formulas import MODES, Comparison
from normlib.layers.weight import output_dim
from tests.layers.measure import seeded
from tests.layers.methods.case import method_of
from tests.layers.methods.differences import gradient_error
from tests.layers.methods.relative import BOUNDS, relative_error
from tests.layers.methods.weights import (
    LAYERS,
    METHODS,
    buffers_of,
    build,
    formula,
    free,
    spectral_backward,
    vectors,
)


def rows(name: str) -> list[Comparison]:
    """A row per mode and quantity that the method has; the worst over the layers."""
    found = []
    for mode in MODES:
        errors = [_errors(name, layer, mode == "train") for layer in LAYERS]
        for quantity, (means, _) in errors[0].items():
            worst = max(one[quantity][1] for one in errors)
            found.append(
                Comparison(method_of(name), name, mode, quantity, means, worst, BOUNDS[means])
            )
    return found


def _errors(name: str, layer: str, training: bool) -> dict[str, tuple[str, float]]:
    """By quantity; the weight is looked at once, since a look in training moves the state."""
    method, module = METHODS[name], build(name, layer, training=training)
    steps = method.steps if training else 0
    dim, state, parameters = output_dim(module), buffers_of(module), free(module)
    values = [p.detach().numpy().copy() for p in parameters]
    expected = formula(name, module)
    w = module.weight
    g = seeded(w, 11)
    gradients = [one.numpy() for one in torch.autograd.grad(w, parameters, g)]
    errors = {"output": ("formula", relative_error(w.detach().numpy(), expected))}
    if state:
        moved = dict(zip(("_u", "_v"), vectors(dim, values[0], state, steps), strict=True))
        after = buffers_of(module)
        errors["buffers"] = "formula", max(relative_error(after[k], moved[k]) for k in state)
    if steps:
        stated = spectral_backward(dim, values[0], state, steps, g.numpy())
        errors["d parameters"] = "stated", relative_error(gradients[0], stated)
    else:
        errors["d parameters"] = (
            "differences",
            gradient_error(
                lambda at: method.reference(dim, list(at), state, 0), values, g.numpy(), gradients
            ),
        )
    return errors
