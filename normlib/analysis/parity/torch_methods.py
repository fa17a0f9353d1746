"""The catalogue's methods beside torch's own, each at its defaults. Imports torch when called."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from normlib.analysis.parity.comparison import BOUNDS, error
from normlib.analysis.parity.formulas import MODES
from normlib.analysis.parity.inputs import Array, generator, normal

if TYPE_CHECKING:
    from torch import nn

SHAPE: Final = (5, 16, 4, 3)
"""(N, C, H, W) of the input of a layer; and of a convolution, if the weight is normalized."""


def table() -> pd.DataFrame:
    """Compare every method that torch has, too, but ``none``, in float64 and in both modes.

    Columns as of `normlib.analysis.parity.formulas.Formulas.table`, without ``case``.
    """
    from normlib.methods import catalogue
    from normlib.methods.frameworks import TORCH

    rows = [
        (name, mode, quantity, "framework", size, BOUNDS["y"], "torch", size <= BOUNDS["y"])
        for name in catalogue
        if name in TORCH and name != "none"
        for mode in MODES
        for quantity, size in _errors(name, mode == "train")
    ]
    columns = ["method", "mode", "quantity", "means", "error", "bound", "peer", "within"]
    return pd.DataFrame(rows, columns=columns)


def _errors(name: str, training: bool) -> Iterator[tuple[str, float]]:
    ours, theirs = _built(name), _built(f"torch:{name}")
    theirs.load_state_dict(ours.state_dict())
    found, expected = (_results(module.train(training)) for module in (ours, theirs))
    for quantity, values in expected.items():
        yield (
            quantity,
            max(error(a, b) for a, b in zip(found[quantity], values, strict=True)),
        )


def _built(name: str) -> "nn.Module":
    """Return the layer, or a convolution whose weight is normalized, off its initial state."""
    import torch
    from torch import nn

    from normlib.methods import catalogue

    method = catalogue[name]
    # The caller's random numbers stay as they are.
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(0)
        if method.projected == "weight":
            module = method.apply_to(nn.Conv2d(SHAPE[1], 6, 3, dtype=torch.float64))
        else:
            module = method.build(SHAPE[1:]).double()
        for key, parameter in module.named_parameters():
            moved = normal("methods", key, shape=tuple(parameter.shape), mean=0.7, std=0.5)
            parameter.copy_(torch.from_numpy(moved))
        for key, buffer in module.named_buffers():
            if key.endswith("running_mean"):
                buffer.copy_(torch.from_numpy(normal("methods", key, shape=tuple(buffer.shape))))
            elif key.endswith("running_var"):
                moved = generator("methods", key).uniform(0.5, 2, tuple(buffer.shape))
                buffer.copy_(torch.from_numpy(moved))
    return module


def _results(module: Any) -> dict[str, list[Array]]:
    """Return output, gradients of <g, output> and what the call leaves in the buffers."""
    import torch

    x = torch.from_numpy(normal("methods", "x", shape=SHAPE, mean=0.3, std=1.7)).requires_grad_()
    parameters = list(module.parameters())
    y = module(x)
    g = torch.from_numpy(normal("methods", "g", shape=tuple(y.shape)))
    gx, *rest = torch.autograd.grad(y, [x, *parameters], g)
    found = {
        "output": [y],
        "buffers": [buffer.double() for buffer in module.buffers()],
        "d input": [gx],
        "d parameters": rest,
    }
    return {
        quantity: [value.detach().numpy().copy() for value in values]
        for quantity, values in found.items()
        if values
    }
