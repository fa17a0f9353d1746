"""AdaBN: to a new domain by its statistics alone; all that was learned stays."""

from collections.abc import Iterable
from typing import Any

from torch import nn

from normlib.errors import NormlibError
from normlib.layers import AdaBatchNorm, AutoDIAL
from normlib.surgery.example import evaluating
from normlib.surgery.norms import Only
from normlib.surgery.passes import Call, one_by_one, send_first
from normlib.surgery.renewal import (
    all_or_nothing,
    refuse_a_spent,
    refuse_a_tensor,
    renewable,
    write,
)
from normlib.surgery.statistics import Pooled, Statistics


def adapt(
    model: nn.Module,
    batches: Iterable[Any],
    *,
    only: Only = None,
    call: Call | None = None,
) -> nn.Module:
    """Replace the statistics of a model's adaptive layers by those of a target domain, in place.

    In every `AdaBatchNorm`, and for the target in every `AutoDIAL`, the running mean and variance
    become mean and biased variance of the layer's input over all of ``batches``: the model in
    evaluation then treats the target domain as it would in training, given all of it as one batch.
    How it is divided into batches makes no difference.

    It is `recalibrate` with two differences. It touches adaptive layers only, so that norms of
    other classes stay those of the source. And the variance is the biased one, by which training
    normalizes, since the target's samples are all that there is to be normalized; `recalibrate`
    writes the unbiased one, which training would have averaged, an estimate for samples to come.

    What reaches a layer depends on the statistics of those before it. Therefore the layers are
    adapted one after the other, in the order in which the batches reach them, with one pass over
    the batches for each. One that no batch reaches, or that is frozen, keeps its statistics.
    Nothing else changes: neither parameters, nor other buffers (``num_batches_tracked`` still
    counts the source's), nor modes. If something fails, no statistics are changed either.

    Args:
        model: Holds such layers.
        batches: Target batches, which every pass must find the same: a list, or a DataLoader
            without random augmentation.
        only: Tells from a qualified name whether that layer is adapted; None for all.
        call: Sends a batch through the model, ``call(model, batch)``. None: a tensor goes in as
            it is, of a sequence such as (images, labels) the first, a dictionary by names.

    Returns:
        The model.

    Raises:
        NormlibError: the model has no such layer, or calls one twice for a batch; there is no
            batch or only one value of a channel; ``batches`` can be passed over only once, or is
            itself a tensor.

    Source: Li, Wang, Shi, Liu and Hou 2016, https://arxiv.org/abs/1603.04779. Layer by layer is a
    choice of this library.
    """
    chosen = renewable(model, only, _is_adaptive, "AdaBatchNorm or AutoDIAL layer")
    if any(isinstance(n.module, AutoDIAL) and n.module.domains is not None for n in chosen):
        raise NormlibError("adapt takes target batches only; call it outside of `domains`")
    refuse_a_tensor(batches)
    refuse_a_spent(batches, "give a list or a DataLoader")
    send = send_first if call is None else call
    with all_or_nothing(chosen), evaluating(model):
        for norm, statistics, _ in one_by_one(model, batches, chosen, send, _of_the_target):
            write(norm, statistics)
    return model


def _is_adaptive(module: nn.Module) -> bool:
    return isinstance(module, AdaBatchNorm | AutoDIAL)


def _of_the_target(norm: nn.Module) -> Statistics:
    return Pooled(correction=0, prefix="target_" if isinstance(norm, AutoDIAL) else "")
