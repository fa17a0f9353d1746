"""Normalization, measured: layers, experiments and what follows from them.

The layers are loaded when they are first asked for, so that a chapter drawn from records, or the
command line, starts without torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:  # stars, since the packages' own `__all__` says what there is
    from normlib.layers import *  # noqa: F403 - its `__all__` decides
    from normlib.methods import catalogue as catalogue
    from normlib.surgery import *  # noqa: F403 - likewise

# The names of each package's `__all__`, without importing it; a test compares.
_LAYERS = (
    "AdaBatchNorm",
    "AffineLayer",
    "AutoDIAL",
    "BatchNorm1d",
    "BatchNorm2d",
    "BatchNorm3d",
    "BatchNormMinus",
    "BatchRenorm",
    "CenteredWeightNorm",
    "DecorrelatedBatchNorm",
    "DynamicTanh",
    "EvoNormB0",
    "EvoNormS0",
    "FilterResponseNorm",
    "GhostBatchNorm",
    "GroupNorm",
    "InstanceNorm1d",
    "InstanceNorm2d",
    "InstanceNorm3d",
    "IterNorm",
    "L1BatchNorm",
    "LayerNorm",
    "LayerNormChannels",
    "LocalResponseNorm",
    "MeanOnlyBatchNorm",
    "NoisyBatchNorm",
    "PopulationBatchNorm",
    "PowerNorm",
    "RMSNorm",
    "ScaleNorm",
    "ScaledWeightStandardization",
    "SpectralNorm",
    "SwitchableNorm",
    "WeightNorm",
    "WeightStandardization",
    "centered_weight_norm",
    "clip_gradients_adaptively",
    "domains",
    "fixup",
    "gamma_penalty",
    "initialize_from_data",
    "scaled_weight_standardization",
    "spectral_norm",
    "weight_norm",
    "weight_standardization",
)
_SURGERY = ("adapt", "convert", "fold", "freeze", "recalibrate", "unfreeze")
_HOMES = {
    **dict.fromkeys(_LAYERS, "normlib.layers"),
    **dict.fromkeys(_SURGERY, "normlib.surgery"),
    "catalogue": "normlib.methods",
}
__all__ = ["__version__", *_HOMES]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'normlib' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
