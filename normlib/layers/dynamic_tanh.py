"""Dynamic Tanh: squashing in place of normalization, with no statistics at all."""

import torch
from torch import Tensor, nn

from normlib.precision import wide
from normlib.projection import rescale


class DynamicTanh(nn.Module):
    """Squash every entry by itself: ``y = gamma * tanh(alpha * x) + beta``.

    ``alpha`` is one learned number for the layer, ``gamma`` and ``beta`` are per channel. The
    paper puts it where a transformer has LayerNorm, with the channels in the last dimension: that
    is ``channel_dim=-1``. The default is dimension 1, as of every layer on images here.

    Args:
        num_features: Number of channels ``C``.
        alpha_init: Where ``alpha`` starts.
        channel_dim: The dimension of the channels: 1 for images, -1 for tokens.

    Shape:
        Any with ``C`` entries in ``channel_dim``, and the same out; ``weight`` and ``bias`` of
        shape (C,), ``alpha`` of shape (1,).

    Raises:
        ValueError: the input does not have ``C`` channels in ``channel_dim``.

    Source: Zhu, Chen, He, LeCun and Liu 2025, https://arxiv.org/abs/2503.10622
    """

    def __init__(
        self,
        num_features: int,
        alpha_init: float = 0.5,
        channel_dim: int = 1,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        self.num_features = num_features
        self.alpha_init = alpha_init
        self.channel_dim = channel_dim
        self.alpha = nn.Parameter(torch.full((1,), alpha_init, device=device, dtype=dtype))
        self.weight = nn.Parameter(torch.ones(num_features, device=device, dtype=dtype))
        self.bias = nn.Parameter(torch.zeros(num_features, device=device, dtype=dtype))

    def forward(self, x: Tensor) -> Tensor:
        """Apply the layer."""
        n, at = x.dim(), self.channel_dim
        if not -n <= at < n or x.shape[at] != self.num_features:
            raise ValueError(
                f"expected {self.num_features} channels in dimension {at}, got an input of shape "
                f"{tuple(x.shape)}; channel_dim=-1 is for tokens, 1 for images"
            )
        shape = [1] * n
        shape[at] = self.num_features
        squashed = torch.tanh(self.alpha * wide(x))
        return rescale(squashed, self.weight.reshape(shape), self.bias.reshape(shape)).to(x.dtype)

    def extra_repr(self) -> str:
        """Return the arguments."""
        return f"{self.num_features}, alpha_init={self.alpha_init}, channel_dim={self.channel_dim}"
