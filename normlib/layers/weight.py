"""Methods that normalize weights instead of activations, as parametrizations.

`torch.nn.utils.parametrize` keeps the free parameters and computes the weight from them at every
forward pass. A parametrized module can be deep-copied, but not pickled, as torch says; save its
state_dict instead.
"""

import math
from collections.abc import Callable
from typing import ClassVar

from torch import Tensor, nn
from torch.nn.utils import parametrize

from normlib.errors import NormlibError
from normlib.precision import wide
from normlib.projection import hyperplane, sphere


class WeightNorm(nn.Module):
    """Length and direction apart: ``w = g * v / norm(v)`` for each slice along ``dim``.

    It is the projection of ``v`` onto a sphere, without centering, and a new radius ``g``.

    Args:
        dim: The dimension whose entries have a norm each (0: a filter), or None for one norm;
            -1 is None, a quirk of torch's that state_dicts depend on.

    Shape:
        ``v`` as the weight; ``g`` of size 1 in all dimensions but ``dim``.

    Raises:
        IndexError: the weight has no dimension ``dim``.

    Source: Salimans and Kingma 2016, https://arxiv.org/abs/1602.07868
    """

    centered: ClassVar[bool] = False

    def __init__(self, dim: int | None = 0) -> None:
        super().__init__()
        self.dim = None if dim == -1 else dim

    def forward(self, g: Tensor, v: Tensor) -> Tensor:
        """Return the weight."""
        dims = dims_within(v, self.dim)
        if not dims:  # a vector's entries have a norm each: their absolute values
            return g * v.sign()
        # The projection has radius sqrt(d), the weight shall have length g.
        radius = math.sqrt(math.prod([v.shape[d] for d in dims]))
        gamma = wide(g).reshape(per_slice(v, dims)) / radius
        return sphere(v, dims, gamma, centered=self.centered)[0]

    def right_inverse(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        """Return ``g`` and ``v`` that give ``weight``: its norms and itself."""
        dims = dims_within(weight, self.dim)
        w = wide(weight)
        if not dims:
            return weight.abs(), weight
        z = hyperplane(w, dims)[0] if self.centered else w
        g = (z * z).sum(dims, keepdim=True).sqrt().to(weight.dtype)
        return (g.reshape(()) if self.dim is None else g), weight

    def extra_repr(self) -> str:
        """Return which slices have a norm."""
        return f"dim={self.dim}"


def weight_norm(module: nn.Module, name: str = "weight", dim: int | None = 0) -> nn.Module:
    """Replace the parameter ``name`` of ``module`` by its length and its direction.

    ``w = g * v / norm(v)``; the free parameters are ``parametrizations.<name>.original0`` (g)
    and ``original1`` (v), named and shaped as torch's, so that state_dicts can be exchanged.

    Args:
        module: Any module, changed in place and returned.
        name: Which of its parameters.
        dim: The dimension whose entries have a norm each (0: a filter), or None for one norm.

    Raises:
        NormlibError: the module has no such parameter, or is normalized already.
        IndexError: the parameter has no dimension ``dim``.

    Source: Salimans and Kingma 2016, https://arxiv.org/abs/1602.07868
    """
    return register(module, name, lambda weight: WeightNorm(dim))


def register(module: nn.Module, name: str, make: Callable[[Tensor], nn.Module]) -> nn.Module:
    """Compute the parameter ``name`` of ``module`` by what ``make`` returns for it, from now on.

    Raises:
        NormlibError: the module has no such parameter, or is normalized already.
    """
    if parametrize.is_parametrized(module, name):
        raise NormlibError(f"{name!r} of this {type(module).__name__} is parametrized already")
    weight = getattr(module, name, None)
    if not isinstance(weight, nn.Parameter):
        known = ", ".join(n for n, _ in module.named_parameters(recurse=False)) or "none"
        raise NormlibError(
            f"{type(module).__name__} has no parameter {name!r}; its parameters are: {known}"
        )
    # Computes the weight once, so that what does not fit is refused here and not in training.
    return parametrize.register_parametrization(module, name, make(weight))


def dims_within(weight: Tensor, dim: int | None) -> list[int]:
    """Return the dimensions over which a slice of ``weight`` along ``dim`` extends: all others.

    Raises:
        IndexError: the weight has no dimension ``dim``.
    """
    n = weight.dim()
    if dim is None:
        return list(range(n))
    if not -n <= dim < n:
        raise IndexError(
            f"dim={dim} is no dimension of a weight of shape {tuple(weight.shape)}; "
            f"choose one of {-n}..{n - 1}"
        )
    return [d for d in range(n) if d != dim % n]


def per_slice(weight: Tensor, dims: list[int]) -> list[int]:
    """Return the shape of one number per slice: that of ``weight``, and 1 in ``dims``."""
    return [1 if d in dims else n for d, n in enumerate(weight.shape)]


def refuse_single_entries(weight: Tensor, dims: list[int]) -> None:
    """Refuse slices that centering would leave nothing of.

    Raises:
        ValueError: a slice over ``dims`` has one entry.
    """
    if math.prod([weight.shape[d] for d in dims]) == 1:
        raise ValueError(
            f"a weight of shape {tuple(weight.shape)} has one entry per filter, which less its "
            "mean is zero; use a method that does not center, or leave this layer as it is"
        )


def output_dim(module: nn.Module) -> int:
    """Return which dimension of the weight counts the outputs: 1 in a transposed convolution."""
    return 1 if isinstance(module, nn.modules.conv._ConvTransposeNd) else 0
