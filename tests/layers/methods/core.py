"""The methods that torch has, too, and the two halves of BatchNorm, as cases.

The generic tests of ``test_methods.py`` do not run on them: the table of module inputs drives
theirs, in all dimensions and beside torch. Its cases of images are taken from there.
"""

from __future__ import annotations

import numpy as np
from torch import nn

import normlib
from tests.layers import table
from tests.layers.methods.case import Array, MethodCase
from tests.layers.reference import Reference, reference, running

METHODS = {
    "BatchNorm2d": "batch",
    "LayerNorm": "layer",
    "GroupNorm": "group",
    "InstanceNorm2d": "instance",
    "RMSNorm": "rms",
}


def _formula(module: nn.Module, x: Array) -> Reference:
    return reference(
        type(module).__name__,
        x.shape,
        np.finfo(float).eps if module.eps is None else module.eps,
        groups=getattr(module, "num_groups", 1),
        trailing=len(getattr(module, "normalized_shape", ())),
    )


def _value(module: nn.Module, name: str, otherwise: Array) -> Array:
    parameter = getattr(module, name, None)
    return otherwise if parameter is None else parameter.detach().numpy()


def normalized(module: nn.Module, x: Array, training: bool) -> Array:
    formula = _formula(module, x)
    gamma = _value(module, "weight", np.ones(formula.affine))
    beta = _value(module, "bias", np.zeros(formula.affine))
    if training or getattr(module, "running_mean", None) is None:
        return formula.forward(x, gamma, beta)
    mean, variance = (
        buffer.numpy().reshape(formula.affine)
        for buffer in (module.running_mean, module.running_var)
    )
    xhat = (x - mean) / np.sqrt(variance + formula.eps)
    return xhat * gamma.reshape(formula.affine) + beta.reshape(formula.affine)


def state(module: nn.Module, x: Array) -> dict[str, Array]:
    """Of InstanceNorm: the mean of what each sample by itself would have left behind."""
    if getattr(module, "running_mean", None) is None:
        return {}
    count = int(module.num_batches_tracked) + 1
    momentum = 1 / count if module.momentum is None else module.momentum
    old = module.running_mean.numpy(), module.running_var.numpy()
    by_sample = isinstance(module, nn.InstanceNorm2d)
    parts = [sample[None] for sample in x] if by_sample else [x]
    mean, variance = np.mean([running(old, part, momentum) for part in parts], 0)
    return {"running_mean": mean, "running_var": variance}


def layer_channels(module: normlib.LayerNormChannels, x: Array, training: bool) -> Array:
    return np.moveaxis(normalized(module.norm, np.moveaxis(x, 1, -1), training), -1, 1)


def affine(module: normlib.AffineLayer, x: Array, training: bool) -> Array:
    gamma, beta = (
        p.detach().numpy().reshape(1, -1, *[1] * (x.ndim - 2)) for p in (module.weight, module.bias)
    )
    return gamma * x + beta


def _name(case: table.Case) -> str:
    """``GroupNorm-plain`` as the catalogue's name and what is special: ``group-plain``."""
    if "track_running_stats" in case.kwargs and case.cls == "BatchNorm2d":
        return "batch-batchstats"
    _, _, special = case.name.partition("-")
    return "-".join(part for part in (METHODS[case.cls], special) if part)


def _of(case: table.Case) -> MethodCase:
    return MethodCase(
        name=_name(case),
        make=lambda: getattr(normlib, case.cls)(*case.args, **case.kwargs),
        shape=case.shape,
        reference=normalized,
        state=state,
    )


CORE = (
    *(_of(case) for case in table.CASES if case.cls in METHODS and len(case.shape) == 4),
    MethodCase(
        name="batch-minus",
        make=lambda: normlib.BatchNormMinus(4, momentum=0.3),
        shape=(3, 4, 3, 2),
        reference=normalized,
        state=state,
        also=((6, 4), (3, 4, 5)),
    ),
    MethodCase(
        name="layer-channels",
        make=lambda: normlib.LayerNormChannels(4),
        shape=(3, 4, 3, 2),
        reference=layer_channels,
        also=((6, 4), (3, 4, 5)),
    ),
    MethodCase(
        name="affine",
        make=lambda: normlib.AffineLayer(4),
        shape=(3, 4, 3, 2),
        reference=affine,
        also=((6, 4), (3, 4, 5)),
    ),
)
