"""The two-layer network of source C."""

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from normlib.methods import catalogue
from normlib.models.started import start_from


class MLP(nn.Module):
    """Fully connected, norm, ReLU, fully connected.

    The hidden units are the norm's channels, with one position each.

    Args:
        shape: Channels, height and width of the images.
        classes: Number of outputs.
        hidden: Units of the first layer.
        norm: Name in the catalogue; a method on weights applies to the first layer's.
        eps: Of the norm; None for its default.
        groups: Of the norm, if it has groups; None for its default.
        initial: Arrays to start from, by parameter name; None for PyTorch's own.

    Shape:
        (N, *shape) to (N, classes).

    Raises:
        CatalogueError: there is no such norm, or its groups do not divide the hidden units.
        ValueError: the arrays are another network's.

    Source: "BatchNorm in Practice"; the hidden width is not stated there.
    """

    def __init__(
        self,
        shape: tuple[int, int, int],
        classes: int,
        hidden: int = 64,
        norm: str = "none",
        eps: float | None = None,
        groups: int | None = None,
        initial: Mapping[str, NDArray[np.float32]] | None = None,
    ) -> None:
        super().__init__()
        method = catalogue[norm]
        self.fc = nn.Linear(math.prod(shape), hidden)
        self.norm = method.build((hidden, 1, 1), eps=eps, groups=groups)
        self.relu = nn.ReLU()
        self.out = nn.Linear(hidden, classes)
        if initial is not None:
            start_from(self, initial, ["norm"])
        method.apply_to(self.fc)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits."""
        y = self.norm(self.fc(x.flatten(1))[:, :, None, None])
        logits: Tensor = self.out(self.relu(y).flatten(1))
        return logits
