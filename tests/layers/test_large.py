"""Activations of real size, where a layer may work by compiled loops or in blocks.

Sizes are odd so that no block ends where the tensor does. Compiled loops are for one thread, so
everything runs with one and with two.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode

from tests.layers.layouts import LAYOUTS
from tests.layers.measure import assert_same, observe, relative_error
from tests.layers.table import SUBJECT, Case

SHAPE = (37, 16, 29, 23)
LARGE = [
    Case("batch", "BatchNorm2d", (16,), SHAPE),
    Case("batch plain", "BatchNorm2d", (16,), SHAPE, {"affine": False}),
    Case("layer image", "LayerNorm", (list(SHAPE[1:]),), SHAPE),
    Case("layer last", "LayerNorm", (23,), SHAPE),
    Case("group", "GroupNorm", (4, 16), SHAPE),
    Case("instance", "InstanceNorm2d", (16,), SHAPE),
    Case("instance tracking", "InstanceNorm2d", (16,), SHAPE,
         {"affine": True, "track_running_stats": True}),
    Case("rms image", "RMSNorm", (list(SHAPE[1:]),), SHAPE),
    Case("rms last", "RMSNorm", (23,), SHAPE),
]  # fmt: skip


MEDIUM = [
    Case("batch flat", "BatchNorm1d", (40,), (150, 40)),
    Case("batch 1d", "BatchNorm1d", (16,), (20, 16, 19)),
    Case("batch 3d", "BatchNorm3d", (9,), (3, 9, 5, 7, 6)),
    Case("batch unbiased", "BatchNorm2d", (9,), (5, 9, 11, 13), {"bias": False}),
    Case("layer rows", "LayerNorm", (31,), (7, 29, 31), {"eps": 1e-2}),
    Case("layer plain", "LayerNorm", ([9, 11],), (5, 13, 9, 11), {"elementwise_affine": False}),
    Case("layer unbiased", "LayerNorm", ([13, 9, 11],), (5, 13, 9, 11), {"bias": False}),
    Case("group flat", "GroupNorm", (3, 60), (101, 60)),
    Case("group one", "GroupNorm", (1, 6), (7, 6, 11, 13)),
    Case("group all", "GroupNorm", (6, 6), (7, 6, 11, 13)),
    Case("group 3d", "GroupNorm", (2, 6), (3, 6, 7, 5, 11), {"affine": False}),
    Case("instance 1d", "InstanceNorm1d", (9,), (11, 9, 53)),
    Case("instance 3d", "InstanceNorm3d", (6,), (3, 6, 7, 5, 11), {"affine": True}),
    Case("rms rows", "RMSNorm", (31,), (7, 29, 31), {"eps": 1e-2}),
    Case("rms plain", "RMSNorm", ([9, 11],), (5, 13, 9, 11), {"elementwise_affine": False}),
]


@pytest.fixture(params=[1, 2], ids=["1 thread", "2 threads"], autouse=True)
def threads(request: pytest.FixtureRequest) -> Iterator[int]:
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
@pytest.mark.parametrize("case", [*MEDIUM, *LARGE[:1]], ids=str)
def test_second_derivatives(case: Case, training: bool) -> None:
    ours, theirs = (case.build(lib, training=training) for lib in (SUBJECT, nn))
    assert_same(observe(ours, case.input()), observe(theirs, case.input()))


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("case", MEDIUM, ids=str)
def test_medium_activations(case: Case, layout: str) -> None:
    x = LAYOUTS[layout](case.input())
    if x is None:
        return  # no such layout of this shape
    ours, theirs = (case.build(lib) for lib in (SUBJECT, nn))
    assert_same(*(observe(m, x, second=False, layout=layout) for m in (ours, theirs)))


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("case", LARGE, ids=str)
def test_large_activations(case: Case, layout: str) -> None:
    x = LAYOUTS[layout](case.input())
    assert x is not None
    for training in [True, False] if layout == "contiguous" else [True]:
        ours, theirs = (case.build(lib, training=training) for lib in (SUBJECT, nn))
        assert_same(observe(ours, x, second=False), observe(theirs, x, second=False))


@pytest.mark.parametrize("case", LARGE, ids=str)
def test_shapes_without_memory(case: Case) -> None:
    """Fake tensors have a shape and a type, and nothing that a compiled loop could read."""
    with FakeTensorMode():
        module = getattr(SUBJECT, case.cls)(*case.args, **case.kwargs)
        x = torch.empty(case.shape, requires_grad=True)
        y = module(x)
        y.sum().backward()
    assert y.shape == x.grad.shape == case.shape


@pytest.mark.parametrize("case", LARGE, ids=str)
def test_the_same_with_and_without_a_graph_of_the_backward(case: Case) -> None:
    """With ``create_graph`` nothing may be overwritten; the gradients are the same all the same."""
    module = case.build(SUBJECT)
    x = case.input().requires_grad_()
    w = torch.randn(x.shape, dtype=x.dtype, generator=torch.Generator().manual_seed(1))
    inputs = [x, *module.parameters()]
    plain = torch.autograd.grad(module(x), inputs, w)
    graph = torch.autograd.grad(module(x), inputs, w, create_graph=True)
    for a, b in zip(plain, graph, strict=True):
        assert relative_error(a, b.detach()) <= 1e-12


@pytest.mark.parametrize("layout", ["contiguous", "channels_last"])
@pytest.mark.parametrize("case", LARGE, ids=str)
def test_float32_is_as_close_to_the_truth_as_the_framework(case: Case, layout: str) -> None:
    """Errors against float64, with room of a factor four and some 20 units in the last place,
    since gradients of gamma sum up to 17,000 terms in an order of their own."""
    x = LAYOUTS[layout](case.input().float())
    assert x is not None
    exact = observe(case.build(nn), x.double(), second=False)
    ours, theirs = (
        observe(case.build(lib, dtype=torch.float32), x, second=False) for lib in (SUBJECT, nn)
    )
    for name, truth in exact.items():
        mine, peer = (relative_error(found[name].double(), truth.double())
                      for found in (ours, theirs))  # fmt: skip
        assert mine <= 4 * peer + 3e-6, f"{name}: {mine:.1e} against {peer:.1e}"


@pytest.mark.parametrize("case", LARGE, ids=str)
def test_inputs_and_cotangents_stay_untouched(case: Case) -> None:
    """Working in place must not reach what the caller holds."""
    module, x = case.build(SUBJECT), case.input().requires_grad_()
    y = module(x)
    w = torch.linspace(-1, 1, y.numel(), dtype=y.dtype).reshape(y.shape)
    held: list[tuple[Tensor, Tensor]] = [(t, t.detach().clone()) for t in (x, y, w)]
    held += [(p, p.detach().clone()) for p in module.parameters()]
    first = torch.autograd.grad(y, x, w, retain_graph=True)[0]
    again = torch.autograd.grad(y, x, w)[0]
    assert torch.equal(first, again)
    for now, before in held:
        assert torch.equal(now.detach(), before)
