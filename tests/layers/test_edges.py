"""Edges: empty batches, batches of one, constants, wrong shapes. What torch does, we do."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

import normlib
from tests.layers.table import CLASSES, SUBJECT

Outcome = tuple[str, object]


def _outcome(
    library: object, cls: str, args: tuple, kwargs: dict, x: Tensor, training: bool
) -> Outcome:
    """Output, gradient and buffers, or the type of the error and its text."""
    try:
        module = getattr(library, cls)(*args, **kwargs).train(training)
        if x.is_floating_point():
            module, x = module.to(x.dtype), x.detach().requires_grad_()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            y = module(x)
        (y * torch.linspace(-1, 2, y.numel(), dtype=y.dtype).reshape(y.shape)).sum().backward()
    except (RuntimeError, ValueError, TypeError, IndexError) as error:
        return "error", error
    return "value", (y.detach(), x.grad, [p.grad for p in module.parameters()],
                     {k: v.clone() for k, v in module.named_buffers()})  # fmt: skip


def _zeros(*shape: int) -> Tensor:
    return torch.zeros(shape, dtype=torch.float64)


def _ramp(*shape: int) -> Tensor:
    x = torch.zeros(shape, dtype=torch.float64)
    return torch.linspace(-1, 3, x.numel(), dtype=torch.float64).sin().reshape(shape)


_ONES = torch.ones(2, 4, 2, 2, dtype=torch.int64)


EDGES = {
    "batch1d of one": ("BatchNorm1d", (4,), {}, _ramp(1, 4)),
    "batch1d of one, longer": ("BatchNorm1d", (4,), {}, _ramp(1, 4, 3)),
    "batch2d of one": ("BatchNorm2d", (4,), {}, _ramp(1, 4, 1, 1)),
    "batch2d of one, batch statistics": (
        "BatchNorm2d", (4,), {"track_running_stats": False}, _ramp(1, 4, 1, 1)),
    "batch2d of one image": ("BatchNorm2d", (4,), {}, _ramp(1, 4, 2, 2)),
    "batch1d empty": ("BatchNorm1d", (4,), {}, _zeros(0, 4)),
    "batch1d empty, longer": ("BatchNorm1d", (4,), {}, _zeros(0, 4, 3)),
    "batch2d empty": ("BatchNorm2d", (4,), {}, _zeros(0, 4, 2, 2)),
    "batch2d empty, cumulative": ("BatchNorm2d", (4,), {"momentum": None}, _zeros(0, 4, 2, 2)),
    "batch3d empty": ("BatchNorm3d", (4,), {"affine": False}, _zeros(0, 4, 2, 2, 2)),
    "batch2d of no pixels": ("BatchNorm2d", (4,), {}, _zeros(2, 4, 0, 2)),
    "batch2d wrong channels": ("BatchNorm2d", (4,), {}, _ramp(2, 3, 2, 2)),
    "batch2d wrong channels, plain": ("BatchNorm2d", (4,), {"affine": False}, _ramp(2, 3, 2, 2)),
    "batch2d wrong channels, batch statistics": (
        "BatchNorm2d", (4,), {"affine": False, "track_running_stats": False}, _ramp(2, 3, 2, 2)),
    "batch2d one channel for four": ("BatchNorm2d", (4,), {}, _ramp(2, 1, 2, 2)),
    "batch2d four channels for one": ("BatchNorm2d", (1,), {}, _ramp(2, 4, 2, 2)),
    "batch2d four channels for one, plain": (
        "BatchNorm2d", (1,), {"affine": False}, _ramp(2, 4, 2, 2)),
    "batch2d four channels for one, batch statistics": (
        "BatchNorm2d", (1,), {"track_running_stats": False}, _ramp(2, 4, 2, 2)),
    "batch2d given 3 dimensions": ("BatchNorm2d", (4,), {}, _ramp(2, 4, 2)),
    "batch1d given 4 dimensions": ("BatchNorm1d", (4,), {}, _ramp(2, 4, 2, 2)),
    "batch3d given 4 dimensions": ("BatchNorm3d", (4,), {}, _ramp(2, 4, 2, 2)),
    "batch2d eps of zero": ("BatchNorm2d", (4,), {"eps": 0.0}, _ramp(2, 4, 2, 2)),
    "batch2d constant": ("BatchNorm2d", (4,), {}, _zeros(2, 4, 2, 2) + 3),
    "layer empty": ("LayerNorm", (4,), {}, _zeros(0, 4)),
    "layer of nothing": ("LayerNorm", (0,), {}, _zeros(3, 0)),
    "layer of one": ("LayerNorm", (1,), {}, _ramp(3, 1)),
    "layer constant": ("LayerNorm", (4,), {}, _zeros(3, 4) + 3),
    "layer wrong size": ("LayerNorm", (4,), {}, _ramp(3, 5)),
    "layer wrong trailing sizes": ("LayerNorm", ([2, 4],), {}, _ramp(3, 4, 2)),
    "layer too few dimensions": ("LayerNorm", ([2, 3, 4],), {}, _ramp(3, 4)),
    "layer over no dimensions": ("LayerNorm", ([],), {}, _ramp(3, 4)),
    "rms empty": ("RMSNorm", (4,), {}, _zeros(0, 4)),
    "rms of zeros": ("RMSNorm", (4,), {}, _zeros(3, 4)),
    "rms of zeros, eps": ("RMSNorm", (4,), {"eps": 1e-3}, _zeros(3, 4)),
    "rms of one": ("RMSNorm", (1,), {}, _ramp(3, 1)),
    "rms wrong size": ("RMSNorm", (4,), {}, _ramp(3, 5)),
    "group empty": ("GroupNorm", (2, 4), {}, _zeros(0, 4, 2, 2)),
    "group of one sample": ("GroupNorm", (2, 4), {}, _ramp(1, 4)),
    "group of single entries": ("GroupNorm", (4, 4), {}, _ramp(3, 4)),
    "group of one entry in all": ("GroupNorm", (4, 4), {}, _ramp(1, 4)),
    "group constant": ("GroupNorm", (2, 4), {}, _zeros(3, 4, 2) + 3),
    "group wrong channels": ("GroupNorm", (2, 4), {}, _ramp(3, 6, 2)),
    "group indivisible": ("GroupNorm", (3, 4), {}, _ramp(3, 4, 2)),
    "group given one dimension": ("GroupNorm", (2, 4), {}, _ramp(4)),
    "group wrong channels, plain": ("GroupNorm", (2, 4), {"affine": False}, _ramp(3, 6, 2)),
    "instance empty": ("InstanceNorm2d", (4,), {}, _zeros(0, 4, 2, 2)),
    "instance of one pixel": ("InstanceNorm2d", (4,), {}, _ramp(2, 4, 1, 1)),
    "instance of one pixel, tracking": (
        "InstanceNorm2d", (4,), {"track_running_stats": True}, _ramp(2, 4, 1, 1)),
    "instance constant": ("InstanceNorm2d", (4,), {}, _zeros(2, 4, 2, 2) + 3),
    "instance wrong channels, affine": (
        "InstanceNorm2d", (4,), {"affine": True}, _ramp(2, 3, 2, 2)),
    "instance wrong channels": ("InstanceNorm2d", (4,), {}, _ramp(2, 3, 2, 2)),
    "instance wrong channels, tracking": (
        "InstanceNorm2d", (4,), {"track_running_stats": True}, _ramp(2, 3, 2, 2)),
    "instance one channel for four, tracking": (
        "InstanceNorm2d", (4,), {"track_running_stats": True}, _ramp(2, 1, 2, 2)),
    "instance four channels for one, tracking": (
        "InstanceNorm2d", (1,), {"track_running_stats": True}, _ramp(2, 4, 2, 2)),
    "instance2d given 2 dimensions": ("InstanceNorm2d", (4,), {}, _ramp(4, 2)),
    "instance1d given 4 dimensions": ("InstanceNorm1d", (4,), {}, _ramp(2, 4, 2, 2)),
    "instance eps of zero": ("InstanceNorm2d", (4,), {"eps": 0.0}, _ramp(2, 4, 2, 2)),
    "layer negative eps": ("LayerNorm", (4,), {"eps": -1e-3}, _ramp(3, 4)),
    "batch integers": ("BatchNorm2d", (4,), {}, _ONES),
    "batch bytes": ("BatchNorm2d", (4,), {}, _ONES.byte()),
    "layer integers": ("LayerNorm", (2,), {}, _ONES),
    "group integers": ("GroupNorm", (2, 4), {}, _ONES),
    "instance integers": ("InstanceNorm2d", (4,), {}, _ONES),
    "rms integers": ("RMSNorm", (2,), {}, _ONES),
}  # fmt: skip


@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
@pytest.mark.parametrize("name", EDGES)
def test_same_value_or_same_kind_of_error(name: str, training: bool) -> None:
    cls, args, kwargs, x = EDGES[name]
    ours, theirs = (_outcome(lib, cls, args, kwargs, x, training) for lib in (SUBJECT, nn))
    assert ours[0] == theirs[0], f"torch.nn: {theirs}; ours: {ours}"
    if theirs[0] == "error":
        assert isinstance(ours[1], type(theirs[1])), f"{ours[1]!r} in place of {theirs[1]!r}"
        assert str(ours[1]), "an error without a text"
    else:
        torch.testing.assert_close(ours[1], theirs[1], rtol=1e-11, atol=1e-11, equal_nan=True)


@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
@pytest.mark.parametrize(
    "make",
    [
        lambda: normlib.BatchNormMinus(5),
        lambda: normlib.BatchNormMinus(5, track_running_stats=False),
        lambda: normlib.AdaBatchNorm(5, affine=False),
    ],
)
def test_what_torch_has_not_refuses_other_channels(
    make: Callable[[], nn.Module], training: bool
) -> None:
    """torch's BatchNorm2d takes them where it has neither parameters nor running averages."""
    layer = make().train(training)
    with pytest.raises(RuntimeError, match=r"5 channels in dimension 1.*\(4, 3, 2, 2\)"):
        layer(torch.zeros(4, 3, 2, 2))


