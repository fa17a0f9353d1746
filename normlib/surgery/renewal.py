"""New running statistics for norms: of which ones, from which batches, and all of them or none."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from normlib.errors import NormlibError
from normlib.surgery.freeze import is_frozen
from normlib.surgery.norms import Norm, Only, find, none_found
from normlib.surgery.passes import naming
from normlib.surgery.statistics import Statistics


def renewable(
    model: nn.Module, only: Only, kind: Callable[[nn.Module], bool], what: str
) -> list[Norm]:
    """Return the norms of a ``kind`` that are not frozen.

    Raises:
        NormlibError: there is no such norm; ``what`` is what it would be called.
    """
    found = find(model, only, kind)
    free = [norm for norm in found if not is_frozen(norm.module)]
    if free:
        return free
    if found:
        accepted = "" if only is None else " that only= accepts"
        raise NormlibError(f"every {what}{accepted} is frozen; unfreeze(model) first")
    raise none_found(model, only, what)


def refuse_a_tensor(batches: Iterable[Any]) -> None:
    """Refuse one tensor, which would be taken apart into its samples.

    Raises:
        NormlibError: ``batches`` is one.
    """
    if isinstance(batches, Tensor):
        raise NormlibError("batches is one tensor; give a list of batches: [batch]")


def refuse_a_spent(batches: Iterable[Any], instead: str) -> None:
    """Refuse what can be read only once, where each layer takes a pass of its own.

    Raises:
        NormlibError: ``batches`` is an iterator; ``instead`` is what to do.
    """
    if isinstance(batches, Iterator):
        raise NormlibError(
            f"batches, a {type(batches).__name__}, can be read only once, and layer by layer it is "
            f"read once per layer; {instead}"
        )


@contextmanager
def all_or_nothing(norms: Sequence[Norm]) -> Iterator[None]:
    """Undo all changes of the norms' buffers if anything goes wrong."""
    before = [(b, b.clone()) for norm in norms for b in norm.module.buffers()]
    try:
        yield
    except BaseException:
        with torch.no_grad():
            for buffer, value in before:
                buffer.copy_(value)
        raise


def write(norm: Norm, statistics: Statistics) -> None:
    """Write what was added up into the norm's buffers.

    Raises:
        NormlibError: it has no statistics, or they are not finite.
    """
    with naming(norm):
        averages = statistics.averages()
    for name, value in averages.items():
        if not torch.isfinite(value).all():
            raise NormlibError(
                f"{norm} gets values whose {name} is not finite; look for NaN and infinity in the "
                "batches and in the layers before"
            )
        norm.module.get_buffer(name).copy_(value)
