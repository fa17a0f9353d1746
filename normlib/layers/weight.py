"""Methods that normalize weights instead of activations, as parametrizations.

`torch.nn.utils.parametrize` keeps the free parameters and computes the weight from them at every
forward pass. A parametrized module can be deep-copied, but not pickled, as torch says; save its
state_dict instead.
"""

import math

from torch import Tensor, nn
from torch.nn.utils import parametrize

from normlib.errors import NormlibError
from normlib.projection import sphere


class WeightNorm(nn.Module):
    """Length and direction apart: ``w = g * v / norm(v)`` for each slice along ``dim``.

    It is the projection of ``v`` onto a sphere, without centering, and a new radius ``g``.

    Args:
        dim: The dimension whose entries have a norm each (0: a filter), or None for one norm;
            -1 is None, a quirk of torch's that state_dicts depend on.

    Shape:
        ``v`` as the weight; ``g`` of size 1 in all dimensions but ``dim``.

    Source: Salimans and Kingma 2016, https://arxiv.org/abs/1602.07868
    """

    def __init__(self, dim: int | None = 0) -> None:
        super().__init__()
        self.dim = None if dim == -1 else dim

    def _dims(self, v: Tensor) -> list[int]:
        kept = None if self.dim is None else self.dim % v.dim()
        return [d for d in range(v.dim()) if d != kept]

    def forward(self, g: Tensor, v: Tensor) -> Tensor:
        """Return the weight."""
        dims = self._dims(v)
        # The projection has radius sqrt(d), the weight shall have length g.
        radius = math.sqrt(math.prod([v.shape[d] for d in dims]))
        return sphere(v, dims, g.reshape(self._shape(v)) / radius, centered=False)[0]

    def right_inverse(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        """Return ``g`` and ``v`` that give ``weight``: its norms and itself."""
        g = (weight * weight).sum(self._dims(weight), keepdim=True).sqrt()
        return (g.reshape(()) if self.dim is None else g), weight

    def _shape(self, v: Tensor) -> list[int]:
        return [1 if d in self._dims(v) else n for d, n in enumerate(v.shape)]


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

    Source: Salimans and Kingma 2016, https://arxiv.org/abs/1602.07868
    """
    if parametrize.is_parametrized(module, name):
        raise NormlibError(f"{name!r} of this {type(module).__name__} is parametrized already")
    if not isinstance(getattr(module, name, None), nn.Parameter):
        known = ", ".join(n for n, _ in module.named_parameters(recurse=False)) or "none"
        raise NormlibError(
            f"{type(module).__name__} has no parameter {name!r}; its parameters are: {known}"
        )
    parametrize.register_parametrization(module, name, WeightNorm(dim), unsafe=True)
    return module
