"""A network whose parameters start from given arrays."""

from collections.abc import Iterable, Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn


def start_from(
    model: nn.Module, initial: Mapping[str, NDArray[np.float32]], norms: Iterable[str]
) -> None:
    """Set the parameters of ``model`` from arrays by name, but those of the modules ``norms``.

    Raises:
        ValueError: there are arrays too few or too many.
    """
    arrays = {name: torch.from_numpy(array) for name, array in initial.items()}
    within = tuple(f"{name}." for name in norms)
    missing, unknown = model.load_state_dict(arrays, strict=False)
    lacking = [name for name in missing if not name.startswith(within)]
    if unknown or lacking:
        raise ValueError(f"initial arrays lack {lacking} and have {list(unknown)} too many")
