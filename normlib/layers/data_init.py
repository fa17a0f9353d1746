"""A start from data: layers that scale and shift normalize one batch, once."""

from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from normlib.errors import NormlibError
from normlib.layers.pointwise import AffineLayer
from normlib.layers.weight import WeightNorm, dims_within, output_dim, per_slice
from normlib.projection import sphere

Statistics = dict[str, tuple[Tensor, Tensor]]
LENGTH, DIRECTION = "parametrizations.weight.original0", "parametrizations.weight.original1"


def initialize_from_data(model: nn.Module, batch: Tensor) -> nn.Module:
    """Let each layer with a scale ``g`` and shift ``b`` give mean 0 and variance 1 on ``batch``.

    Such layers are the weight-normalized ones, with the lengths of their weights, and AffineLayer.
    One pass goes through the model. Where a layer gives ``y``, with ``mu`` and the biased
    ``sigma2`` of each feature over the batch and all positions,

        g = g / sqrt(sigma2),   b = (b - mu) / sqrt(sigma2)

    and ``(y - mu) / sqrt(sigma2)`` goes on to the next: a batch normalization that is done once.
    A network with AffineLayer in place of BatchNorm then computes on ``batch`` what it would with
    BatchNorm at its start, but for BatchNorm's eps.

    The pass is made in the mode the model is in, without gradients; dropout and running averages
    act as always. Either all layers are changed or, with an error, none.

    Args:
        model: Holds `AffineLayer`, or linear or convolutional layers with `weight_norm` or
            `centered_weight_norm` of one norm per feature, each with a bias; changed in place and
            returned. Other layers stay as they are.
        batch: Its input.

    Raises:
        NormlibError: there is no such layer; one has no bias, has not one norm per feature, does
            not run exactly once, gives a feature that is constant on the batch, or gets a single
            sample without a batch.

    Source: Salimans and Kingma 2016, section 3, https://arxiv.org/abs/1602.07868
    """
    lengths = {name: length for name, m in model.named_modules() if (length := _length(m))}
    layers = {name: model.get_submodule(name) for name in lengths}
    if not layers:
        raise NormlibError(
            f"this {type(model).__name__} has neither a weight-normalized layer nor an "
            "AffineLayer; apply weight_norm first"
        )
    for name, layer in layers.items():
        if getattr(layer, "bias", None) is None:
            raise NormlibError(f"layer {name!r} has no bias to center it; build it with bias=True")
    found: Statistics = {}
    hooks = [m.register_forward_hook(partial(_pass_on, name, found)) for name, m in layers.items()]
    try:
        with torch.no_grad():
            model(batch)
    finally:
        for hook in hooks:
            hook.remove()
    if idle := sorted(layers.keys() - found.keys()):
        raise NormlibError(f"the batch does not reach layer {idle[0]!r}; leave it unnormalized")
    with torch.no_grad():
        for name, (mu, sigma) in found.items():
            layer = layers[name]
            g, b = layer.get_parameter(lengths[name]), layer.get_parameter("bias")
            g.div_(sigma.reshape_as(g))
            b.sub_(mu.reshape_as(b)).div_(sigma.reshape_as(b))
    return model


def _pass_on(name: str, found: Statistics, layer: nn.Module, args: Any, y: Tensor) -> Tensor:
    """Note the statistics of what a layer gives; return it normalized."""
    if name in found:
        raise NormlibError(
            f"layer {name!r} runs more than once in a pass, so that one length cannot suit all; "
            "the start from data is not for recurrent or shared layers"
        )
    if y.dim() < 2:
        raise NormlibError(
            f"layer {name!r} gives an output of shape {tuple(y.shape)}, of a single sample; give a "
            "batch of several"
        )
    features = 1 if isinstance(layer, AffineLayer) else _features(name, layer, y)
    xhat, mu, sigma2 = sphere(y, [d for d in range(y.dim()) if d != features])
    # What rounding leaves of the spread of equal numbers is no spread.
    rounding = 16 * torch.finfo(sigma2.dtype).eps * mu.abs()
    spread = (sigma2 > rounding**2) & sigma2.isfinite()
    constant = (~spread).flatten().nonzero()
    if constant.numel():
        raise NormlibError(
            f"feature {int(constant[0])} of layer {name!r} is constant, or not finite, on the "
            "batch; use a larger one or another start"
        )
    found[name] = mu, sigma2.sqrt()
    return xhat


def _features(name: str, layer: nn.Module, y: Tensor) -> int:
    """Return the dimension of a weight-normalized layer's output that counts its features."""
    g, v = layer.get_parameter(LENGTH), layer.get_parameter(DIRECTION)
    features = y.dim() + 1 - v.dim()  # dimension 1 of N x C x H x W, the last of N x C
    count, own = y.shape[features], per_slice(v, dims_within(v, output_dim(layer)))
    if g.numel() != count or (count > 1 and list(g.shape) != own):
        raise NormlibError(
            f"layer {name!r} has {count} features, and norms of shape {tuple(g.shape)}; normalize "
            "each feature's weights by themselves, with dim=0, or 1 in a transposed convolution"
        )
    return features


def _length(module: nn.Module) -> str | None:
    """Return the name of the parameter that scales each feature; None if nothing does."""
    if isinstance(module, AffineLayer):
        return "weight"
    if not parametrize.is_parametrized(module, "weight"):
        return None
    applied = module.get_submodule("parametrizations.weight.0")
    return LENGTH if isinstance(applied, WeightNorm) else None
