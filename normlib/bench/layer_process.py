"""Time one layer on one shape: ``python -m normlib.bench.layer_process '{"ours": ...}'``.

Prints one JSON object: the median seconds of one forward and backward pass for ``ours``, ``peer``
and ``again`` (the peer once more, as the noise), and the bytes saved for backward.
"""

import importlib
import json
import statistics
import sys
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from normlib.bench import timing

GROUPS = 8
SAMPLE = 0.02
"""Seconds that one timed sample takes at least."""

Layer = Callable[[Tensor], Tensor]
Name = tuple[str, str]
CATALOGUE = "catalogue"


def build(namespace: str, layer: str, shape: tuple[int, ...]) -> nn.Module:
    """Return a layer for inputs ``(N, C, H, W)``.

    ``namespace.layer`` with a scale and a shift, or, where the namespace is "catalogue", the
    method of that name as the catalogue builds it.
    """
    if namespace == CATALOGUE:
        from normlib.methods import catalogue

        return catalogue[layer].build(shape[1:])
    factory = getattr(importlib.import_module(namespace), layer)
    arguments: dict[str, dict[str, Any]] = {
        "BatchNorm2d": {"num_features": shape[1]},
        "LayerNorm": {"normalized_shape": shape[1:]},
        "GroupNorm": {"num_groups": GROUPS, "num_channels": shape[1]},
        "InstanceNorm2d": {"num_features": shape[1], "affine": True},
    }
    module: nn.Module = factory(**arguments[layer])
    return module


def saved_bytes(layer: Layer, x: Tensor) -> int:
    """Return the bytes of the storages, each counted once, that autograd keeps for backward."""
    storages: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        storages[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        y = layer(x)
    del y  # alive until here, so that no storage is freed and its address used again
    return sum(storages.values())


def measure(
    ours: Name, peer: Name, shape: tuple[int, ...], compiled: bool, pairs: int
) -> dict[str, float]:
    """Return what the module's docstring says; ``ours`` and ``peer`` are namespace and layer."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    x = torch.randn(shape, requires_grad=True)
    gradient = torch.randn(shape)
    layers: dict[str, Layer] = {}
    passes: dict[str, Callable[[], object]] = {}
    for name, (namespace, layer) in (("ours", ours), ("peer", peer), ("again", peer)):
        module = build(namespace, layer, shape)
        layers[name] = torch.compile(module, fullgraph=True) if compiled else module
        passes[name] = both_ways(layers[name], [x, *module.parameters()], gradient)
    for _ in range(3):  # compiles, and fills the allocator's pools
        for one in passes.values():
            one()
    # All candidates make the same number of calls, or the shorter would pay more for the loop.
    count = timing.calls_for(passes["peer"], SAMPLE)
    samples = {name: timing.times(count, one) for name, one in passes.items()}
    taken = timing.interleaved(samples, pairs)
    result: dict[str, float] = {n: statistics.median(t) / count for n, t in taken.items()}
    result["ours_bytes"] = saved_bytes(layers["ours"], x)
    result["peer_bytes"] = saved_bytes(layers["peer"], x)
    return result


def both_ways(layer: Layer, inputs: list[Tensor], gradient: Tensor) -> Callable[[], object]:
    """Return a function that runs the layer forward and backward to all of ``inputs``."""
    return lambda: torch.autograd.grad(layer(inputs[0]), inputs, gradient)


if __name__ == "__main__":
    job = json.loads(sys.argv[1])
    print(json.dumps(measure(**{**job, "shape": tuple(job["shape"])})))
