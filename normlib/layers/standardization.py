"""Weight standardization, and its scaled kind that needs no normalization of activations.

Both project each filter onto the sphere within the hyperplane of mean zero; they differ in the
radius, which is ``sqrt(N)`` for a filter of ``N`` entries, or ``gain * gamma``.
"""

import math

from torch import Tensor, nn

from normlib.errors import NormlibError
from normlib.layers.checks import check_eps
from normlib.layers.weight import (
    dims_within,
    output_dim,
    per_slice,
    refuse_single_entries,
    register,
)
from normlib.precision import wide
from normlib.projection import sphere

GAMMA_RELU = math.sqrt(2 / (1 - 1 / math.pi))
"""1 / std of ReLU(x) for a standard normal x: the ``gamma`` of layers that ReLU precedes."""


class WeightStandardization(nn.Module):
    """Give each filter mean 0 and variance 1: ``w = (v - mu) / sqrt(sigma2 + eps)``.

    ``mu`` and the biased ``sigma2`` are taken over a slice along ``dim``.

    Implementations disagree. The authors' code divides by the unbiased standard deviation plus
    1e-5, timm by ``sqrt(sigma2 + 1e-6)`` with the biased variance. Here it is timm's: the paper's
    own formula has the biased variance, and with eps beside the variance the standardization is
    the projection of every other layer, with its derivative. With ``s`` the unbiased deviation of
    ``N`` entries, the authors' weight is ours at ``eps=0`` times ``sqrt((N - 1) / N) * s /
    (s + 1e-5)``: what follows differs unless it is normalized again, as the paper supposes.

    Args:
        eps: Added to the variance.
        dim: The dimension whose entries are filters.

    Shape:
        ``v`` as the weight, and the same out.

    Raises:
        ValueError: a filter has one entry, or ``eps`` is negative.
        IndexError: the weight has no dimension ``dim``.

    Source: Qiao et al. 2019, https://arxiv.org/abs/1903.10520
    """

    def __init__(self, eps: float = 1e-6, dim: int = 0) -> None:
        super().__init__()
        check_eps(eps)
        self.eps, self.dim = eps, dim

    def forward(self, v: Tensor) -> Tensor:
        """Return the weight."""
        return sphere(v, _filter(v, self.dim), eps=self.eps)[0]

    def right_inverse(self, weight: Tensor) -> Tensor:
        """Return ``weight``: an inverse only of weights that are standardized already."""
        return weight

    def extra_repr(self) -> str:
        """Return what decides the weight."""
        return f"eps={self.eps}, dim={self.dim}"


class ScaledWeightStandardization(nn.Module):
    """Standardize each filter so that it keeps the variance of what it sums:
    ``w = gain * gamma * (v - mu) / sqrt(N * (sigma2 + eps))``.

    ``mu`` and the biased ``sigma2`` are taken over a slice along ``dim``, of ``N`` entries (the
    fan-in). ``gain`` is learned and starts at 1.

    The paper has no eps. The authors' code divides by ``sqrt(max(N * sigma2, 1e-4))``, timm as
    here, with 1e-6: below the threshold the maximum has no gradient by the length of ``v``, and
    it is no projection.

    Args:
        gamma: What makes up for the nonlinearity before the layer: 1 / std of its output at
            standard normal input, `GAMMA_RELU` for ReLU; 1 for none.
        eps: Added to the variance.
        dim: The dimension whose entries are filters.

    Shape:
        ``v`` as the weight; ``gain`` of size 1 in all dimensions but ``dim``.

    Raises:
        ValueError: a filter has one entry, or ``eps`` is negative.
        IndexError: the weight has no dimension ``dim``.

    Source: Brock, De and Smith 2021, https://arxiv.org/abs/2101.08692
    """

    def __init__(self, gamma: float = 1.0, eps: float = 1e-6, dim: int = 0) -> None:
        super().__init__()
        check_eps(eps)
        self.gamma, self.eps, self.dim = gamma, eps, dim

    def forward(self, gain: Tensor, v: Tensor) -> Tensor:
        """Return the weight."""
        dims = _filter(v, self.dim)
        n = math.prod([v.shape[d] for d in dims])
        return sphere(v, dims, wide(gain) * (self.gamma / math.sqrt(n)), eps=self.eps)[0]

    def right_inverse(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        """Return a gain of 1 and ``weight``: an inverse only of weights standardized already."""
        return weight.new_ones(per_slice(weight, dims_within(weight, self.dim))), weight

    def extra_repr(self) -> str:
        """Return what decides the weight."""
        return f"gamma={self.gamma}, eps={self.eps}, dim={self.dim}"


def weight_standardization(
    module: nn.Module, name: str = "weight", eps: float = 1e-6, dim: int | None = None
) -> nn.Module:
    """Give each filter of ``module`` mean 0 and variance 1: ``w = (v - mu) / sqrt(sigma2 + eps)``.

    The free parameter is ``parametrizations.<name>.original`` (v). The weight is not what it was;
    a normalization of the activations is meant to follow. What implementations disagree about
    stands at `WeightStandardization`.

    Args:
        module: Any module, changed in place and returned.
        name: Which of its parameters.
        eps: Added to the variance.
        dim: The dimension whose entries are filters; None for 0, or 1 in a transposed convolution.

    Raises:
        NormlibError: the module has no such parameter, is normalized already, or has filters that
            are no slices (transposed and grouped).
        ValueError: a filter has one entry, or ``eps`` is negative.
        IndexError: the parameter has no dimension ``dim``.

    Source: Qiao et al. 2019, https://arxiv.org/abs/1903.10520
    """
    along = _filters_of(module) if dim is None else dim
    return register(module, name, lambda weight: WeightStandardization(eps, along))


def scaled_weight_standardization(
    module: nn.Module,
    name: str = "weight",
    gamma: float = 1.0,
    eps: float = 1e-6,
    dim: int | None = None,
) -> nn.Module:
    """Standardize each filter of ``module`` so that it keeps the variance of what it sums.

    ``w = gain * gamma * (v - mu) / sqrt(N * (sigma2 + eps))`` for filters of ``N`` entries; the
    free parameters are ``parametrizations.<name>.original0`` (the gain, 1 at first) and
    ``original1`` (v). The weight is not what it was.

    Args:
        module: Any module, changed in place and returned.
        name: Which of its parameters.
        gamma: `GAMMA_RELU` where ReLU precedes the layer, 1 where nothing does.
        eps: Added to the variance.
        dim: The dimension whose entries are filters; None for 0, or 1 in a transposed convolution.

    Raises:
        NormlibError: the module has no such parameter, is normalized already, or has filters that
            are no slices (transposed and grouped).
        ValueError: a filter has one entry, or ``eps`` is negative.
        IndexError: the parameter has no dimension ``dim``.

    Source: Brock, De and Smith 2021, https://arxiv.org/abs/2101.08692
    """
    along = _filters_of(module) if dim is None else dim
    return register(module, name, lambda weight: ScaledWeightStandardization(gamma, eps, along))


def _filter(v: Tensor, dim: int) -> list[int]:
    dims = dims_within(v, dim)
    refuse_single_entries(v, dims)
    return dims


def _filters_of(module: nn.Module) -> int:
    dim = output_dim(module)
    if dim and module.groups != 1:
        raise NormlibError(
            f"the filters of a {type(module).__name__} with groups={module.groups} are no slices "
            "of its weight; give dim to standardize slices all the same"
        )
    return dim
