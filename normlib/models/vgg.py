"""A plain deep CNN of the VGG kind, for small images."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from normlib.methods import catalogue
from normlib.models.pooled_norm import norm_then_pool
from normlib.models.pooling import MaxPoolReLU
from normlib.models.started import start_from

STAGES = 4
"""Of two convolutions and a pooling each."""


class VGG(nn.Module):
    """Four stages of two convolutions 3x3, each with norm and ReLU, and max pooling by two.

    The stages have ``width``, ``2 width``, ``4 width`` and ``8 width`` filters; then follow a fully
    connected layer of ``hidden`` units, ReLU, and the classifier. There is no connection past a
    layer and no dropout. (ReLU and maximum commute, so pooling comes before ReLU.)

    Args:
        shape: Channels, height and width of the images.
        classes: Number of outputs.
        width: Filters of the first stage.
        hidden: Units of the fully connected layer.
        norm: Name in the catalogue; a method on weights applies to every convolution's.
        eps: Of the norm; None for its default.
        groups: Of the norm, if it has groups; None for its default.
        initial: Arrays to start from, by parameter name; None for PyTorch's own.

    Shape:
        (N, *shape) to (N, classes); height and width at least 16.

    Raises:
        CatalogueError: there is no such norm, or its groups do not divide the filters.
        ValueError: the arrays are another network's.

    Source: Simonyan and Zisserman 2015, https://arxiv.org/abs/1409.1556, made smaller.
    """

    def __init__(
        self,
        shape: tuple[int, int, int],
        classes: int,
        width: int = 16,
        hidden: int = 128,
        norm: str = "none",
        eps: float | None = None,
        groups: int | None = None,
        initial: Mapping[str, NDArray[np.float32]] | None = None,
    ) -> None:
        super().__init__()
        method = catalogue[norm]
        channels, height, breadth = shape
        norms = []
        for stage in range(1, STAGES + 1):
            filters = width * 2 ** (stage - 1)
            for layer in (1, 2):
                place = f"{stage}_{layer}"
                self.add_module(f"conv{place}", nn.Conv2d(channels, filters, 3, padding=1))
                self.add_module(
                    f"norm{place}",
                    method.build((filters, height, breadth), eps=eps, groups=groups),
                )
                norms.append(f"norm{place}")
                channels = filters
            height, breadth = height // 2, breadth // 2
        self.relu = nn.ReLU()
        self.pool = MaxPoolReLU()
        self.fc = nn.Linear(channels * height * breadth, hidden)
        self.out = nn.Linear(hidden, classes)
        if initial is not None:
            start_from(self, initial, norms)
        for name, module in self.named_children():
            if name.startswith("conv"):
                method.apply_to(module)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits."""
        for stage in range(1, STAGES + 1):
            x = self.relu(self._normalized(f"{stage}_1", x))
            y = self.get_submodule(f"conv{stage}_2")(x)
            x = norm_then_pool(self.get_submodule(f"norm{stage}_2"), self.pool, y)
        logits: Tensor = self.out(self.relu(self.fc(x.flatten(1))))
        return logits

    def _normalized(self, place: str, x: Tensor) -> Tensor:
        y: Tensor = self.get_submodule(f"norm{place}")(self.get_submodule(f"conv{place}")(x))
        return y
