"""Hold running statistics."""

import copyreg
from typing import Any

from torch import nn

from normlib.errors import NormlibError
from normlib.surgery.norms import Only, find, has_averages, none_found


def freeze(model: nn.Module, *, affine: bool = False, only: Only = None) -> nn.Module:
    """Hold the running statistics of a model's norms, in place.

    A frozen norm is in evaluation whatever `train` says: it normalizes by its running statistics
    and does not change them, and `recalibrate` leaves it alone. It stays so in copies and
    pickles; its state_dict is as before, and can be loaded. It is still an instance of its own
    class, and printed as ``Frozen...``. Norms without running statistics have none to hold, and
    stay as they are. Freezing twice is freezing once.

    Args:
        model: Any module; changed.
        affine: Whether to stop the gradients of ``gamma`` and ``beta`` as well.
        only: Tells from a qualified name whether that norm is frozen; None for all.

    Returns:
        The model, the same object even if it is itself a norm.

    Raises:
        NormlibError: ``only`` accepts no norm with running statistics.
    """
    found = find(model, only, has_averages)
    if only is not None and not found:
        raise none_found(model, only, "norm with running statistics")
    for norm in found:
        module = norm.module
        if not isinstance(module, _Frozen):
            module.__class__ = _frozen(type(module))
            module.eval()
        if affine:
            stopped = [name for name, p in module.named_parameters() if p.requires_grad]
            module.requires_grad_(False)
            vars(module).setdefault("stopped_by_freeze", []).extend(stopped)
    return model


def unfreeze(model: nn.Module, *, only: Only = None) -> nn.Module:
    """Undo `freeze`, in place: norms follow the model's mode, parameters are trained again.

    Args:
        model: Any module; changed.
        only: Tells from a qualified name whether that norm is set free; None for all.

    Returns:
        The model; it is in training or evaluation as it was. If it is itself a frozen norm it
        stays in evaluation.

    Raises:
        NormlibError: a norm was parametrized after it was frozen.
    """
    for norm in find(model, only, is_frozen):
        module = norm.module
        if _Frozen not in type(module).__bases__:
            raise NormlibError(
                f"{norm} was parametrized after it was frozen; remove the parametrization first "
                "(torch.nn.utils.parametrize.remove_parametrizations)"
            )
        for name in vars(module).pop("stopped_by_freeze", ()):
            module.get_parameter(name).requires_grad_(True)
        module.__class__ = _own(module)
        module.train(model.training)
    return model


def is_frozen(module: nn.Module) -> bool:
    """Whether `freeze` holds the statistics of ``module``."""
    return isinstance(module, _Frozen)


class _Frozen(nn.Module):
    """Comes before the class of a norm, and keeps it in evaluation."""

    def train(self, mode: bool = True) -> Any:
        return super().train(False)

    def __reduce_ex__(self, protocol: Any) -> Any:
        """Name the norm's own class, since this one is made at run time."""
        reduced: Any = super().__reduce_ex__(protocol)
        function, arguments, *rest = reduced
        if function is copyreg.__newobj__:  # type: ignore[attr-defined]  # not in typeshed
            return _new, (_own(self), *arguments[1:]), *rest
        return function, arguments, *rest


def _own(frozen: nn.Module) -> type[nn.Module]:
    """Return the norm's own class."""
    own: type[nn.Module] = type(frozen).__mro__[2]
    return own


def _new(norm: type[nn.Module], *arguments: Any) -> nn.Module:
    return nn.Module.__new__(_frozen(norm), *arguments)


def _frozen(norm: type[nn.Module]) -> type[nn.Module]:
    if norm not in _MADE:
        # The module's name tells torch.fx what is a layer of torch's own.
        described = {"__module__": norm.__module__, "__doc__": norm.__doc__}
        _MADE[norm] = type(f"Frozen{norm.__name__}", (_Frozen, norm), described)
    return _MADE[norm]


_MADE: dict[type[nn.Module], type[nn.Module]] = {}
