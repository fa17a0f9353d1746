"""Normalization layers, by family; drop-in replacements for torch.nn's where it has them."""

from normlib.layers.batch import BatchNorm1d, BatchNorm2d, BatchNorm3d, BatchNormMinus
from normlib.layers.pointwise import AffineLayer
from normlib.layers.sample import (
    GroupNorm,
    InstanceNorm1d,
    InstanceNorm2d,
    InstanceNorm3d,
    LayerNorm,
    LayerNormChannels,
    RMSNorm,
)
from normlib.layers.weight import WeightNorm, weight_norm

__all__ = [
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
]
