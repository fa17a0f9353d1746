"""ScaleNorm: the projection onto the sphere with a single learned radius."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from normlib.layers.checks import check_eps
from normlib.precision import wide
from normlib.projection import sphere


class ScaleNorm(nn.Module):
    """Give each vector the same learned length.

    ``y = g * x / sqrt(norm(x) ** 2 + d * eps)`` over the ``d`` entries of the trailing dimensions;
    ``g`` starts at ``sqrt(d)``. It is RMSNorm with one ``gamma = g / sqrt(d)`` for all entries.

    The paper has no ``eps`` (its authors' code bounds the norm from below by 1e-5). Here it is
    added to the mean square, as in RMSNorm, so that a vector of zeros has a gradient.

    Args:
        normalized_shape: Sizes of the trailing dimensions that make up a vector, or the size of
            the last one alone: the width of a token.
        eps: Added to the mean square; with 0 the length is exactly ``g``.

    Shape:
        (..., *normalized_shape), and the same out; ``g`` is ``weight``, of shape (1,).

    Raises:
        ValueError: no dimensions, a negative ``eps``, or an input that ends in another shape.

    Source: Nguyen and Salazar 2019, https://arxiv.org/abs/1910.05895
    """

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float = 1e-5,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        check_eps(eps)
        sizes = [normalized_shape] if isinstance(normalized_shape, int) else normalized_shape
        self.normalized_shape = tuple(sizes)
        if not self.normalized_shape:
            raise ValueError("normalized_shape is empty; give the size of at least one dimension")
        self.eps = eps
        self.radius = math.sqrt(math.prod(self.normalized_shape))
        self.weight = nn.Parameter(torch.full((1,), self.radius, device=device, dtype=dtype))

    def forward(self, x: Tensor) -> Tensor:
        """Apply the layer."""
        first = x.dim() - len(self.normalized_shape)
        if first < 0 or tuple(x.shape[first:]) != self.normalized_shape:
            expected = ", ".join(map(str, self.normalized_shape))
            raise ValueError(f"expected an input of shape (..., {expected}), got {tuple(x.shape)}")
        gamma = wide(self.weight).reshape([1] * x.dim()) / self.radius
        return sphere(x, range(first, x.dim()), gamma, eps=self.eps, centered=False)[0]

    def extra_repr(self) -> str:
        """Return the arguments."""
        return f"{self.normalized_shape}, eps={self.eps}"
