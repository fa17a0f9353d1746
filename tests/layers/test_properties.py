"""Properties over drawn shapes, groups, eps, momentum and scales."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from tests.layers.measure import differentiate, relative_error
from tests.layers.reference import reference
from tests.layers.table import SUBJECT

CLASSES = ["BatchNorm2d", "LayerNorm", "GroupNorm", "InstanceNorm2d", "RMSNorm"]
BY_CLASS = pytest.mark.parametrize("cls", CLASSES)
THOROUGH = settings(max_examples=60, deadline=None)
SHAPES = st.tuples(
    st.integers(1, 5), st.sampled_from([1, 2, 3, 4, 6, 8]), st.integers(1, 4), st.integers(1, 4)
)


def _args(cls: str, shape: tuple[int, ...], groups: int) -> tuple[object, ...]:
    if cls == "GroupNorm":
        return groups, shape[1]
    return (list(shape[1:]),) if cls in ("LayerNorm", "RMSNorm") else (shape[1],)


def _group_size(cls: str, shape: tuple[int, ...], groups: int) -> int:
    n, c, h, w = shape
    whole = c * h * w
    sizes = {"BatchNorm2d": n * h * w, "InstanceNorm2d": h * w, "GroupNorm": whole // groups}
    return sizes.get(cls, whole)


def _groups_of(draw: st.DrawFn, channels: int) -> int:
    return draw(st.sampled_from([g for g in range(1, channels + 1) if channels % g == 0]))


Problem = tuple[tuple[int, ...], int, float, Tensor]
"""Shape, groups, eps and a float64 input."""


@st.composite
def problems(draw: st.DrawFn) -> Problem:
    """Groups of a single entry are left to the edge cases, where torch refuses most of them."""
    shape = draw(SHAPES)
    assume(shape[2] * shape[3] > 1)
    groups = _groups_of(draw, shape[1])
    eps = draw(st.sampled_from([1e-8, 1e-5, 1e-3, 1.0]))
    seed = draw(st.integers(0, 2**31))
    scale = draw(st.sampled_from([1e-3, 1.0, 1e3]))
    offset = draw(st.sampled_from([0.0, 1.0, -10.0]))
    random = np.random.default_rng(seed)
    return shape, groups, eps, torch.from_numpy(scale * (random.normal(size=shape) + offset))


@BY_CLASS
@given(problem=problems())
@THOROUGH
def test_formula_and_derivatives_against_torch(cls: str, problem: Problem) -> None:
    shape, groups, eps, x = problem
    args = _args(cls, shape, groups)
    ours, theirs = (getattr(lib, cls)(*args, eps=eps).double() for lib in (SUBJECT, nn))
    found, expected = (
        differentiate(m, x, dict(m.named_parameters()), second=False) for m in (ours, theirs)
    )
    # Cancellation is in the problem: digits are lost in proportion to |mu| / sigma, and a
    # gradient may be small against its terms 1 / sigma, as over a pair, where it vanishes.
    sigma = _smallest_sigma(cls, x, groups, eps)
    lost = 1 + x.abs().max().item() / sigma
    for name, value in expected.items():
        scale = max(value.abs().max().item(), 1 / sigma if name == "d input" else 1.0)
        assert (found[name] - value).abs().max().item() <= 4e-13 * lost * scale, name


def _smallest_sigma(cls: str, x: Tensor, groups: int, eps: float) -> float:
    ref = reference(cls, tuple(x.shape), eps, groups=groups, trailing=3)
    sigma2 = x.numpy().reshape(ref.grouped).var(ref.axes)
    return float(np.sqrt(sigma2.min() + eps))


@BY_CLASS
@given(problem=problems())
@THOROUGH
def test_output_lies_on_the_sphere(cls: str, problem: Problem) -> None:
    """norm(xhat)^2 = d sigma2 / (sigma2 + eps) exactly, sum xhat = 0: with eps's own defect."""
    shape, groups, eps, x = problem
    layer = getattr(SUBJECT, cls)(*_args(cls, shape, groups), eps=eps).double()
    ref = reference(cls, shape, eps, groups=groups, trailing=3)
    xhat = layer(x).detach().numpy().reshape(ref.grouped)
    a = x.numpy().reshape(ref.grouped)
    mu = a.mean(ref.axes, keepdims=True) if ref.centered else 0.0
    sigma2 = ((a - mu) ** 2).mean(ref.axes)
    size = _group_size(cls, shape, groups)
    lost = 1 + np.abs(a).max() / np.sqrt(sigma2.min() + eps)
    np.testing.assert_allclose(
        (xhat**2).sum(ref.axes), size * sigma2 / (sigma2 + eps), rtol=1e-10, atol=1e-12 * lost**2
    )
    if ref.centered:
        assert np.abs(xhat.sum(ref.axes)).max() <= 1e-13 * size * lost


def _condition_bound(x: Tensor, ref_sigma: Tensor, values: Tensor) -> Tensor:
    """What a stable float32 algorithm may lose: a few units of the input's own rounding."""
    unit = torch.finfo(torch.float32).eps
    return 8 * unit * (x.abs().max().double() / ref_sigma.min() * (1 + values.abs()) + 1)


