"""The one idea, as geometry: the projection's image, its Jacobian, and its two derivatives."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import combinations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.autograd import gradcheck, gradgradcheck

from normlib.projection import hyperplane, rescale, sphere
from tests.layers.reference import Reference

SHAPE = (2, 3, 4)
DIMS = [d for k in (1, 2, 3) for d in combinations(range(3), k)]
AFFINE = [(1, 3, 1), (1, 3, 4), (1, 1, 4), (2, 1, 1), (1, 1, 1), (2, 3, 4), (2, 3, 1)]


def _random(*shape: int, seed: int = 0) -> Tensor:
    return torch.from_numpy(np.random.default_rng([seed, *shape]).normal(0.5, 2, shape))


@pytest.mark.parametrize("centered", [True, False])
@pytest.mark.parametrize("affine", [None, *AFFINE], ids=str)
@pytest.mark.parametrize("dims", DIMS, ids=str)
def test_value_and_gradients_against_numpy(
    dims: tuple[int, ...], affine: tuple[int, ...] | None, centered: bool
) -> None:
    x, gy = _random(*SHAPE), _random(*SHAPE, seed=1)
    shape = affine or (1, 1, 1)
    gamma, beta = _random(*shape, seed=2), _random(*shape, seed=3)
    if affine is None:
        gamma, beta = torch.ones(shape).double(), torch.zeros(shape).double()
    inputs = [t.requires_grad_() for t in ([x] if affine is None else [x, gamma, beta])]
    parameters = () if affine is None else (gamma, beta)
    y, mu, sigma2 = sphere(x, dims, *parameters, eps=0.1, centered=centered)
    ref = Reference(SHAPE, dims, shape, 0.1, centered)
    arrays = [t.detach().numpy() for t in (x, gamma, beta)]
    np.testing.assert_allclose(y.detach().numpy(), ref.forward(*arrays), rtol=1e-12, atol=1e-12)
    expected = ref.backward(*arrays, gy.numpy())
    found = torch.autograd.grad(y, inputs, gy)
    for ours, theirs in zip(found, expected, strict=False):
        np.testing.assert_allclose(ours.numpy(), theirs, rtol=1e-11, atol=1e-12)
    mean = x.mean(dims, keepdim=True) if centered else torch.zeros(())
    torch.testing.assert_close(sigma2, ((x - mean) ** 2).mean(dims, keepdim=True))
    if centered:
        torch.testing.assert_close(mu, mean)


@pytest.mark.parametrize("centered", [True, False])
@pytest.mark.parametrize("affine", [None, *AFFINE], ids=str)
@pytest.mark.parametrize("dims", DIMS, ids=str)
def test_finite_differences_of_all_outputs(
    dims: tuple[int, ...], affine: tuple[int, ...] | None, centered: bool
) -> None:
    """The statistics are outputs too: their gradients, and those of all gradients, are right."""

    def call(x: Tensor, *parameters: Tensor) -> tuple[Tensor, ...]:
        y, mu, sigma2 = sphere(x, dims, *parameters, eps=0.1, centered=centered)
        return (y, mu, sigma2) if centered else (y, sigma2)

    inputs = [_random(*SHAPE).requires_grad_()]
    if affine is not None:
        inputs += [_random(*affine, seed=s).requires_grad_() for s in (2, 3)]
    assert gradcheck(call, inputs, fast_mode=True)
    assert gradgradcheck(call, inputs, fast_mode=True)


@pytest.mark.parametrize("affine", [(1, 3, 1), (1, 3, 4)], ids=str)
@pytest.mark.parametrize("which", ["gamma", "beta"])
def test_one_of_gamma_and_beta_alone(which: str, affine: tuple[int, ...]) -> None:
    """A shift without a scale, or the reverse, gets its gradient too."""
    parameter = _random(*affine, seed=2).requires_grad_()
    x = _random(*SHAPE).requires_grad_()

    def call(x: Tensor, p: Tensor) -> Tensor:
        gamma, beta = (p, None) if which == "gamma" else (None, p)
        return sphere(x, (1, 2), gamma, beta, eps=0.1)[0]

    assert gradcheck(call, [x, parameter], fast_mode=True)
    assert gradgradcheck(call, [x, parameter], fast_mode=True)


@pytest.mark.parametrize("centered", [True, False])
@given(d=st.integers(3, 9), seed=st.integers(0, 2**31))
@settings(max_examples=40, deadline=None)
def test_the_jacobian_is_a_projector(centered: bool, d: int, seed: int) -> None:
    """At eps = 0, sigma J is symmetric, idempotent, of rank d - 2 (d - 1 uncentered): the
    projector onto the tangent space at xhat, which xhat and, centered, 1 are orthogonal to."""
    x = torch.from_numpy(np.random.default_rng(seed).normal(1, 2, d))
    J = torch.autograd.functional.jacobian(
        lambda x: sphere(x, (0,), eps=0.0, centered=centered)[0], x
    )
    xhat, _, sigma2 = sphere(x, (0,), eps=0.0, centered=centered)
    P = J * sigma2.sqrt()
    close = {"rtol": 0, "atol": 1e-9}
    torch.testing.assert_close(P, P.T, **close)
    torch.testing.assert_close(P @ P, P, **close)
    assert round(P.trace().item(), 6) == d - 1 - centered
    torch.testing.assert_close(P @ xhat, torch.zeros_like(x), **close)
    if centered:
        torch.testing.assert_close(P @ torch.ones_like(x), torch.zeros_like(x), **close)


@given(
    d=st.integers(2, 9),
    eps=st.sampled_from([0.0, 1e-5, 0.1, 10.0]),
    seed=st.integers(0, 2**31),
)
@settings(max_examples=60, deadline=None)
def test_the_image_is_a_sphere_with_epss_defect(d: int, eps: float, seed: int) -> None:
    x = torch.from_numpy(np.random.default_rng(seed).normal(1, 2, d))
    xhat, mu, sigma2 = sphere(x, (0,), eps=eps)
    expected = d * sigma2.item() / (sigma2.item() + eps)
    assert math.isclose(xhat.square().sum().item(), expected, rel_tol=1e-9)
    assert abs(xhat.sum().item()) <= 1e-9 * d
    again = sphere(xhat, (0,), eps=0.0)[0]
    torch.testing.assert_close(again, xhat * math.sqrt((sigma2.item() + eps) / sigma2.item()),
                               rtol=1e-9, atol=1e-9)  # fmt: skip
    assert math.isclose(mu.item(), x.mean().item(), rel_tol=1e-9, abs_tol=1e-12)


def test_negative_dimensions_count_from_the_end() -> None:
    x = _random(*SHAPE)
    assert torch.equal(sphere(x, (-1, -2), eps=0.1)[0], sphere(x, (1, 2), eps=0.1)[0])


@pytest.mark.parametrize("project", [sphere, hyperplane])
@pytest.mark.parametrize("dims", [(), (3,), (-4,), (0, 5), range(2, 2)], ids=str)
def test_dimensions_that_x_has_not_are_refused(
    project: Callable[..., object], dims: Sequence[int]
) -> None:
    """Those beyond the last were once counted anew from the first."""
    with pytest.raises(IndexError, match=r"of shape \(2, 3, 4\); give one or more of -3\.\.2"):
        project(_random(*SHAPE), dims)


@pytest.mark.parametrize("centered", [True, False])
@pytest.mark.parametrize("rows", [2, 64])
@pytest.mark.parametrize("x", [torch.float32, torch.bfloat16], ids=str)
def test_statistics_keep_their_shape_on_every_path(
    rows: int, x: torch.dtype, centered: bool
) -> None:
    """64 x 128 entries are for the compiled loops, the others for the formulas."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        _, mu, sigma2 = sphere(torch.randn(rows, 128, dtype=x), (1,), eps=0.1, centered=centered)
    finally:
        torch.set_num_threads(threads)
    assert mu.shape == sigma2.shape == (rows, 1)
    assert centered or not mu.any()


