"""Local response normalization: each channel divided by its neighbours' energy."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from normlib.precision import wide


class LocalResponseNorm(nn.LocalResponseNorm):
    """Divide each channel by a power of the squares of its neighbours at the same position.

    ``y = x / (k + alpha * mean(x ** 2)) ** beta`` with the mean over ``size`` channels around and
    with the channel itself, of which those beyond the first and the last channel count as 0. In
    the paper it is the sum, so its ``alpha`` is torch's over ``size``: ``averaged=False``. Its
    constants there are ``size=5, alpha=1e-4, beta=0.75, k=2``.

    With an even ``size`` there is one more neighbour before the channel than behind it, as in
    torch. No projection: ``k`` sets a scale above which large values are held down.

    Args:
        size: Number of channels in a window.
        alpha: Factor of the mean square, or with ``averaged=False`` of the sum of squares.
        beta: Exponent.
        k: Added before the power is taken; with 0, zeros become NaN.
        averaged: Whether ``alpha`` is divided by ``size``: torch's definition, not the paper's.

    Shape:
        (N, C, ...) with at least one spatial dimension, and the same out.

    Raises:
        ValueError: ``size`` is below 1, or the input has fewer than three dimensions.

    Source: Krizhevsky, Sutskever and Hinton 2012, section 3.3,
    https://papers.nips.cc/paper/4824-imagenet-classification-with-deep-convolutional-neural-networks
    """

    def __init__(
        self,
        size: int,
        alpha: float = 1e-4,
        beta: float = 0.75,
        k: float = 1.0,
        averaged: bool = True,
    ) -> None:
        if size < 1:
            raise ValueError(f"a window needs at least one channel, got size={size}")
        super().__init__(size, alpha, beta, k)
        self.averaged = averaged

    def forward(self, input: Tensor) -> Tensor:
        """Apply the layer."""
        x = input
        if x.dim() < 3:
            raise ValueError(f"expected an input of shape (N, C, L, ...), got {tuple(x.shape)}")
        w = wide(x)
        before, behind = self.size // 2, (self.size - 1) // 2
        squares = F.pad(w * w, [0, 0] * (x.dim() - 2) + [before, behind])
        energy = squares.unfold(1, self.size, 1).sum(-1)
        alpha = self.alpha / self.size if self.averaged else self.alpha
        return (w / torch.pow(self.k + alpha * energy, self.beta)).to(x.dtype)

    def extra_repr(self) -> str:
        """Return the arguments."""
        return (
            f"{self.size}, alpha={self.alpha}, beta={self.beta}, k={self.k}, "
            f"averaged={self.averaged}"
        )
