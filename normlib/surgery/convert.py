"""Exchange the norms of a model for others of the catalogue."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from normlib.errors import NormlibError
from normlib.layers import ScaleNorm
from normlib.methods import Method, catalogue
from normlib.records.choices import WITH_GROUPS, WITHOUT_EPS
from normlib.surgery.counterpart import built, counterpart
from normlib.surgery.example import Example, shapes
from normlib.surgery.freeze import is_frozen
from normlib.surgery.into_weights import into_weights
from normlib.surgery.norms import Norm, Only, as_written, core, exchange, find, none_found
from normlib.surgery.place import place
from normlib.surgery.statistics import BATCH


def convert(
    model: nn.Module,
    method: str,
    *,
    example: Example | None = None,
    keep_affine: bool = True,
    only: Only = None,
    eps: float | None = None,
    groups: int | None = None,
) -> nn.Module:
    """Exchange the norms of a model for those of another method, in place.

    Norms are torch.nn's (BatchNorm, LayerNorm, GroupNorm, InstanceNorm, RMSNorm, SyncBatchNorm,
    LocalResponseNorm) and whatever the catalogue builds. Each new one has the device, the type
    and the mode of the one whose place it takes; a norm that stands in several places stays one.
    Running averages go over between BatchNorm and what evaluates like it (``"ghost"``,
    ``"adabn"``), with their momentum and the ``eps`` that goes with them unless another is given;
    others start anew, see `recalibrate`. Either all norms are exchanged or, after
    an error, none. Hooks on an exchanged norm go with it, and an optimizer that was made before
    does not know the new parameters.

    Channels are in dimension 1 where a BatchNorm, GroupNorm or InstanceNorm stands, and where a
    LayerNorm or RMSNorm has its statistics over all dimensions but the first. One over the last
    dimension alone stands among tokens, (..., D): there the features are the channels, each
    token is a sample, and there are no positions. So ``"layer"`` and ``"rms"`` become LayerNorm
    and RMSNorm over ``D``, ``"batch"`` takes its statistics over all tokens of all samples,
    ``"group"`` those of a group of one token's features, within `PerToken`; and nothing passes
    from one token of a sample to another.

    A method on weights replaces each norm by the identity and normalizes the weight of the
    convolution or linear layer whose output it read. ``gamma`` is dropped; a layer without bias
    gets one, which starts at the norm's ``beta`` or, without ``keep_affine``, at 0.

    Args:
        model: Any module; changed.
        method: Name in the catalogue, ``"torch:..."`` too; ``"none"`` leaves the identity.
        example: One input (a tensor, a tuple of arguments, or a dictionary of named ones), sent
            through in evaluation to see the shapes. It is needed for methods with parameters
            per element, where a norm's class leaves the number of positions open (GroupNorm to
            ``"batch"``), and by methods on weights where torch.fx cannot follow the model.
        keep_affine: Whether ``gamma`` and ``beta`` (and whether they are trained) go over where
            the new norm has as many entries.
        only: Tells from a qualified name whether that norm is exchanged; None for all.
        eps: Of the new norms; None for the method's default.
        groups: Into which they divide the channels; None for the method's default.

    Returns:
        The model; if that is itself a norm, what takes its place.

    Raises:
        NormlibError: there is no norm to exchange, the method is unknown, has no such option,
            cannot be where a norm stands, or needs an example, or a norm is frozen; the message
            names the norm.
    """
    entry = catalogue[method]
    options = {"eps": eps, "groups": groups}
    _refuse_options(entry, options)
    chosen = find(model, only)
    if not chosen:
        raise none_found(model, only, "norm")
    for norm in chosen:
        _refuse_foreign(norm)
        _refuse_frozen(norm)
    new: Sequence[nn.Module]
    if entry.projected == "weight":
        into_weights(model, chosen, entry, example, keep_affine)
        new = [nn.Identity() for _ in chosen]
    elif entry.projected == "activation":
        new = _on_activations(model, chosen, entry, example, keep_affine, options)
    elif entry.name == "none":
        new = [built(norm, entry, (1,), options) for norm in chosen]
    else:
        does = "initialize" if entry.initialize else "clip"
        raise NormlibError(
            f"{method!r} is no layer and no weight's, so it cannot take the place of norms; "
            f"call catalogue[{method!r}].{does}"
        )
    for norm, layer in zip(chosen, new, strict=True):
        model = exchange(model, norm, layer.train(norm.module.training))
    _leave_fast_path(model)
    return model


def _on_activations(
    model: nn.Module,
    chosen: Sequence[Norm],
    method: Method,
    example: Example | None,
    keep_affine: bool,
    options: Mapping[str, Any],
) -> list[nn.Module]:
    """Return the layers that take the norms' places."""
    seen = None if example is None else shapes(model, [norm.module for norm in chosen], example)
    new = []
    for norm in chosen:
        where = place(norm, None if seen is None else seen[norm.module])
        layer = counterpart(norm, where, method, options)
        old, own = core(norm.module), core(layer)
        _take_over(old, own, model)
        if isinstance(old, BATCH) and isinstance(own, BATCH):
            _evaluate_alike(old, own, options)
        if keep_affine:
            _take_affine(old, own)
        new.append(layer)
    return new


