"""Centered weight normalization: filters of mean zero and a length of their own."""

from typing import ClassVar

from torch import Tensor, nn

from normlib.layers.weight import WeightNorm, dims_within, refuse_single_entries, register


class CenteredWeightNorm(WeightNorm):
    """Center, then take length and direction apart:
    ``w = g * (v - mean(v)) / norm(v - mean(v))`` for each slice along ``dim``.

    It is the projection of ``v`` onto the sphere within the hyperplane of mean zero.

    Args:
        dim: The dimension whose entries have a norm each (0: a filter), or None for one norm;
            -1 is None, as in `WeightNorm`.

    Shape:
        ``v`` as the weight; ``g`` of size 1 in all dimensions but ``dim``.

    Raises:
        ValueError: a slice has one entry.
        IndexError: the weight has no dimension ``dim``.

    Source: Huang et al. 2017 (ICCV), Centered Weight Normalization in Accelerating Training of
    Deep Neural Networks. There the length is 1, or a free g whose start is left to experiments;
    here g starts as the length that the centered weight has, so that nothing but the mean goes.
    """

    centered: ClassVar[bool] = True

    def forward(self, g: Tensor, v: Tensor) -> Tensor:
        """Return the weight."""
        refuse_single_entries(v, dims_within(v, self.dim))
        return super().forward(g, v)


def centered_weight_norm(module: nn.Module, name: str = "weight", dim: int | None = 0) -> nn.Module:
    """Replace the parameter ``name`` of ``module`` by its length and its centered direction.

    ``w = g * (v - mean(v)) / norm(v - mean(v))``; the free parameters are
    ``parametrizations.<name>.original0`` (g) and ``original1`` (v).

    Args:
        module: Any module, changed in place and returned.
        name: Which of its parameters.
        dim: The dimension whose entries have a norm each (0: a filter; 1: one of a transposed
            convolution), or None for one norm.

    Raises:
        NormlibError: the module has no such parameter, or is normalized already.
        ValueError: a filter has one entry.
        IndexError: the parameter has no dimension ``dim``.

    Source: Huang et al. 2017 (ICCV), Centered Weight Normalization in Accelerating Training of
    Deep Neural Networks
    """
    return register(module, name, lambda weight: CenteredWeightNorm(dim))