PARTS = [(g, b, m) for g in (None, *AFFINE[:3]) for b in (None, g) for m in (None, (1, 3, 1))]


@pytest.mark.parametrize(("gamma", "beta", "mu"), PARTS, ids=str)
def test_rescale(
    gamma: tuple[int, ...] | None, beta: tuple[int, ...] | None, mu: tuple[int, ...] | None
) -> None:
    x = _random(*SHAPE).requires_grad_()
    shapes = {"gamma": gamma, "beta": beta}
    given_ = {
        k: _random(*s, seed=i).requires_grad_() for i, (k, s) in enumerate(shapes.items()) if s
    }
    fixed = {"mu": _random(*mu, seed=7)} if mu else {}
    expected = x - fixed.get("mu", 0)
    expected = expected * given_.get("gamma", 1) + given_.get("beta", 0)
    y = rescale(x, **given_, **fixed)
    torch.testing.assert_close(y, expected, rtol=1e-13, atol=1e-13)
    assert y.untyped_storage().data_ptr() != x.untyped_storage().data_ptr()

    def call(x: Tensor, *values: Tensor) -> Tensor:
        return rescale(x, **dict(zip(given_, values, strict=True)), **fixed)

    assert gradcheck(call, (x, *given_.values()), fast_mode=True)
    assert gradgradcheck(call, (x, *given_.values()), fast_mode=True)


def test_rescale_by_a_shift_alone() -> None:
    x, beta = _random(*SHAPE).requires_grad_(), _random(1, 3, 1).requires_grad_()
    assert gradcheck(lambda x, b: rescale(x, beta=b), (x, beta))


@pytest.mark.parametrize("function", [lambda x: sphere(x, (1,), eps=0.1)[0], lambda x: rescale(x)])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_the_type_of_the_input_is_kept(
    function: Callable[[Tensor], Tensor], dtype: torch.dtype
) -> None:
    x = _random(3, 5).to(dtype).requires_grad_()
    y = function(x)
    assert y.dtype == dtype
    (g,) = torch.autograd.grad(y.sum(), x)
    assert g.dtype == dtype


def test_only_the_statistics_gradient() -> None:
    """A penalty on the variance alone, as some methods use, flows back by itself."""
    x = _random(*SHAPE).requires_grad_()
    _, mu, sigma2 = sphere(x, (0, 2), eps=0.1)
    (found,) = torch.autograd.grad(sigma2.log().sum() + (mu**2).sum(), x)
    v, m = torch.var_mean(x, (0, 2), correction=0)
    (expected,) = torch.autograd.grad(v.log().sum() + (m**2).sum(), x)
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-13)


def test_float32_gradients_far_from_one() -> None:
    """1 / sigma cubed overflows float32 beyond sigma = 1e-13 and vanishes beyond 1e13."""
    for scale in (1e-17, 1e-14, 1.0, 1e14, 1e17):
        x = (_random(4, 16) * scale).float().requires_grad_()
        g = _random(4, 16, seed=5).float()
        (found,) = torch.autograd.grad(sphere(x, (1,), eps=0.0)[0], x, g)
        wide = x.detach().double().requires_grad_()
        (expected,) = torch.autograd.grad(sphere(wide, (1,), eps=0.0)[0], wide, g.double())
        error = ((found.double() - expected).abs().max() / expected.abs().max()).item()
        assert error <= 1e-5, f"scale {scale}"
