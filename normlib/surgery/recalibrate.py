"""Recompute running statistics from data."""

from collections.abc import Iterable
from typing import Any

from torch import Tensor, nn

from normlib.surgery.example import evaluating
from normlib.surgery.norms import Only, has_averages
from normlib.surgery.passes import Call, all_at_once, one_by_one, send_first
from normlib.surgery.renewal import (
    all_or_nothing,
    refuse_a_spent,
    refuse_a_tensor,
    renewable,
    write,
)
from normlib.surgery.statistics import statistics_of


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
    statistics that they take themselves of all batches joined into one. The variance is unbiased,
    as training averages it; `adapt` writes the biased one, and says why.

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
    chosen = renewable(model, only, has_averages, "norm with running statistics")
    refuse_a_tensor(batches)
    if layerwise:
        refuse_a_spent(batches, "give a list or a DataLoader, or layerwise=False")
    send = send_first if call is None else call
    passes = one_by_one if layerwise else all_at_once
    with all_or_nothing(chosen), evaluating(model):
        for norm, statistics, count in passes(model, batches, chosen, send, statistics_of):
            write(norm, statistics)
            counter = getattr(norm.module, "num_batches_tracked", None)
            if isinstance(counter, Tensor):
                counter.fill_(count)
    return model