@BY_CLASS
@pytest.mark.parametrize(
    ("mean", "std"),
    [(3000.0, 0.01), (3000.0, 1.0), (-1e6, 10.0), (0.0, 1e-18), (0.0, 1e15), (1e-18, 1e-18)],
)
@given(seed=st.integers(0, 2**31), size=st.sampled_from([4, 9, 17]))
@settings(max_examples=12, deadline=None)
def test_hard_float32_inputs(cls: str, mean: float, std: float, seed: int, size: int) -> None:
    """No NaN and no more lost than the input's rounding explains: E[x^2] - E[x]^2 fails here."""
    generator = torch.Generator().manual_seed(seed)
    x = (mean + std * torch.randn(4, 4, size, size, generator=generator)).float()
    args = _args(cls, tuple(x.shape), 2)
    layer = getattr(SUBJECT, cls)(*args, eps=1e-5)
    found = layer(x)
    assert torch.isfinite(found).all()
    expected = getattr(nn, cls)(*args, eps=1e-5).double()(x.double())
    ref = reference(cls, tuple(x.shape), 1e-5, groups=2, trailing=3)
    a = x.double().numpy().reshape(ref.grouped)
    sigma2 = a.var(ref.axes) if ref.centered else (a**2).mean(ref.axes)
    sigma = torch.from_numpy(np.sqrt(np.atleast_1d(sigma2) + 1e-5))
    bound = _condition_bound(x, sigma, expected)
    assert ((found.double() - expected).abs() <= bound).all()


@BY_CLASS
@pytest.mark.parametrize("scale", [1e18, 1e-18])
def test_huge_and_tiny_float32_values_with_their_gradients(cls: str, scale: float) -> None:
    """Squares of 1e18 stay below float32's largest number; those of 1e-18 vanish beside eps."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(2, 4, 3, 3, generator=generator) * scale
    found, expected = (
        differentiate(m, x.to(t), dict(m.named_parameters()), second=False)
        for m, t in (
            (getattr(SUBJECT, cls)(*_args(cls, (2, 4, 3, 3), 2), eps=1e-5), torch.float32),
            (getattr(nn, cls)(*_args(cls, (2, 4, 3, 3), 2), eps=1e-5).double(), torch.float64),
        )
    )
    for name, value in expected.items():
        assert relative_error(found[name].double(), value) <= 1e-5, name


@given(
    momentum=st.one_of(st.none(), st.floats(0, 1)),
    seed=st.integers(0, 2**31),
    sizes=st.lists(st.integers(2, 6), min_size=1, max_size=5),
)
@THOROUGH
def test_running_statistics_for_any_momentum(
    momentum: float | None, seed: int, sizes: list[int]
) -> None:
    random = np.random.default_rng(seed)
    ours, theirs = (lib.BatchNorm1d(3, momentum=momentum).double() for lib in (SUBJECT, nn))
    for size in sizes:
        x = torch.from_numpy(random.normal(1, 2, (size, 3)))
        ours(x), theirs(x)
        for name, value in theirs.state_dict().items():
            torch.testing.assert_close(ours.state_dict()[name], value, rtol=1e-12, atol=1e-14)


@given(problem=problems())
@THOROUGH
def test_one_is_the_other(problem: Problem) -> None:
    """Without affine: one group is LayerNorm, C groups InstanceNorm, one sample BatchNorm;
    LayerNorm is RMSNorm after centering."""
    shape, _, eps, x = problem
    c, plain = shape[1], {"affine": False}
    layer = SUBJECT.LayerNorm(shape[1:], eps, elementwise_affine=False)(x)
    instance = SUBJECT.InstanceNorm2d(c, eps)(x)
    close = {"rtol": 1e-10, "atol": 1e-10}
    torch.testing.assert_close(SUBJECT.GroupNorm(1, c, eps, **plain)(x), layer, **close)
    centered = x - x.mean((1, 2, 3), keepdim=True)
    rms = SUBJECT.RMSNorm(shape[1:], eps, elementwise_affine=False)(centered)
    torch.testing.assert_close(rms, layer, **close)
    torch.testing.assert_close(SUBJECT.GroupNorm(c, c, eps, **plain)(x), instance, **close)
    batch = SUBJECT.BatchNorm2d(c, eps, affine=False, track_running_stats=False)
    rows = torch.cat([batch(x[i : i + 1]) for i in range(len(x))])
    torch.testing.assert_close(rows, instance, **close)


@BY_CLASS
@given(problem=problems(), factor=st.sampled_from([1e-2, 0.5, 3.0, 100.0]))
@THOROUGH
def test_scaling_the_input_is_scaling_eps(cls: str, problem: Problem, factor: float) -> None:
    """Norm(a x; eps) = Norm(x; eps / a^2): exact, so no loose tolerance is needed."""
    shape, groups, eps, x = problem
    args = _args(cls, shape, groups)
    scaled = getattr(SUBJECT, cls)(*args, eps=eps).double()(factor * x)
    same = getattr(SUBJECT, cls)(*args, eps=eps / factor**2).double()(x)
    lost = 1 + x.abs().max().item() / _smallest_sigma(cls, x, groups, eps / factor**2)
    torch.testing.assert_close(scaled, same, rtol=1e-13 * lost * 10, atol=1e-13 * lost * 10)
