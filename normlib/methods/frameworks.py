"""The same methods as the framework computes them, under names like ``torch:batch``."""

from collections.abc import Callable, Mapping

from torch import nn
from torch.nn.utils import parametrizations

from normlib import layers
from normlib.methods.method import Options, Shape

TORCH: Mapping[str, Callable[[Shape, Options], nn.Module]] = {
    "none": lambda shape, o: nn.Identity(),
    "batch": lambda shape, o: nn.BatchNorm2d(shape[0], o.eps_or(1e-5)),
    "batch-batchstats": lambda shape, o: nn.BatchNorm2d(
        shape[0], o.eps_or(1e-5), track_running_stats=False
    ),
    "batch-minus": lambda shape, o: nn.BatchNorm2d(shape[0], o.eps_or(1e-5), affine=False),
    "layer": lambda shape, o: nn.LayerNorm(list(shape), o.eps_or(1e-5)),
    "layer-channels": lambda shape, o: layers.LayerNormChannels(
        shape[0], norm=nn.LayerNorm(shape[0], o.eps_or(1e-5))
    ),
    "group": lambda shape, o: nn.GroupNorm(o.groups_of(shape[0], 8), shape[0], o.eps_or(1e-5)),
    "instance": lambda shape, o: nn.InstanceNorm2d(shape[0], o.eps_or(1e-5)),
    "rms": lambda shape, o: nn.RMSNorm(list(shape), o.eps),
    "local-response": lambda shape, o: nn.LocalResponseNorm(5),
    "weight": lambda shape, o: nn.Identity(),
    "spectral": lambda shape, o: nn.Identity(),
}
TORCH_PARAMETRIZATIONS: Mapping[str, Callable[[nn.Module], nn.Module]] = {
    "weight": parametrizations.weight_norm,
    "spectral": parametrizations.spectral_norm,
}
