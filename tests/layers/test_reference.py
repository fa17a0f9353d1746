"""Outputs, derivatives and running statistics against NumPy, with no torch code in between."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from tests.layers.measure import seeded
from tests.layers.reference import Array, Reference, complex_step, reference, running
from tests.layers.table import CASES, SUBJECT, Case

BATCHED = [c for c in CASES if "unbatched" not in c.name and c.name not in ("LayerNorm-whole",)]


def _reference(case: Case, module: nn.Module) -> Reference:
    shape = case.shape
    eps = module.eps if module.eps is not None else np.finfo(np.float64).eps
    trailing = len(getattr(module, "normalized_shape", (0,)))
    return reference(
        case.cls, shape, eps, groups=getattr(module, "num_groups", 1), trailing=trailing
    )


def _affine(module: nn.Module, ref: Reference) -> tuple[Array, Array]:
    gamma, beta = module.weight, getattr(module, "bias", None)
    return (
        np.ones(ref.affine) if gamma is None else gamma.detach().numpy(),
        np.zeros(ref.affine) if beta is None else beta.detach().numpy(),
    )


def _close(ours: Array, expected: Array, bound: float) -> None:
    assert np.abs(ours - expected).max() <= bound * np.abs(expected).max()


@pytest.mark.parametrize("case", BATCHED, ids=str)
def test_against_numpy(case: Case) -> None:
    module = case.build(SUBJECT)
    x = case.input().requires_grad_()
    y = module(x)
    w = seeded(y, 11)
    named = dict(module.named_parameters())
    grads = dict(zip(["x", *named], torch.autograd.grad(y, [x, *named.values()], w), strict=True))
    ref = _reference(case, module)
    gamma, beta = _affine(module, ref)
    a, gy = x.detach().numpy(), w.numpy()

    _close(y.detach().numpy(), ref.forward(a, gamma, beta), 1e-12)
    gx, ggamma, gbeta = ref.backward(a, gamma, beta, gy)
    _close(grads["x"].numpy(), gx, 1e-12)
    _close(grads["x"].numpy(), complex_step(lambda t: ref.forward(t, gamma, beta), a, gy), 1e-12)
    if "weight" in named:
        _close(grads["weight"].numpy(), ggamma, 1e-12)
    if "bias" in named:
        _close(grads["bias"].numpy(), gbeta, 1e-12)


@pytest.mark.parametrize("case", BATCHED, ids=str)
def test_second_derivatives_against_numpy(case: Case) -> None:
    module = case.build(SUBJECT)
    x = case.input().requires_grad_()
    y = module(x)
    w = seeded(y, 11)
    (gx,) = torch.autograd.grad(y, x, w, create_graph=True)
    v = seeded(gx, 12)
    (second,) = torch.autograd.grad(gx, x, v)
    ref = _reference(case, module)
    gamma, beta = _affine(module, ref)
    expected = complex_step(
        lambda t: ref.backward(t, gamma, beta, w.numpy())[0], x.detach().numpy(), v.numpy()
    )
    _close(second.numpy(), expected, 1e-10)


@pytest.mark.parametrize("momentum", [0.1, 0.8, 1.0])
@pytest.mark.parametrize("dim", [1, 2, 3])
def test_running_statistics_against_numpy(dim: int, momentum: float) -> None:
    layer = getattr(SUBJECT, f"BatchNorm{dim}d")(4, momentum=momentum).double()
    old = np.zeros(4), np.ones(4)
    random = np.random.default_rng(0)
    for _ in range(3):
        x = random.normal(2, 3, (5, 4, 3, 2, 2)[: 2 + dim])
        layer(torch.from_numpy(x))
        old = running(old, x, momentum)
        _close(layer.running_mean.numpy(), old[0], 1e-12)
        _close(layer.running_var.numpy(), old[1], 1e-12)


@pytest.mark.parametrize("cls", ["BatchNorm2d", "LayerNorm", "GroupNorm", "RMSNorm"])
def test_the_reference_agrees_with_itself(cls: str) -> None:
    """The Jacobian written by hand is the derivative of the formula, for gamma and beta too."""
    random = np.random.default_rng(0)
    ref = reference(cls, (3, 4, 2), 0.1, groups=2, trailing=2)
    x, gy = random.normal(size=(2, 3, 4, 2))
    gamma, beta = random.normal(size=(2, *ref.affine))
    gx, ggamma, gbeta = ref.backward(x, gamma, beta, gy)
    np.testing.assert_allclose(gx, complex_step(lambda t: ref.forward(t, gamma, beta), x, gy))
    np.testing.assert_allclose(ggamma, complex_step(lambda t: ref.forward(x, t, beta), gamma, gy))
    np.testing.assert_allclose(gbeta, complex_step(lambda t: ref.forward(x, gamma, t), beta, gy))
