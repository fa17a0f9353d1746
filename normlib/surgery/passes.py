"""Passes over batches that collect the statistics of what reaches a model's norms."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from torch import nn

from normlib.errors import NormlibError
from normlib.surgery.example import first_argument
from normlib.surgery.norms import Norm
from normlib.surgery.statistics import Statistics

Call = Callable[[nn.Module, Any], object]
StatisticsOf = Callable[[nn.Module], Statistics]
"""From a norm to what adds up the statistics that it is to keep."""
Found = tuple[Norm, Statistics, int]
"""A norm, the statistics of what reached it, and from how many batches."""


class _Reached(BaseException):
    """The rest of the model is not needed; no model's own handler shall keep it."""


def one_by_one(
    model: nn.Module,
    batches: Iterable[Any],
    chosen: Sequence[Norm],
    send: Call,
    statistics_of: StatisticsOf,
) -> Iterator[Found]:
    """Yield the statistics of each norm from a pass of its own, up to that norm.

    In the order in which the batches first reach the norms, so that each pass finds those before
    with whatever statistics the caller has given them meanwhile.

    Raises:
        NormlibError: there are no batches, or a norm is called twice for one of them.
    """
    for norm in _in_order(model, batches, chosen, send):
        statistics = statistics_of(norm.module)
        yield norm, statistics, _add_up(model, batches, norm, statistics, send)


def _in_order(
    model: nn.Module, batches: Iterable[Any], chosen: Sequence[Norm], send: Call
) -> list[Norm]:
    """Return the norms in the order in which the batches first reach them."""
    calls: dict[nn.Module, int] = {}

    def count(module: nn.Module, args: Any, kwargs: Any) -> None:
        here[module] = here.get(module, 0) + 1

    with _hooked(chosen, count):
        empty = True
        for batch in batches:
            empty, here = False, dict[nn.Module, int]()
            send(model, batch)
            calls = {m: max(here.get(m, 0), calls.get(m, 0)) for m in [*calls, *here]}
    if empty:
        raise NormlibError("there are no batches to take statistics of; give at least one")
    by_module = {norm.module: norm for norm in chosen}
    for module, times in calls.items():
        if times > 1:
            raise NormlibError(
                f"{by_module[module]} is called {times} times for one batch, so that its later "
                "inputs depend on the statistics of its earlier ones; use recalibrate with "
                f"layerwise=False, or leave it out with {by_module[module].without}"
            )
    return [by_module[module] for module in calls]


def _add_up(
    model: nn.Module, batches: Iterable[Any], norm: Norm, statistics: Statistics, send: Call
) -> int:
    """Add what reaches ``norm`` to ``statistics``; return from how many batches it came."""
    count = 0

    def add(module: nn.Module, args: Any, kwargs: Any) -> None:
        with naming(norm):
            statistics.add(first_argument(args, kwargs))
        raise _Reached

    with _hooked([norm], add):
        for batch in batches:
            try:
                send(model, batch)
            except _Reached:
                count += 1
    return count


def all_at_once(
    model: nn.Module,
    batches: Iterable[Any],
    chosen: Sequence[Norm],
    send: Call,
    statistics_of: StatisticsOf,
) -> Iterator[Found]:
    """Yield the statistics of all norms from one pass, each normalizing by the batch's own.

    Raises:
        NormlibError: there are no batches.
    """
    by_module = {norm.module: norm for norm in chosen}
    statistics = {norm.module: statistics_of(norm.module) for norm in chosen}
    counts: dict[nn.Module, int] = {}
    momenta = {module: module.momentum for module in statistics if hasattr(module, "momentum")}

    def add(module: nn.Module, args: Any, kwargs: Any) -> None:
        counts[module] = counts.get(module, 0) + 1
        with naming(by_module[module]):
            statistics[module].add(first_argument(args, kwargs))

    try:
        for module in statistics:
            module.train()
            if module in momenta:
                module.momentum = 0.0  # type: ignore[assignment]  # to mypy a tensor
        with _hooked(chosen, add):
            empty = True
            for batch in batches:
                empty = False
                send(model, batch)
    finally:
        for module, momentum in momenta.items():
            module.momentum = momentum
    if empty:
        raise NormlibError("there are no batches to take statistics of; give at least one")
    yield from ((by_module[m], statistics[m], n) for m, n in counts.items())


def send_first(model: nn.Module, batch: Any) -> object:
    """Send a batch through: of a sequence such as (images, targets) the first, else all."""
    if isinstance(batch, Mapping):
        return model(**batch)
    return model(batch[0] if isinstance(batch, Sequence) else batch)


@contextmanager
def naming(norm: Norm) -> Iterator[None]:
    """Put the norm's name before what an error says."""
    try:
        yield
    except NormlibError as error:
        raise NormlibError(
            f"{norm} {error}; give more or other batches, or leave it out with {norm.without}"
        ) from error


@contextmanager
def _hooked(norms: Sequence[Norm], hook: Callable[[nn.Module, Any, Any], None]) -> Iterator[None]:
    handles = [n.module.register_forward_pre_hook(hook, with_kwargs=True) for n in norms]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
