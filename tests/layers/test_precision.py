"""float32, bfloat16 and float16 within PyTorch's own tolerances, and autocast's types."""

from __future__ import annotations

import copy
import warnings

import pytest
import torch
from torch import Tensor, nn

from tests.layers.layouts import LAYOUTS
from tests.layers.measure import Named, observe
from tests.layers.table import BY_NAME, CASES, SUBJECT, Case

HALF = [torch.bfloat16, torch.float16]
ONE_EACH = [
    BY_NAME[name]
    for name in (
        "BatchNorm1d", "BatchNorm2d", "BatchNorm3d", "LayerNorm-last", "LayerNorm-image",
        "GroupNorm-2d", "InstanceNorm2d-affine", "InstanceNorm2d-tracking", "RMSNorm-last",
    )
]  # fmt: skip


def _observe(module: nn.Module, x: Tensor) -> Named:
    with warnings.catch_warnings():  # torch's RMSNorm warns that mixed types are not fused
        warnings.filterwarnings("ignore", "Mismatch dtype between input and weight")
        return observe(module, x, second=False)


RTOL = {torch.float32: 1.3e-6, torch.bfloat16: 1.6e-2, torch.float16: 1e-3}
"""The relative tolerances of ``torch.testing.assert_close``; the absolute one is 1e-5."""


def _assert_close(ours: Named, theirs: Named, truth: Named, x: Tensor) -> None:
    """Every entry within ``assert_close``'s default tolerances of the framework's, or else of
    the truth: with bfloat16 parameters the framework rounds the mean itself to bfloat16, and is
    then further from the truth than its own tolerance.

    Sums over many terms (gradients of gamma and beta, statistics) may cancel: their absolute
    tolerance is the relative one of the computation times the largest entry.
    """
    assert list(ours) == list(theirs)
    for name, expected in theirs.items():
        found = ours[name]
        assert found.dtype == expected.dtype, f"{name}: {found.dtype}, not {expected.dtype}"
        if not expected.is_floating_point():
            assert torch.equal(found, expected)
            continue
        rtol = max(RTOL[x.dtype], RTOL[expected.dtype])
        atol = 1e-5 if name == "output" else max(1e-5, rtol * expected.abs().max().item())
        far = torch.ones_like(found, dtype=torch.bool)
        for reference in (expected, truth[name]):
            distance = (found.double() - reference.double()).abs()
            far &= distance > atol + rtol * reference.double().abs()
        assert not far.any(), f"{name}: {found[far]} in place of {expected[far]}"


def _compare(case: Case, x: Tensor, parameters: torch.dtype, training: bool) -> None:
    ours, theirs = (case.build(lib, dtype=parameters, training=training) for lib in (SUBJECT, nn))
    exact = copy.deepcopy(theirs).double()
    truth = _observe(exact, x.double())
    _assert_close(_observe(ours, x), _observe(theirs, x), truth, x)


@pytest.mark.parametrize("layout", ["contiguous", "channels_last", "transposed"])
@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
@pytest.mark.parametrize("dtype", [torch.float32, *HALF], ids=str)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_same_as_the_framework(case: Case, dtype: torch.dtype, training: bool, layout: str) -> None:
    x = LAYOUTS[layout](case.input().to(dtype))
    if x is None:
        return  # no such layout of this shape
    _compare(case, x, dtype, training)


@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
@pytest.mark.parametrize("dtype", HALF, ids=str)
@pytest.mark.parametrize("case", ONE_EACH, ids=str)
def test_half_input_with_float32_parameters(case: Case, dtype: torch.dtype, training: bool) -> None:
    """The usual mixed precision: statistics stay in float32, the output has the input's type."""
    x = case.input().to(dtype)
    _compare(case, x, torch.float32, training)


@pytest.mark.parametrize("dtype", HALF, ids=str)
@pytest.mark.parametrize(
    "cls", ["BatchNorm2d", "LayerNorm", "GroupNorm", "InstanceNorm2d", "RMSNorm"]
)
def test_statistics_of_half_precision_are_taken_in_float32(cls: str, dtype: torch.dtype) -> None:
    """4,096 entries near 100: a bfloat16 sum would stop growing long before the end."""
    generator = torch.Generator().manual_seed(0)
    x = (100 + torch.randn(2, 4, 64, 64, generator=generator)).to(dtype)
    args = {"LayerNorm": ([4, 64, 64],), "GroupNorm": (2, 4), "RMSNorm": ([64, 64],)}
    layer = getattr(SUBJECT, cls)(*args.get(cls, (4,)))
    exact = layer.double()(x.double())
    found = layer.to(dtype)(x).double()
    error, largest = (t.abs().max().item() for t in (found - exact, exact))
    # One rounding of the result, nothing else: half a unit in the last place.
    assert error <= 0.51 * torch.finfo(dtype).eps * largest


@pytest.mark.parametrize("parameters", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
@pytest.mark.parametrize("case", ONE_EACH, ids=str)
def test_autocast_gives_the_frameworks_types(
    case: Case, training: bool, dtype: torch.dtype, parameters: torch.dtype
) -> None:
    found = []
    for lib in (SUBJECT, nn):
        module = case.build(lib, dtype=parameters, training=training)
        x = case.input().to(dtype).requires_grad_()
        try:
            with warnings.catch_warnings(), torch.autocast("cpu", dtype=torch.bfloat16):
                warnings.filterwarnings("ignore", "Mismatch dtype between input and weight")
                y = module(x)
            y.sum().backward()
            found.append((y.dtype, x.grad.dtype, [p.grad.dtype for p in module.parameters()]))
        except RuntimeError:
            found.append(None)  # the framework refuses this mixture; we need not
    if found[1] is not None:
        assert found[0] == found[1]


@pytest.mark.parametrize("graph", [False, True], ids=["once", "to differentiate again"])
@pytest.mark.parametrize("case", ONE_EACH, ids=str)
def test_autocast_does_not_round_the_backward_pass(case: Case, graph: bool) -> None:
    """It rounds products of matrices, which a backward pass may be written in."""
    module, x = case.build(SUBJECT, dtype=torch.float32), case.input().float().requires_grad_()
    g = torch.linspace(-1, 2, x.numel()).reshape(x.shape)
    inputs = [x, *module.parameters()]
    expected = torch.autograd.grad(module(x), inputs, g, create_graph=graph)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = torch.autograd.grad(module(x), inputs, g, create_graph=graph)
    for one, other in zip(found, expected, strict=True):
        assert torch.equal(one, other)


def test_float32_running_statistics_of_half_layers_follow_the_framework() -> None:
    """A layer moved to bfloat16 keeps bfloat16 buffers, one left in float32 keeps float32 ones."""
    x = BY_NAME["BatchNorm2d"].input().bfloat16()
    for dtype in (torch.float32, torch.bfloat16):
        layer = BY_NAME["BatchNorm2d"].build(SUBJECT, dtype=dtype)
        layer(x)
        assert layer.running_mean.dtype == layer.running_var.dtype == dtype
