"""Methods on weights, and those that do without: an initialization, and clipped gradients."""

from collections.abc import Callable

from torch import nn

from normlib import layers
from normlib.layers.weight import output_dim
from normlib.methods.method import Method, Transformation

_FILTER: frozenset[Transformation] = frozenset(
    {"weight scaled", "filters scaled", "batch split", "batch permuted"}
)


def _per_filter(normalize: Callable[..., nn.Module]) -> Callable[[nn.Module], nn.Module]:
    """Return ``normalize`` with a length per output, in transposed convolutions too.

    The function itself counts along the first dimension there, as torch's does.
    """
    return lambda module: normalize(module, dim=output_dim(module))


_SALIMANS = "Salimans and Kingma 2016, https://arxiv.org/abs/1602.07868"

WEIGHT = (
    Method(
        name="weight",
        title="weight normalization",
        family="weight",
        kind="sphere",
        projected="weight",
        axes="I KH KW",
        learnable="scale per filter",
        invariant_to=_FILTER,
        paper=_SALIMANS,
        parametrize=_per_filter(layers.weight_norm),
    ),
    Method(
        name="centered-weight",
        title="centered weight normalization",
        family="weight",
        kind="sphere",
        projected="weight",
        axes="I KH KW",
        centered=True,
        learnable="scale per filter",
        invariant_to=_FILTER | {"constant added in filters"},
        paper="Huang, Liu, Liu, Lang and Tao 2017 (ICCV)",
        parametrize=_per_filter(layers.centered_weight_norm),
    ),
    Method(
        name="weight-standardization",
        title="weight standardization",
        family="weight",
        kind="sphere",
        projected="weight",
        axes="I KH KW",
        centered=True,
        invariant_to=_FILTER | {"constant added in filters"},
        paper="Qiao et al. 2019, https://arxiv.org/abs/1903.10520",
        defaults={
            "the authors": "unbiased standard deviation + 1e-5",
            "timm": "sqrt(biased variance + 1e-6)",
        },
        parametrize=layers.weight_standardization,
    ),
    Method(
        name="scaled-weight-standardization",
        title="scaled weight standardization",
        family="weight",
        kind="sphere",
        projected="weight",
        axes="I KH KW",
        centered=True,
        learnable="scale per filter",
        invariant_to=_FILTER | {"constant added in filters"},
        paper="Brock, De and Smith 2021, https://arxiv.org/abs/2101.08692",
        parametrize=layers.scaled_weight_standardization,
    ),
    Method(
        name="spectral",
        title="spectral normalization",
        family="weight",
        kind="sphere",
        projected="weight",
        axes="O I KH KW",
        invariant_to=frozenset({"weight scaled", "batch split", "batch permuted"}),
        paper="Miyato et al. 2018, https://arxiv.org/abs/1802.05957",
        defaults={"torch": "one power iteration per step; eps 1e-12"},
        parametrize=layers.spectral_norm,
    ),
)

TRAINING = (
    Method(
        name="fixup",
        title="Fixup initialization",
        family="training",
        kind="initialization",
        sets=0,
        projected="nothing",
        learnable="numbers added and multiplied in each residual branch",
        paper="Zhang, Dauphin and Ma 2019, https://arxiv.org/abs/1901.09321",
        initialize=layers.fixup,
    ),
    Method(
        name="adaptive-clipping",
        title="adaptive gradient clipping",
        family="training",
        kind="optimizer",
        sets=0,
        projected="gradient",
        paper="Brock, De, Smith and Simonyan 2021, https://arxiv.org/abs/2102.06171",
        clip=layers.clip_gradients_adaptively,
    ),
)
