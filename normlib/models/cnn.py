"""The small CNN of sources A and B."""

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from normlib.methods import catalogue
from normlib.models.pooled_norm import norm_then_pool
from normlib.models.pooling import MaxPoolReLU
from normlib.models.started import start_from


class CNN(nn.Module):
    """Convolution 5x5, norm, max pooling 2, ReLU, fully connected, ReLU, fully connected.

    The sources apply ReLU before pooling. The maximum commutes with it, and so do the
    gradients.

    Args:
        shape: Channels, height and width of the images.
        classes: Number of outputs.
        width: Filters of the convolution.
        hidden: Units of the fully connected layer.
        norm: Name in the catalogue; a method on weights applies to the convolution's.
        eps: Of the norm; None for its default.
        groups: Of the norm, if it has groups; None for its default.
        initial: Arrays to start from, by parameter name; None for PyTorch's own.

    Shape:
        (N, *shape) to (N, classes).

    Source: Nagaraja, Lab 3; filters and hidden width are not stated there.
    """

    def __init__(
        self,
        shape: tuple[int, int, int],
        classes: int,
        width: int = 32,
        hidden: int = 128,
        norm: str = "none",
        eps: float | None = None,
        groups: int | None = None,
        initial: Mapping[str, NDArray[np.float32]] | None = None,
    ) -> None:
        super().__init__()
        channels, height, breadth = shape
        method = catalogue[norm]
        self.conv = nn.Conv2d(channels, width, 5, padding=2)
        self.norm = method.build((width, height, breadth), eps=eps, groups=groups)
        self.pool = MaxPoolReLU()
        self.fc = nn.Linear(width * (height // 2) * (breadth // 2), hidden)
        self.out = nn.Linear(hidden, classes)
        if initial is not None:
            start_from(self, initial, ["norm"])
        # After the arrays are in place, so that the normalized weight starts out equal to them.
        method.apply_to(self.conv)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits."""
        x = norm_then_pool(self.norm, self.pool, self.conv(x))
        logits: Tensor = self.out(torch.relu(self.fc(x.flatten(1))))
        return logits
