"""PowerNorm: a running average that each backward pass moves, and its stated gradient."""

from __future__ import annotations

import copy

import torch
from torch import nn

from normlib.layers.power import PowerNorm
from normlib.layers.snapshot import snapshot
from normlib.projection import sphere
from tests.layers.measure import observe, relative_error, seeded
from tests.layers.methods.batch import power_slope
from tests.layers.relatives import C, built, drawn


def _power(momentum: float = 0.3, eps: float = 1e-5) -> nn.Module:
    layer = built(PowerNorm(C, eps, momentum))
    layer.running_square.copy_(torch.linspace(0.7, 2.2, C))
    layer.running_slope.copy_(torch.linspace(-0.3, 0.4, C))
    return layer


def test_power_moves_its_slope_once_for_each_backward_pass() -> None:
    layer, x = _power(), drawn(6, C, 3, 2).requires_grad_()
    old = copy.deepcopy(layer)
    y = layer(x)
    assert torch.equal(layer.running_slope, old.running_slope)
    g = seeded(y, 11)
    y.backward(g, retain_graph=True)
    expected = power_slope(old, x.detach().numpy(), g.numpy())
    once = layer.running_slope.clone()
    assert relative_error(once, torch.from_numpy(expected)) < 1e-13
    y.backward(g)
    old.running_slope.copy_(once)
    expected = power_slope(old, x.detach().numpy(), g.numpy())
    assert relative_error(layer.running_slope, torch.from_numpy(expected)) < 1e-13


def test_power_comes_to_rest_at_the_exact_derivative() -> None:
    """On one batch with one gradient: the statistic is then the batch's, and ``h'`` tangent."""
    layer, x = _power(momentum=0.5, eps=0.0), drawn(6, C, 3, 2).requires_grad_()
    for _ in range(60):
        y = layer(x)
        (found,) = torch.autograd.grad(y, x, seeded(y, 11))
    gamma, beta = (p.reshape(1, C, 1, 1) for p in (layer.weight, layer.bias))
    exact = sphere(x, [0, 2, 3], gamma, beta, centered=False)[0]
    torch.testing.assert_close(y, exact, rtol=1e-12, atol=1e-12)
    (expected,) = torch.autograd.grad(exact, x, seeded(y, 11))
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)


def test_power_s_stated_gradient_can_be_differentiated() -> None:
    """dx = (gamma g - nu x / psi) / psi, so d<v, dx>/dx = -nu v / psi**2, by g gamma v / psi."""
    layer, x = _power(), drawn(6, C, 3, 2).requires_grad_()
    nu, psi2, gamma = (
        t.detach().clone().reshape(1, C, 1, 1)
        for t in (layer.running_slope, layer.running_square + layer.eps, layer.weight)
    )
    y = layer(x)
    g = seeded(y, 11).requires_grad_()
    (dx,) = torch.autograd.grad(y, x, g, create_graph=True)
    v = seeded(y, 12)
    by_x, by_g = torch.autograd.grad(dx, [x, g], v)
    torch.testing.assert_close(by_x, -nu * v / psi2, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(by_g, gamma * v / psi2.sqrt(), rtol=1e-12, atol=1e-12)


def test_power_leaves_its_slope_alone_in_evaluation_and_without_gradients() -> None:
    layer, x = _power(), drawn(6, C, 3, 2)
    slope = layer.running_slope.clone()
    with torch.no_grad():
        layer(x)
    observe(layer.eval(), x)
    assert torch.equal(layer.running_slope, slope)


def test_a_snapshot_stays_where_it_was_and_has_no_gradient() -> None:
    """Compiled modules take the operator; `test_methods` compares their gradients."""
    for copied in (snapshot, torch.ops.normlib.snapshot):
        buffer = torch.linspace(0, 1, C, requires_grad=True)
        with torch.no_grad():
            kept = copied(buffer)
            buffer.add_(1)
        assert torch.equal(kept, torch.linspace(0, 1, C))
        assert not kept.requires_grad
