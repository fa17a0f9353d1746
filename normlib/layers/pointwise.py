"""Layers without statistics."""

import torch
from torch import Tensor, nn

from normlib.layers.checks import check_channels
from normlib.layers.running import per_channel
from normlib.projection import rescale


class AffineLayer(nn.Module):
    """Scale and shift each channel: ``y = gamma * x + beta``; what BatchNorm does afterwards.

    Args:
        num_channels: Number of channels ``C``.

    Shape:
        (N, C) or (N, C, ...), and the same out.

    Raises:
        ValueError: the input does not have ``C`` channels in dimension 1.

    Source: Peerthum and Stamp 2023, there called AffineLayer.
    """

    def __init__(
        self,
        num_channels: int,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        self.num_channels = num_channels
        self.weight = nn.Parameter(torch.ones(num_channels, device=device, dtype=dtype))
        self.bias = nn.Parameter(torch.zeros(num_channels, device=device, dtype=dtype))

    def forward(self, x: Tensor) -> Tensor:
        """Apply the layer."""
        check_channels(x, self.num_channels)
        return rescale(x, per_channel(self.weight, x.dim()), per_channel(self.bias, x.dim()))

    def extra_repr(self) -> str:
        """Return the number of channels."""
        return f"{self.num_channels}"
