"""Adaptive gradient clipping against a slow reference, unit by unit."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from normlib.layers.clipping import clip_gradients_adaptively
from normlib.layers.weight import weight_norm
from tests.layers.methods.training import CLIPPING, EPS, SHAPES, clipped, with_gradient


@pytest.mark.parametrize("clipping", CLIPPING)
@pytest.mark.parametrize("eps", EPS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_the_formula(shape: tuple[int, ...], eps: float, clipping: float) -> None:
    for dim in (0, 1, -1) if len(shape) > 1 else (0,):
        parameter = with_gradient(shape)
        w, g = (t.detach().numpy().copy() for t in (parameter, parameter.grad))
        held = parameter.grad
        clip_gradients_adaptively(parameter, clipping, eps, dim=dim)
        assert parameter.grad is held, "clipped in place"
        expected = clipped(w, g, clipping, eps, dim)
        np.testing.assert_allclose(parameter.grad.numpy(), expected, rtol=1e-12, atol=0)
        same = expected == g
        assert np.array_equal(parameter.grad.numpy()[same], g[same]), "short ones keep every bit"
        np.testing.assert_array_equal(parameter.detach().numpy(), w)


def test_some_units_are_clipped_and_others_not() -> None:
    parameter = with_gradient((8, 5))
    before = parameter.grad.clone()
    clip_gradients_adaptively([parameter])
    changed = (parameter.grad != before).any(1)
    assert 0 < changed.sum() < 8
    ratio = parameter.grad.norm(dim=1) / parameter.detach().norm(dim=1)
    assert ratio.max() <= 0.01 * (1 + 1e-12)
    torch.testing.assert_close(ratio[changed], torch.full_like(ratio[changed], 0.01))


def test_lengths_of_zero() -> None:
    """A weight of 0 counts as eps long, so that it can move; a gradient of 0 stays."""
    w = nn.Parameter(torch.tensor([[0.0, 0.0], [3.0, 4.0], [0.0, 0.0]]))
    w.grad = torch.tensor([[30.0, 40.0], [0.0, 0.0], [0.0, 0.0]])
    clip_gradients_adaptively(w, clipping=0.1, eps=0.5)
    expected = torch.tensor([[0.03, 0.04], [0.0, 0.0], [0.0, 0.0]])
    torch.testing.assert_close(w.grad, expected)
    w.grad[0] = 1.0
    clip_gradients_adaptively(w, eps=0.0)
    assert torch.equal(w.grad, torch.zeros(3, 2))


def test_what_is_not_finite_does_not_pass_for_a_number() -> None:
    w = nn.Parameter(torch.ones(2, 2))
    w.grad = torch.tensor([[math.nan, 1.0], [1.0, 1.0]])
    clip_gradients_adaptively(w)
    assert w.grad[0].isnan().all()
    assert w.grad[1].isfinite().all()


def test_any_iterable_and_parameters_without_a_gradient() -> None:
    net = weight_norm(nn.Conv2d(2, 3, 2))
    net(torch.ones(1, 2, 4, 4)).mul(1e4).sum().backward()
    net.bias.grad = None
    clip_gradients_adaptively(p for p in net.parameters())
    assert net.bias.grad is None
    length, direction = net.parametrizations.weight.parameters()
    for p in (length, direction):
        ratio = p.grad.flatten(1).norm(dim=1) / p.detach().flatten(1).norm(dim=1)
        assert ratio.max() <= 0.01 * (1 + 1e-5)
    ratio = length.grad.flatten().abs() / length.detach().flatten()
    torch.testing.assert_close(ratio, torch.full((3,), 0.01), rtol=1e-5, atol=0)
    clip_gradients_adaptively([])


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
def test_half_precision_has_lengths_in_float32(dtype: torch.dtype) -> None:
    """The sum of 1e5 squares of 1 leaves bfloat16 after 256 of them, and float16 altogether."""
    w = nn.Parameter(torch.ones(1, 100_000, dtype=dtype))
    w.grad = torch.full_like(w, 2.0)
    clip_gradients_adaptively(w, clipping=0.5)
    assert w.grad.dtype == dtype
    torch.testing.assert_close(w.grad.float(), torch.full((1, 100_000), 0.5), rtol=1e-2, atol=0)


def _loss(x: Tensor) -> Tensor:
    return x.pow(2).sum()


def test_a_step_never_moves_a_unit_far() -> None:
    """What it is for: however steep the loss, a step of rate lr moves a unit by at most
    lr * clipping of its length."""
    torch.manual_seed(0)
    layer = nn.Linear(5, 4, bias=False, dtype=torch.float64)
    x = torch.randn(8, 5, dtype=torch.float64) * 1e4
    optimizer = torch.optim.SGD(layer.parameters(), lr=1.0)
    before = layer.weight.detach().clone()
    _loss(layer(x)).backward()
    clip_gradients_adaptively(layer.parameters(), clipping=0.02)
    optimizer.step()
    moved = (layer.weight.detach() - before).norm(dim=1) / before.norm(dim=1)
    torch.testing.assert_close(moved, torch.full((4,), 0.02, dtype=torch.float64))


def test_refused() -> None:
    w = with_gradient((3, 4))
    for clipping in (0.0, -1.0, math.nan):
        with pytest.raises(ValueError, match=r"clipping=.* choose more than 0"):
            clip_gradients_adaptively(w, clipping)
    with pytest.raises(ValueError, match=r"eps=-1.* choose 0 or more"):
        clip_gradients_adaptively(w, eps=-1)
    with pytest.raises(IndexError, match="dim=2 is no dimension"):
        clip_gradients_adaptively(w, dim=2)
    with pytest.raises(TypeError, match="unexpected keyword argument"):
        clip_gradients_adaptively(w, clip_factor=0.1)
