"""Our own computation: no normalization operator of torch's is dispatched, in any order of
differentiation, and no more memory is held for the backward than torch.nn holds."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from tests.layers.measure import observe
from tests.layers.table import BY_NAME, CASES, SUBJECT, Case

FORBIDDEN = re.compile(
    r"(batch|layer|group|instance|rms|weight)_?norm|batch_norm|native_norm|norm_interface"
)
"""Not ``linalg_vector_norm``: the length of a vector is no normalization."""


class Dispatched(TorchDispatchMode):
    """Collects the names of all operators that reach a kernel."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.names.add(str(func))
        return func(*args, **(kwargs or {}))


class Called(TorchFunctionMode):
    """Collects the names of torch's functions, before they are taken apart."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.names.add(getattr(func, "__qualname__", str(func)))
        return func(*args, **(kwargs or {}))


def _operators(library: object, case: Case, training: bool) -> set[str]:
    module = case.build(library, training=training)
    with Called() as called, Dispatched() as dispatched:
        observe(module, case.input())
    assert dispatched.names, "nothing was dispatched: the test sees nothing"
    return {name for name in called.names | dispatched.names if FORBIDDEN.search(name)}


@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_no_normalization_operator_of_torch(case: Case, training: bool) -> None:
    assert _operators(SUBJECT, case, training) == set()


@pytest.mark.parametrize("cls", sorted({c.cls for c in CASES}))
def test_the_framework_itself_is_caught(cls: str) -> None:
    case = next(c for c in CASES if c.cls == cls)
    assert _operators(nn, case, True)


def _python_nodes(node: Any, seen: set[Any]) -> Iterator[Any]:
    if node is None or node in seen:
        return
    seen.add(node)
    yield node
    for following, _ in node.next_functions:
        yield from _python_nodes(following, seen)


def _storage(t: Tensor) -> tuple[int, int]:
    storage = t.untyped_storage()
    return storage.data_ptr(), storage.nbytes()


def _saved_bytes(module: nn.Module, x: Tensor) -> int:
    """Bytes of the storages that the graph holds, not counting those that live anyway."""
    saved: dict[int, int] = {}

    def pack(t: Tensor) -> Tensor:
        pointer, size = _storage(t)
        saved[pointer] = size
        return t

    x = x.requires_grad_()
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda t: t):
        y = module(x)
    for node in _python_nodes(y.grad_fn, set()):
        for value in getattr(node, "__dict__", {}).values():
            assert not isinstance(value, Tensor), "a tensor held beside save_for_backward"
    for alive in (x, *module.parameters(), *module.buffers()):
        saved.pop(_storage(alive)[0], None)
    return sum(saved.values())


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last], ids=str)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
@pytest.mark.parametrize(
    "name",
    ["BatchNorm2d", "BatchNorm2d-plain", "LayerNorm-image", "LayerNorm-plain", "GroupNorm-2d",
     "InstanceNorm2d", "InstanceNorm2d-affine", "InstanceNorm2d-tracking", "RMSNorm-image"],
)  # fmt: skip
def test_no_more_memory_for_the_backward(
    name: str, training: bool, dtype: torch.dtype, layout: torch.memory_format
) -> None:
    """With float32 parameters, as in mixed precision. Where there are none, torch rounds the
    statistics of bfloat16 input to bfloat16; ours stay float32, on purpose: twice as large."""
    case = BY_NAME[name]
    x = case.input().to(dtype).contiguous(memory_format=layout)
    with warnings.catch_warnings():  # torch's RMSNorm warns that mixed types are not fused
        warnings.filterwarnings("ignore", "Mismatch dtype between input and weight")
        ours, theirs = (
            _saved_bytes(case.build(lib, dtype=torch.float32, training=training), x.clone())
            for lib in (SUBJECT, nn)
        )
    rounded = dtype == torch.bfloat16 and not list(case.build(nn).parameters())
    assert ours <= theirs * (2 if rounded else 1)


def test_nothing_is_held_when_nothing_needs_a_gradient() -> None:
    for case in CASES:
        module = case.build(SUBJECT).requires_grad_(False)
        y = module(case.input())
        assert y.grad_fn is None
        assert not y.requires_grad
