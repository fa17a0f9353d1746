"""A parity case computed by normlib's layer or by torch.nn's. Imports torch when called."""

import importlib
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from normlib.analysis.parity.cases import MOMENTUM, Case

Library = Literal["normlib", "torch"]
Array = NDArray[Any]


def results(case: Case, library: Library, dtype: str = "float64") -> dict[str, Array]:
    """Return the QUANTITIES that ``case`` has, by ``library`` in ``dtype``."""
    import torch

    layer: Any = _layer(case, library, dtype)
    kind = getattr(torch, dtype)
    x, gy, u = (torch.from_numpy(a.copy()).to(kind) for a in (case.x, case.gy, case.u))
    x.requires_grad_()
    gy.requires_grad_()
    y = _apply(case, layer, x)
    names = {"weight": "ggamma", "bias": "gbeta"}
    parameters = dict(layer.named_parameters())
    gx, *first = torch.autograd.grad(y, [x, *parameters.values()], gy, create_graph=True)
    hx, hgy, hgamma = torch.autograd.grad(
        (u * gx).sum(), [x, gy, layer.weight], materialize_grads=True
    )
    found = {"y": y, "gx": gx, "hx": hx, "hgy": hgy, "hgamma": hgamma}
    found |= {names[name]: g for name, g in zip(parameters, first, strict=True)}
    if case.method == "batch":
        found |= {name: getattr(layer, name) for name in ("running_mean", "running_var")}
    return {name: np.array(value.detach().numpy()) for name, value in found.items()}


def _layer(case: Case, library: Library, dtype: str) -> Any:
    """Return the layer of ``case`` with its parameters and running statistics."""
    import torch

    source: Any = importlib.import_module("normlib" if library == "normlib" else "torch.nn")
    options = {"eps": case.eps, "dtype": getattr(torch, dtype)}
    channels, image = case.x.shape[1], list(case.x.shape[1:])
    layer: Any = {
        "batch": lambda: source.BatchNorm2d(channels, momentum=MOMENTUM, **options),
        "layer": lambda: source.LayerNorm(image, **options),
        "layer-channels": lambda: source.LayerNorm(channels, **options),
        "group": lambda: source.GroupNorm(case.groups, channels, **options),
        "instance": lambda: source.InstanceNorm2d(channels, affine=True, **options),
        "rms": lambda: source.RMSNorm(image, **options),
        "rms-channels": lambda: source.RMSNorm(channels, **options),
    }[case.method]()
    stored = {"weight": case.gamma, "bias": case.beta}
    stored |= {"running_mean": case.running_mean, "running_var": case.running_var}
    with torch.no_grad():
        for name, tensor in layer.state_dict().items():
            if name in stored:
                tensor.copy_(torch.from_numpy(stored[name].copy()))
    return layer.train(case.training)


def _apply(case: Case, layer: Any, x: Any) -> Any:
    if case.method.endswith("-channels"):
        return layer(x.movedim(1, -1)).movedim(-1, 1)
    return layer(x)
