"""Recompute running statistics from data."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from normlib.errors import NormlibError
from normlib.surgery.example import evaluating
from normlib.surgery.freeze import is_frozen
from normlib.surgery.norms import Norm, Only, find, has_averages, none_found
from normlib.surgery.passes import Call, all_at_once, all_of, in_order, naming, send_first
from normlib.surgery.statistics import Statistics


def recalibrate(
    model: nn.Module,
    batches: Iterable[Any],
    *,
    layerwise: bool = True,
    only: Only = None,
    call: Call | None = None,
) -> nn.Module:
    """Replace running statistics by the exact ones of all batches, in place.

    ``mu`` is the mean of all values of a channel, ``sigma2`` their unbiased variance around it,
    both pooled in float64, where averaging over batches would weigh a short last one as much as
    the others and miss the differences between their means. Other layers than BatchNorm get the
    statistics that they take themselves of all batches joined into one.

    What reaches a layer depends on those before it. By default each layer is recalibrated with
    the ones before it evaluated by their new statistics: the evaluated network then has at each
    layer exactly the mean and variance that the layer believes in, and it makes no difference
    how the samples are divided into batches. It takes one pass per layer, up to that layer.
    With ``layerwise=False`` there is one pass, in which the layers normalize each batch by its
    own statistics, as in training: what `torch.optim.swa_utils.update_bn` does, pooled instead of
    averaged. Then all but the first layers depend on the batches' size.

    All else is evaluated (no dropout), without gradients. Modes, parameters, gradients and
    ``momentum`` stay as they were; ``num_batches_tracked`` becomes the number of batches. Frozen
    norms, and those that no batch reaches, keep their statistics; after an error all do.

    Args:
        model: Holds norms with running statistics.
        batches: A list or a DataLoader; each pass goes through it anew, so it should give the
            same samples every time. A spent iterator will do with ``layerwise=False`` only.
        layerwise: Whether to recalibrate layer by layer.
        only: Tells from a qualified name whether that norm is recalibrated; None for all.
        call: Sends a batch through the model, ``call(model, batch)``. None: a tensor goes in as
            it is, of a sequence such as (images, targets) the first, a dictionary by names.

    Returns:
        The model.

    Raises:
        NormlibError: there is nothing to recalibrate, there are no batches, they can be read
            only once, or a norm gets values that have no statistics; the message names the norm.

    Source: Wu and Johnson 2021, https://arxiv.org/abs/2105.07576 (precise statistics in place of
    moving averages); Izmailov et al. 2018, https://arxiv.org/abs/1803.05407 (after averaging
    weights). Layer by layer is a choice of this library.
    """
    found = find(model, only, has_averages)
    chosen = [norm for norm in found if not is_frozen(norm.module)]
    if not chosen:
        if found:
            raise NormlibError(
                "all norms with running statistics are frozen; unfreeze(model) first"
            )
        raise none_found(model, only, "norm with running statistics")
    if isinstance(batches, Tensor):
        raise NormlibError("batches is one tensor; give a list of batches: [batch]")
    if layerwise and isinstance(batches, Iterator):
        raise NormlibError(
            f"batches, a {type(batches).__name__}, can be read only once, and layer by layer it is "
            "read once per layer; give a list or a DataLoader, or layerwise=False"
        )
    send = send_first if call is None else call
    with _all_or_nothing(chosen), evaluating(model):
        if layerwise:
            for norm in in_order(model, batches, chosen, send):
                _write(norm, *all_of(model, batches, norm, send))
        else:
            for norm, statistics, count in all_at_once(model, batches, chosen, send):
                _write(norm, statistics, count)
    return model


def _write(norm: Norm, statistics: Statistics, count: int) -> None:
    with naming(norm):
        averages = statistics.averages()
    for name, value in averages.items():
        if not torch.isfinite(value).all():
            raise NormlibError(
                f"{norm} gets values whose {name} is not finite; look for NaN and infinity in the "
                "batches and in the layers before"
            )
        norm.module.get_buffer(name).copy_(value)
    counter = getattr(norm.module, "num_batches_tracked", None)
    if isinstance(counter, Tensor):
        counter.fill_(count)


@contextmanager
def _all_or_nothing(norms: Sequence[Norm]) -> Iterator[None]:
    """Undo all changes of buffers if anything goes wrong."""
    before = [(b, b.clone()) for norm in norms for b in norm.module.buffers()]
    try:
        yield
    except BaseException:
        with torch.no_grad():
            for buffer, value in before:
                buffer.copy_(value)
        raise
