"""Normalization layers, by family; drop-in replacements for torch.nn's where it has them."""

from normlib.layers.autodial import AutoDIAL, domains
from normlib.layers.batch import BatchNorm1d, BatchNorm2d, BatchNorm3d, BatchNormMinus
from normlib.layers.centered_weight import CenteredWeightNorm, centered_weight_norm
from normlib.layers.centering import MeanOnlyBatchNorm
from normlib.layers.clipping import clip_gradients_adaptively
from normlib.layers.data_init import initialize_from_data
from normlib.layers.decorrelated import DecorrelatedBatchNorm
from normlib.layers.domain import AdaBatchNorm
from normlib.layers.dynamic_tanh import DynamicTanh
from normlib.layers.evonorm import EvoNormB0, EvoNormS0
from normlib.layers.fixup import fixup
from normlib.layers.ghost import GhostBatchNorm
from normlib.layers.iterative import IterNorm
from normlib.layers.l1 import L1BatchNorm
from normlib.layers.mixture import SwitchableNorm
from normlib.layers.neighbours import LocalResponseNorm
from normlib.layers.noisy import NoisyBatchNorm
from normlib.layers.pointwise import AffineLayer
from normlib.layers.population import PopulationBatchNorm, gamma_penalty
from normlib.layers.power import PowerNorm
from normlib.layers.renorm import BatchRenorm
from normlib.layers.response import FilterResponseNorm
from normlib.layers.sample import (
    GroupNorm,
    InstanceNorm1d,
    InstanceNorm2d,
    InstanceNorm3d,
    LayerNorm,
    LayerNormChannels,
    RMSNorm,
)
from normlib.layers.scale import ScaleNorm
from normlib.layers.spectral import SpectralNorm, spectral_norm
from normlib.layers.standardization import (
    ScaledWeightStandardization,
    WeightStandardization,
    scaled_weight_standardization,
    weight_standardization,
)
from normlib.layers.weight import WeightNorm, weight_norm

__all__ = [
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
]
