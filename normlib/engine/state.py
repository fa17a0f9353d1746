"""A network's and its optimizer's state as named arrays, and back."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from normlib.engine.optimizer import Optimizer

Arrays = dict[str, NDArray[Any]]


def state(model: nn.Module, optimizer: Optimizer) -> Arrays:
    """Return everything the next step depends on: parameters, buffers, the optimizer's tensors.

    On a CPU the arrays share the tensors' memory (a ResNet's would be 0.5 GB more), so they are to
    be saved before the next step.
    """
    arrays = {f"model/{name}": _array(value) for name, value in model.state_dict().items()}
    for index, values in optimizer.state_dict()["state"].items():
        for name, value in values.items():
            if value is not None:
                arrays[f"optimizer/{index}/{name}"] = _array(torch.as_tensor(value))
    return arrays


def restore(model: nn.Module, optimizer: Optimizer, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Set the state that ``state`` returned; KeyError or RuntimeError if it is another's."""
    model.load_state_dict(
        {name: torch.from_numpy(arrays[f"model/{name}"]) for name in model.state_dict()}
    )
    whole = optimizer.state_dict()
    for key, array in arrays.items():
        if key.startswith("optimizer/"):
            _, index, name = key.split("/")
            whole["state"].setdefault(int(index), {})[name] = torch.from_numpy(array)
    optimizer.load_state_dict(whole)


def _array(tensor: torch.Tensor) -> NDArray[Any]:
    return np.asarray(tensor.detach().cpu().numpy())
