"""The layer of another method that does for a norm's activations what it is meant to do."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from normlib import layers
from normlib.errors import NormlibError
from normlib.methods import Method
from normlib.surgery.example import Shape
from normlib.surgery.norms import Norm
from normlib.surgery.per_token import PerToken
from normlib.surgery.place import Place

_SIBLINGS: Mapping[type[nn.Module], tuple[tuple[type[nn.Module], set[int]], ...]] = {
    lib.BatchNorm2d: (
        (lib.BatchNorm1d, {0, 1}), (lib.BatchNorm2d, {2}), (lib.BatchNorm3d, {3}),
    ) for lib in (layers, nn)
} | {
    lib.InstanceNorm2d: (
        (lib.InstanceNorm1d, {1}), (lib.InstanceNorm2d, {2}), (lib.InstanceNorm3d, {3}),
    ) for lib in (layers, nn)
}  # fmt: skip
"""Layers for images only, and those that do the same with other numbers of positions."""


def counterpart(norm: Norm, where: Place, method: Method, options: Mapping[str, Any]) -> nn.Module:
    """Return the layer of ``method`` for the activations at ``norm``, in evaluation.

    Raises:
        NormlibError: the method has no meaning there, refuses its shape or options, or depends
            on sizes that are not known.
    """
    if 0 in where.dims and method.axes == "HW":
        raise NormlibError(
            f"{norm} may get an input without positions, of which {method.name!r} takes its "
            f"statistics; {where.unknown or 'choose another method, or ' + norm.without}"
        )
    if where.positions is not None:
        layer = built(norm, method, (where.channels, *where.positions), options)
    else:
        layer, other = (
            built(norm, method, (where.channels, *sizes), options) for sizes in ((2, 3), (3, 5))
        )
        if _differ(layer, other):
            raise NormlibError(f"{norm}: {method.name!r} needs the sizes there; {where.unknown}")
    layer = _for_dims(norm, where, method, layer)
    if where.tokens:
        layer = _for_tokens(layer)
    _try(norm, where, method, layer)
    return layer


def built(norm: Norm, method: Method, shape: Shape, options: Mapping[str, Any]) -> nn.Module:
    """Return what ``method`` builds for ``shape``; its errors name the norm."""
    try:
        return method.build(shape, **options)
    except (NormlibError, ValueError) as error:
        raise NormlibError(f"{norm}: {error}; or {norm.without}") from error


def _differ(a: nn.Module, b: nn.Module) -> bool:
    """Whether two layers of one method differ, so that the sizes they were built for matter."""
    if repr(a) != repr(b):
        return True
    pairs = zip(a.state_dict().values(), b.state_dict().values(), strict=True)
    return any(x.shape != y.shape or not torch.equal(x, y) for x, y in pairs)


def _for_dims(norm: Norm, where: Place, method: Method, layer: nn.Module) -> nn.Module:
    siblings = _SIBLINGS.get(type(layer))
    if siblings is None:
        return layer
    sibling = next((cls for cls, dims in siblings if where.dims <= dims), None)
    if sibling is None:
        why = where.unknown or f"choose another method, or {norm.without}"
        raise NormlibError(
            f"{norm}: {method.name!r} needs to know how many dimensions there are; {why}"
        )
    names = ("num_features", "eps", "momentum", "affine", "track_running_stats")
    made: nn.Module = sibling(**{name: getattr(layer, name) for name in names})
    return made


def _for_tokens(layer: nn.Module) -> nn.Module:
    if isinstance(layer, layers.LayerNormChannels):
        return layer.norm
    return layer if hasattr(layer, "normalized_shape") else PerToken(layer)


def _try(norm: Norm, where: Place, method: Method, layer: nn.Module) -> None:
    """Send two samples through the new layer, so that what does not fit is refused here."""
    if where.positions is None:
        return
    size = (2, 3, where.channels) if where.tokens else (2, where.channels, *where.positions)
    x = torch.linspace(-1, 1, torch.Size(size).numel()).reshape(size)
    try:
        with torch.no_grad():
            layer.eval()(x)
    except (RuntimeError, ValueError, NormlibError) as error:
        raise NormlibError(
            f"{norm}: {method.name!r} cannot be where activations have the shape "
            f"(N, {', '.join(map(str, size[1:]))}): {error}; choose another method, or "
            f"{norm.without}"
        ) from error
