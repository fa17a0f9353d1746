"""Where a norm stands: what it can be told about the activations there."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch import nn

from normlib.errors import NormlibError
from normlib.layers import LayerNormChannels
from normlib.surgery.example import Shape
from normlib.surgery.norms import Norm, core
from normlib.surgery.per_token import PerToken

ANY = frozenset(range(4))
_DIMS: Mapping[type[nn.Module], frozenset[int]] = {
    nn.BatchNorm1d: frozenset({0, 1}),
    nn.BatchNorm2d: frozenset({2}),
    nn.BatchNorm3d: frozenset({3}),
    nn.InstanceNorm1d: frozenset({1}),
    nn.InstanceNorm2d: frozenset({2}),
    nn.InstanceNorm3d: frozenset({3}),
}


@dataclass(frozen=True)
class Place:
    """The activations at a norm.

    Attributes:
        channels: How many.
        tokens: Whether the channels are the last dimension, and each token a sample.
        dims: How many dimensions of positions there may be; none for tokens.
        positions: Their sizes, if they are known.
        unknown: Why they are not, in words.
    """

    channels: int
    tokens: bool = False
    dims: frozenset[int] = ANY
    positions: Shape | None = None
    unknown: str = ""


def place(norm: Norm, shapes: Sequence[Shape] | None) -> Place:
    """Return what is known of the activations at ``norm``.

    Args:
        norm: One of torch.nn's or normlib's.
        shapes: Of the inputs that it gets from an example; None without one.

    Raises:
        NormlibError: the number of channels, or which dimension they are, cannot be known.
    """
    module = norm.module
    over = () if isinstance(module, LayerNormChannels) else _trailing(module)
    flat = bool(shapes) and all(len(shape) == 2 for shape in shapes or ())
    if isinstance(module, PerToken) or len(over) == 1:
        channels = over[0] if over else _channels(norm, None)
        positions: Shape | None = ()
        return Place(channels, not flat, frozenset({0}), positions)
    if over:
        _refuse_parts(norm, over, shapes)
        return Place(over[0], dims=frozenset({len(over) - 1}), positions=tuple(over[1:]))
    dims = next((n for kind, n in _DIMS.items() if isinstance(module, kind)), ANY)
    if not shapes:
        return Place(_channels(norm, shapes), dims=dims, unknown=_lacking(shapes))
    if isinstance(module, nn.modules.instancenorm._InstanceNorm) and len(shapes[0]) - 2 not in dims:
        raise NormlibError(
            f"{norm} gets an input of shape {shapes[0]}, without a batch; give a batched example"
        )
    channels, found = _channels(norm, shapes), {shape[2:] for shape in shapes}
    if len(found) == 1:
        positions = next(iter(found))
        return Place(channels, dims=frozenset({len(positions)}), positions=positions)
    unknown = f"it is called with positions of {len(found)} shapes: {sorted(found)}"
    return Place(channels, dims=frozenset(map(len, found)), unknown=unknown)


def _channels(norm: Norm, shapes: Sequence[Shape] | None) -> int:
    layer = core(norm.module)
    for name in ("num_features", "num_channels"):
        if isinstance(count := getattr(layer, name, None), int) and count > 0:
            return count
    if over := _trailing(layer):
        return over[-1]
    if not shapes:
        raise NormlibError(
            f"{norm}, a {type(layer).__name__}, does not know how many channels it gets; "
            f"{_lacking(shapes)}"
        )
    return shapes[0][1]


def _lacking(shapes: Sequence[Shape] | None) -> str:
    """Return why there are no ``shapes``, and what to do."""
    if shapes is None:
        return "give example=, one input of the model"
    return "the example does not reach it; give one that does"


def _trailing(module: nn.Module) -> tuple[int, ...]:
    return tuple(getattr(module, "normalized_shape", ()))


def _refuse_parts(norm: Norm, over: Shape, shapes: Sequence[Shape] | None) -> None:
    """Refuse statistics over some of the dimensions behind the first: which are channels?"""
    if shapes and all(len(shape) == len(over) + 1 for shape in shapes):
        return
    if not shapes and len(over) > 2:
        return
    given = f"an input of shape {shapes[0]}" if shapes else "an input of unknown shape"
    raise NormlibError(
        f"{norm} has statistics over {over} of {given}, so that its channels are not known; "
        f"{'leave it out with ' + norm.without if shapes else _lacking(shapes)}"
    )
