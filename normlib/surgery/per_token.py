"""Norms of images, applied to tokens."""

from torch import Tensor, nn


class PerToken(nn.Module):
    """Apply a layer for (N, C) to the last dimension of (..., C), each token being a sample.

    The features are the channels, and there are no positions: nothing passes from one token of a
    sample to another, however many there are and whichever dimension counts them.

    Args:
        norm: A layer whose channels are in dimension 1.

    Shape:
        (..., C), and the same out.
    """

    def __init__(self, norm: nn.Module) -> None:
        super().__init__()
        self.norm = norm

    def forward(self, x: Tensor) -> Tensor:
        """Apply the layer."""
        y: Tensor = self.norm(x.reshape(-1, x.shape[-1]))
        return y.reshape(x.shape)
