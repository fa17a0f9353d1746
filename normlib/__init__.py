"""Normalization, measured: layers, experiments and what follows from them.

The layers are loaded when they are first asked for, so that a chapter drawn from records, or the
command line, starts without torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from normlib.catalogue import catalogue as catalogue
    from normlib.layers import AffineLayer as AffineLayer
    from normlib.layers import BatchNorm1d as BatchNorm1d
    from normlib.layers import BatchNorm2d as BatchNorm2d
    from normlib.layers import BatchNorm3d as BatchNorm3d
    from normlib.layers import BatchNormMinus as BatchNormMinus
    from normlib.layers import GroupNorm as GroupNorm
    from normlib.layers import InstanceNorm1d as InstanceNorm1d
    from normlib.layers import InstanceNorm2d as InstanceNorm2d
    from normlib.layers import InstanceNorm3d as InstanceNorm3d
    from normlib.layers import LayerNorm as LayerNorm
    from normlib.layers import LayerNormChannels as LayerNormChannels
    from normlib.layers import RMSNorm as RMSNorm
    from normlib.layers import WeightNorm as WeightNorm
    from normlib.layers import weight_norm as weight_norm

_LAYERS = (
    "AffineLayer",
    "BatchNorm1d",
    "BatchNorm2d",
    "BatchNorm3d",
    "BatchNormMinus",
    "GroupNorm",
    "InstanceNorm1d",
    "InstanceNorm2d",
    "InstanceNorm3d",
    "LayerNorm",
    "LayerNormChannels",
    "RMSNorm",
    "WeightNorm",
    "weight_norm",
)
__all__ = ["__version__", "catalogue", *_LAYERS]


def __getattr__(name: str) -> Any:
    if name in _LAYERS:
        return getattr(import_module("normlib.layers"), name)
    if name == "catalogue":
        # The submodule of the same name shadows this attribute once it is imported; the
        # table is what is meant.
        return import_module("normlib.catalogue").catalogue
    raise AttributeError(f"module 'normlib' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
