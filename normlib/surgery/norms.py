"""The norms of a model: which modules they are, by which names, and how one is exchanged."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache

from torch import nn
from torch.nn.utils import parametrize

from normlib.errors import NormlibError
from normlib.layers import LayerNormChannels
from normlib.methods import catalogue
from normlib.surgery.per_token import PerToken

Only = Callable[[str], bool] | None
"""Which norms, by qualified name; None for all."""

_FRAMEWORKS = (
    nn.modules.batchnorm._NormBase,  # BatchNorm, InstanceNorm and SyncBatchNorm
    nn.LayerNorm,
    nn.RMSNorm,
    nn.GroupNorm,
    nn.LocalResponseNorm,
)


@dataclass(frozen=True)
class Norm:
    """A module and all qualified names by which the model knows it; ``""`` is the model."""

    module: nn.Module
    names: tuple[str, ...]

    def __str__(self) -> str:
        return repr(self.names[0]) if self.names[0] else "the model itself"

    @property
    def without(self) -> str:
        """The argument that leaves this norm out."""
        return f"only=lambda name: name != {self.names[0]!r}"


def is_norm(module: nn.Module) -> bool:
    """Whether ``module`` is a norm of torch.nn, or a layer that the catalogue builds."""
    return isinstance(module, (*_FRAMEWORKS, *_catalogues(), PerToken))


def has_averages(module: nn.Module) -> bool:
    """Whether ``module`` is a norm that keeps running averages of statistics itself."""
    own = (name for name, value in module.named_buffers(recurse=False) if value is not None)
    return is_norm(module) and any("running_" in name for name in own)


def find(
    model: nn.Module, only: Only = None, kind: Callable[[nn.Module], bool] = is_norm
) -> list[Norm]:
    """Return the norms of ``model`` that are of a ``kind``, each once; the outermost if nested."""
    names: dict[nn.Module, list[str]] = {}
    for name, module in _walk(model, "", kind):
        names.setdefault(module, []).append(name)
    found = [Norm(module, tuple(called)) for module, called in names.items()]
    return [norm for norm in found if only is None or any(map(only, norm.names))]


def none_found(model: nn.Module, only: Only, what: str) -> NormlibError:
    """Return the error for a model without ``what``, or with none that ``only`` accepts."""
    where = f"this {type(model).__name__}"
    if only is not None:
        return NormlibError(f"only= accepts none of the names of {where}'s {what}s; print(model)")
    return NormlibError(f"{where} has no {what} that normlib knows; print(model) shows its layers")


def exchange(model: nn.Module, norm: Norm, new: nn.Module) -> nn.Module:
    """Put ``new`` wherever ``norm`` stands; return the model, which may be ``new`` itself."""
    for name in norm.names:
        parent, _, own = name.rpartition(".")
        if not name:
            model = new
        else:
            setattr(model.get_submodule(parent), own, new)
    return model


def core(norm: nn.Module) -> nn.Module:
    """Return the layer that holds the parameters, within its adapters."""
    while isinstance(norm, (PerToken, LayerNormChannels)):
        norm = norm.norm
    return norm


def as_written(module: nn.Module) -> bool:
    """Whether ``module`` computes by code of torch.nn or normlib alone.

    A subclass that computes something else (a norm with its activation, say) is not what its
    base classes promise.
    """
    if "forward" in vars(module):
        return False
    methods = (getattr(type(module), name, None) for name in ("forward", "_conv_forward"))
    return all(m is None or m.__module__.startswith(("torch.nn.", "normlib.")) for m in methods)


def _walk(
    module: nn.Module, name: str, kind: Callable[[nn.Module], bool]
) -> Iterator[tuple[str, nn.Module]]:
    if kind(module):
        yield name, module
        return
    for child, value in module._modules.items():  # named_children names each but once
        hidden = child == "parametrizations" and parametrize.is_parametrized(module)
        if value is not None and not hidden:
            yield from _walk(value, f"{name}.{child}" if name else child, kind)


@cache
def _catalogues() -> tuple[type[nn.Module], ...]:
    built = {type(m.build((64, 4, 4))) for m in catalogue.values() if m.projected == "activation"}
    return tuple(built - {nn.Identity})
