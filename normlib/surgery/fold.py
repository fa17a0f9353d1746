"""Fold BatchNorm into the layer before it."""

import copy
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from normlib.precision import wide
from normlib.surgery.example import Example, shapes
from normlib.surgery.flow import WEIGHTED, Feed, feeds
from normlib.surgery.norms import Norm, Only, as_written, exchange, find
from normlib.surgery.statistics import BATCH

_HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")


def fold(model: nn.Module, *, example: Example | None = None, only: Only = None) -> nn.Module:
    """Return a copy that computes what the model computes in evaluation, without BatchNorms.

    ``gamma * (W x + b - mu) / sqrt(sigma2 + eps) + beta`` is ``W' x + b'`` with

        r = gamma / sqrt(sigma2 + eps),   W' = r W,   b' = r (b - mu) + beta

    per output channel, ``mu`` and ``sigma2`` being running statistics. The identity takes the
    BatchNorm's place.

    A BatchNorm is folded where it reads the output of a convolution, transposed convolution or
    linear layer, and where torch.fx (or, where that cannot follow the model, an example) shows
    that nothing else reads it: not a residual connection, not a second call, not the caller.
    BatchNorms elsewhere stay, and so do those with hooks, without running statistics, or behind
    a layer with a forward of its own. Norms whose evaluation is BatchNorm's (ghost, noisy,
    population, adaptive) are folded as well. A parametrized weight (`weight_norm`) is folded as
    what it amounts to, and its parametrization ends.

    BatchNorm1d behind a linear layer has the layer's features as channels for inputs (N, C), not
    for (N, C, L). Without an example the module in its place refuses the latter.

    Args:
        model: Any module; not changed.
        example: One input (a tensor, a tuple of arguments, or a dictionary of named ones).
        only: Tells from a qualified name whether that norm may be folded; None for all.

    Returns:
        The copy, in evaluation.

    Raises:
        NormlibError: torch.fx cannot follow the model and there is no example, or that does not
            go through.

    Source: Jacob et al. 2017, https://arxiv.org/abs/1712.05877.
    """
    folded = copy.deepcopy(model).eval()
    chosen = find(folded, only, _foldable)
    if not chosen:
        return folded
    found = feeds(folded, example)
    seen = {} if example is None else shapes(folded, [norm.module for norm in chosen], example)
    for norm in chosen:
        layer = _layer_before(norm, found.get(norm.module, Feed()))
        if layer is None:
            continue
        dims = layer.weight.dim()
        if _dims(norm.module) is None:
            if any(len(shape) != dims for shape in seen.get(norm.module, ())):
                continue
            place: nn.Module = nn.Identity() if norm.module in seen else _Folded(dims)
        elif _dims(norm.module) == dims:
            place = nn.Identity()
        else:
            continue
        _absorb(layer, norm.module)
        folded = exchange(folded, norm, place.eval())
    return folded


def _foldable(module: nn.Module) -> bool:
    return (
        isinstance(module, BATCH)
        and as_written(module)
        and module.running_mean is not None
        and module.running_var is not None
        and not any(getattr(module, hooks, None) for hooks in _HOOKS)
    )


def _layer_before(norm: Norm, feed: Feed) -> Any:
    """Return the layer that the norm can be folded into, if there is one."""
    layer = feed.before[0] if feed.alone else None
    if (
        not isinstance(layer, WEIGHTED)
        or not as_written(layer)
        or any(getattr(layer, hooks, None) for hooks in _HOOKS)
    ):
        return None
    outputs = layer.out_features if isinstance(layer, nn.Linear) else layer.out_channels
    return layer if outputs == norm.module.num_features else None


def _dims(norm: nn.Module) -> int | None:
    """Return how many dimensions the norm insists on, if it does."""
    if isinstance(norm, nn.BatchNorm2d):
        return 4
    return 5 if isinstance(norm, nn.BatchNorm3d) else None


@torch.no_grad()
def _absorb(layer: Any, norm: Any) -> None:
    """Multiply and shift what ``layer`` computes as ``norm`` would."""
    weight, bias = layer.weight, layer.bias
    trained = any(p.requires_grad for p in layer.parameters())
    _end_parametrizations(layer)
    mu, sigma2 = wide(norm.running_mean), wide(norm.running_var)
    r = torch.rsqrt(sigma2 + norm.eps)
    if norm.weight is not None:
        r = r * norm.weight
    shift = -mu * r if bias is None else (bias - mu) * r
    if norm.bias is not None:
        shift = shift + norm.bias
    scaled = wide(weight) * _per_output(layer, weight, r)
    layer.weight = nn.Parameter(scaled.to(weight.dtype), trained)
    layer.bias = nn.Parameter(shift.to(weight.dtype), trained)


def _per_output(layer: Any, weight: Tensor, r: Tensor) -> Tensor:
    """Return ``r`` so that it multiplies the part of ``weight`` that makes each output."""
    if not isinstance(layer, nn.modules.conv._ConvTransposeNd):
        return r.reshape([-1] + [1] * (weight.dim() - 1))
    # A transposed weight is (inputs, outputs of one group, ...), group after group of inputs.
    groups = r.reshape(layer.groups, 1, -1).expand(-1, weight.shape[0] // layer.groups, -1)
    return groups.reshape([*weight.shape[:2]] + [1] * (weight.dim() - 2))


def _end_parametrizations(layer: Any) -> None:
    """Leave plain parameters of the values that the parametrizations compute.

    torch's own removal takes the property from the layer's class, which a copy shares with the
    layer it was copied from; here the layer leaves that class.
    """
    if not parametrize.is_parametrized(layer):
        return
    values = {name: getattr(layer, name) for name, _ in layer.parametrizations.named_children()}
    del layer.parametrizations
    layer.__class__ = type(layer).__mro__[1]
    for name, value in values.items():
        layer.register_parameter(name, nn.Parameter(value.detach().clone()))


class _Folded(nn.Module):
    """The identity, where a BatchNorm stood that other inputs would have made a difference to."""

    def __init__(self, dims: int) -> None:
        super().__init__()
        self.dims = dims

    def forward(self, x: Tensor) -> Tensor:
        torch._assert(
            x.dim() == self.dims,
            f"a BatchNorm was folded into the layer before for inputs of {self.dims} dimensions; "
            "for others fold with example=, one such input",
        )
        return x

    def extra_repr(self) -> str:
        return f"dims={self.dims}"
