"""One input, sent through a model to see what its modules are given."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from normlib.errors import NormlibError

Shape = tuple[int, ...]
Example = Tensor | Sequence[Any] | Mapping[str, Any]


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Put ``model`` into evaluation, without gradients, and every module back as it was."""
    before = {module: module.training for module in model.modules()}
    fast = torch.backends.mha.get_fastpath_enabled()
    # The framework's transformer layers would read their norms' parameters and not call them.
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        model.eval()
        with torch.no_grad():
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)
        for module, training in before.items():
            module.training = training


def send(model: nn.Module, example: Example) -> object:
    """Return what ``model`` makes of ``example``: one tensor, arguments, or named arguments.

    Raises:
        NormlibError: it is something else, or does not go through the model.
    """
    if not isinstance(example, (Tensor, Sequence, Mapping)):
        raise NormlibError(
            f"example={example!r:.60} is no input; give a tensor, a tuple of arguments, or a "
            "dictionary of named ones"
        )
    try:
        if isinstance(example, Tensor):
            return model(example)
        return model(**example) if isinstance(example, Mapping) else model(*example)
    except (RuntimeError, TypeError, ValueError, IndexError) as error:
        raise NormlibError(
            f"the example does not go through the model in evaluation: {error}; give one that does"
        ) from error


def first_argument(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    """Return what a module with one input is given, by position or by name."""
    return args[0] if args else next(iter(kwargs.values()), None)


def shapes(
    model: nn.Module, modules: Sequence[nn.Module], example: Example
) -> dict[nn.Module, list[Shape]]:
    """Return the shapes of the inputs that each of ``modules`` gets, call by call."""
    seen: dict[nn.Module, list[Shape]] = {module: [] for module in modules}

    def note(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        seen[module].append(tuple(first_argument(args, kwargs).shape))

    hooks = [m.register_forward_pre_hook(note, with_kwargs=True) for m in modules]
    try:
        with evaluating(model):
            send(model, example)
    finally:
        for hook in hooks:
            hook.remove()
    return seen
