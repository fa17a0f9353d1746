"""Parity with torch.nn in float64: outputs, derivatives to second order, running statistics."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from tests.layers.layouts import LAYOUTS
from tests.layers.measure import assert_same, observe
from tests.layers.table import BY_NAME, CASES, SUBJECT, Case

MODES = pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])


def _laid_out(*names: str) -> pytest.MarkDecorator:
    """Every case in each of these layouts that its shape has."""
    pairs = [(c, n) for c in CASES for n in names if LAYOUTS[n](c.input()) is not None]
    return pytest.mark.parametrize(("case", "layout"), pairs, ids=[f"{c}-{n}" for c, n in pairs])


@MODES
@_laid_out(*LAYOUTS)
def test_same_as_the_framework(case: Case, layout: str, training: bool) -> None:
    x = LAYOUTS[layout](case.input())
    assert x is not None
    ours, theirs = (case.build(lib, training=training) for lib in (SUBJECT, nn))
    assert_same(observe(ours, x), observe(theirs, x))


@_laid_out("channels_last", "sliced", "transposed")
def test_cotangents_of_any_layout(case: Case, layout: str) -> None:
    x = case.input()
    ours, theirs = (case.build(lib) for lib in (SUBJECT, nn))
    assert_same(observe(ours, x, layout=layout), observe(theirs, x, layout=layout))


TRACKING = [c for c in CASES if c.kwargs.get("track_running_stats", c.cls.startswith("BatchNorm"))]


@pytest.mark.parametrize("case", TRACKING, ids=str)
def test_running_statistics_over_many_batches(case: Case) -> None:
    """Train on batches of different sizes, then evaluate: all statistics and outputs agree."""
    ours, theirs = (case.build(lib) for lib in (SUBJECT, nn))
    for seed in range(5):
        x = case.input(seed=seed)
        x = x[: max(1, len(x) - seed % 2)] if x.ndim > 2 else x
        assert_same(observe(ours, x, second=False), observe(theirs, x, second=False))
    assert_same(observe(ours.eval(), x), observe(theirs.eval(), x))


def test_cumulative_average_is_the_plain_mean() -> None:
    """momentum=None: after k batches, the mean of the k batch means and unbiased variances."""
    case = BY_NAME["BatchNorm2d-cumulative"]
    batches = [case.input(seed=seed) for seed in range(4)]
    layer = SUBJECT.BatchNorm2d(4, momentum=None).double()
    for x in batches:
        layer(x)
    means = torch.stack([x.mean((0, 2, 3)) for x in batches]).mean(0)
    variances = torch.stack([x.var((0, 2, 3), correction=1) for x in batches]).mean(0)
    torch.testing.assert_close(layer.running_mean, means, rtol=1e-12, atol=1e-14)
    torch.testing.assert_close(layer.running_var, variances, rtol=1e-12, atol=1e-14)
    assert layer.num_batches_tracked.item() == 4


@pytest.mark.parametrize("name", ["BatchNorm2d", "GroupNorm-2d", "InstanceNorm2d-affine"])
@pytest.mark.parametrize("layout", ["contiguous", "channels_last"])
def test_output_keeps_the_memory_format(name: str, layout: str) -> None:
    """Where torch gives channels_last for channels_last, so do we; values never depend on it."""
    case = BY_NAME[name]
    x = LAYOUTS[layout](case.input())
    assert x is not None
    for training in (True, False):
        ours, theirs = (case.build(lib, training=training)(x) for lib in (SUBJECT, nn))
        if theirs.is_contiguous(memory_format=torch.channels_last):
            assert ours.is_contiguous(memory_format=torch.channels_last)
        elif layout == "contiguous":
            assert ours.is_contiguous()


@pytest.mark.parametrize("case", CASES, ids=str)
def test_input_is_not_modified_nor_aliased(case: Case) -> None:
    x = case.input()
    before = x.clone()
    y = case.build(SUBJECT)(x)
    assert torch.equal(x, before)
    assert y.untyped_storage().data_ptr() != x.untyped_storage().data_ptr()