@pytest.mark.parametrize("cls", ["BatchNorm1d", "BatchNorm2d", "BatchNorm3d"])
def test_an_empty_batch_keeps_the_running_statistics(cls: str) -> None:
    """torch's quirk, copied: the statistics stay, the batch is counted."""
    layer = getattr(SUBJECT, cls)(3)
    shape = (0, 3, 2, 2, 2)[: 2 + int(cls[-2])]
    y = layer(torch.zeros(shape))
    assert y.shape == shape
    assert torch.equal(layer.running_mean, torch.zeros(3))
    assert torch.equal(layer.running_var, torch.ones(3))
    assert layer.num_batches_tracked.item() == 1


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16], ids=str)
@pytest.mark.parametrize("value", [0.0, 1.0, 3.0, -1024.0])
@pytest.mark.parametrize(
    "cls", [c for c in CLASSES if c != "RMSNorm" and not c.endswith(("1d", "3d"))]
)
def test_a_constant_input_gives_beta(cls: str, value: float, dtype: torch.dtype) -> None:
    """Values whose sums are exact: no noise may be blown up by 1 / sqrt(eps)."""
    for size in (4, 32):  # the larger one may go through compiled loops
        args = {"LayerNorm": ([4, size, size],), "GroupNorm": (2, 4)}.get(cls, (4,))
        layer = getattr(SUBJECT, cls)(*args, dtype=dtype)
        y = layer(torch.full((4, 4, size, size), value, dtype=dtype))
        assert torch.equal(y, torch.zeros_like(y))


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize(
    "cls", ["BatchNorm2d", "LayerNorm", "GroupNorm", "InstanceNorm2d", "RMSNorm"]
)
def test_a_value_that_is_not_finite_spoils_its_group_only(cls: str, bad: float) -> None:
    args = {"LayerNorm": ([4, 3, 3],), "GroupNorm": (2, 4), "RMSNorm": ([3, 3],)}.get(cls, (4,))
    x = _ramp(2, 4, 3, 3)
    x[0, 0, 0, 0] = bad
    ours, theirs = (getattr(lib, cls)(*args).double()(x) for lib in (SUBJECT, nn))
    assert torch.equal(torch.isfinite(ours), torch.isfinite(theirs))