def _take_over(old: nn.Module, new: nn.Module, model: nn.Module) -> None:
    """Give ``new`` the device and type of ``old``."""
    tensors = [*old.parameters(), *old.buffers(), *model.parameters(), *model.buffers()]
    like = next((t for t in tensors if t.is_floating_point()), None)
    if like is not None:
        new.to(device=like.device, dtype=like.dtype)


def _evaluate_alike(old: Any, new: Any, options: Mapping[str, Any]) -> None:
    """Give ``new`` the averages of ``old``, how they move, and the eps they are used with."""
    for name in ("running_mean", "running_var", "num_batches_tracked"):
        _copy(getattr(old, name), getattr(new, name))
    if options.get("eps") is None:
        new.eps = old.eps
    if old.momentum is not None or isinstance(new, nn.modules.batchnorm._BatchNorm):
        new.momentum = old.momentum


def _take_affine(old: nn.Module, new: nn.Module) -> None:
    """Give ``new`` the scale and shift of ``old``, and whether they are trained."""
    if isinstance(new, ScaleNorm):
        return  # its single weight is a length, not a factor
    for name in ("weight", "bias"):
        target = getattr(new, name, None)
        if _copy(getattr(old, name, None), target) and isinstance(target, nn.Parameter):
            target.requires_grad_(any(p.requires_grad for p in _behind(old, name)))


@torch.no_grad()
def _copy(old: object, new: object) -> bool:
    if isinstance(old, Tensor) and isinstance(new, Tensor) and old.numel() == new.numel():
        new.copy_(old.reshape_as(new))
        return True
    return False


def _behind(module: nn.Module, name: str) -> list[nn.Parameter]:
    """Return the parameters that ``name`` is computed from: itself, unless parametrized."""
    if parametrize.is_parametrized(module, name):
        return list(module.get_submodule(f"parametrizations.{name}").parameters())
    return [module.get_parameter(name)]


def _refuse_options(method: Method, options: Mapping[str, Any]) -> None:
    """Refuse options that the method would not look at."""
    own = method.name.rpartition(":")[2]
    has = {"eps": own not in WITHOUT_EPS, "groups": own in WITH_GROUPS}
    given = [f"{name}={v}" for name, v in options.items() if v is not None and not has[name]]
    if given:
        takes = " and ".join(name for name in has if has[name]) or "no options"
        raise NormlibError(
            f"{method.name!r} takes {takes} here, got {', '.join(given)}; leave that out"
        )


def _refuse_foreign(norm: Norm) -> None:
    """Refuse a subclass that computes something else, which would be lost unseen."""
    if not as_written(norm.module):
        kind = type(norm.module)
        raise NormlibError(
            f"{norm}, a {kind.__name__} of {kind.__module__}, has a forward of its own; what it "
            f"adds to its base class would be lost: leave it out with {norm.without}"
        )


def _refuse_frozen(norm: Norm) -> None:
    """Refuse a norm that is held, since what takes its place would not be."""
    if is_frozen(norm.module):
        raise NormlibError(
            f"{norm} is frozen, which its successor would not be: unfreeze the model, convert it, "
            f"and freeze it again, or leave the norm out with {norm.without}"
        )


def _leave_fast_path(model: nn.Module) -> None:
    """Keep the framework's transformer layers from computing LayerNorm in place of new norms.

    Their fast path for evaluation reads ``eps``, ``weight`` and ``bias`` of whatever is called
    ``norm1`` and ``norm2``; without this flag they call them.
    """
    for part in model.modules():
        if isinstance(part, nn.TransformerEncoderLayer):
            norms = [part.get_submodule(name) for name in ("norm1", "norm2")]
            if not all(isinstance(norm, nn.LayerNorm) for norm in norms):
                part.activation_relu_or_gelu = 0
    for part in model.modules():
        if isinstance(part, nn.TransformerEncoder) and any(
            getattr(layer, "activation_relu_or_gelu", 1) == 0 for layer in part.layers
        ):
            part.use_nested_tensor = False
