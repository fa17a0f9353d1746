"""BatchNorm's relatives: what they are equal to, what each is for, and what they refuse."""

from __future__ import annotations

import copy
import math
import pickle
import re
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import normlib
from normlib.layers.centering import MeanOnlyBatchNorm
from normlib.layers.ghost import GhostBatchNorm
from normlib.layers.l1 import GAUSSIAN, L1BatchNorm
from normlib.layers.noisy import NoisyBatchNorm
from normlib.layers.population import PopulationBatchNorm, gamma_penalty
from normlib.layers.power import PowerNorm
from normlib.layers.relative import BatchRelative
from normlib.layers.renorm import BatchRenorm
from normlib.layers.snapshot import snapshot
from normlib.projection import sphere
from tests.layers.measure import Named, assert_same, differentiate, observe, relative_error, seeded
from tests.layers.methods.batch import power_slope
from tests.layers.table import perturb

C = 4
ALL = (
    MeanOnlyBatchNorm, BatchRenorm, GhostBatchNorm, L1BatchNorm, NoisyBatchNorm,
    PopulationBatchNorm, PowerNorm,
)  # fmt: skip
CENTERED = [cls for cls in ALL if cls is not PowerNorm]


def _input(*shape: int, seed: int = 0) -> Tensor:
    random = np.random.default_rng([seed, *shape])
    return torch.from_numpy(random.normal(0.4, 1.8, shape))


def _built(module: nn.Module, dtype: torch.dtype = torch.float64) -> nn.Module:
    return perturb(module.to(dtype))


def _batch_norm(eps: float = 1e-5, momentum: float = 0.1) -> nn.Module:
    return _built(normlib.BatchNorm2d(C, eps, momentum))


def _but(found: Named, *names: str) -> Named:
    return {k: v for k, v in found.items() if k not in names}


# Mean-only


def test_mean_only_takes_a_constant_away_and_lets_no_constant_back() -> None:
    layer, x = _built(MeanOnlyBatchNorm(C)), _input(5, C, 3, 2)
    found = differentiate(layer, x, {}, second=False)
    moved = layer(x + torch.arange(C).reshape(1, C, 1, 1))
    torch.testing.assert_close(moved, found["output"], rtol=0, atol=1e-14)
    assert found["d input"].sum((0, 2, 3)).abs().max() < 1e-13


def test_mean_only_and_weight_norm_on_white_inputs_are_batch_norm() -> None:
    """Salimans and Kingma's reason: there ``v.x / norm(v)`` has variance 1. ``eps`` goes below."""
    x = _input(64, 5)
    x = x - x.mean(0)
    x = torch.linalg.solve_triangular(torch.linalg.cholesky(x.T @ x / 64), x.T, upper=False).T
    linear = nn.Linear(5, C, dtype=torch.float64)
    batch = normlib.BatchNorm1d(C, eps=1e-300).double()
    centered = _built(MeanOnlyBatchNorm(C))
    with torch.no_grad():
        batch.weight.copy_(torch.linspace(-1, 2, C))
        batch.bias.copy_(centered.bias)
    expected = differentiate(lambda x: batch(linear(x)), x, {}, second=False)
    normalized = normlib.weight_norm(linear)
    with torch.no_grad():
        normalized.parametrizations.weight.original0.copy_(batch.weight.reshape(C, 1))
    found = centered(normalized(x))
    torch.testing.assert_close(found, expected["output"], rtol=1e-12, atol=1e-12)


# Renormalization


def test_renorm_without_corrections_is_batch_norm() -> None:
    ours = _built(BatchRenorm(C, momentum=0.3, r_max=1, d_max=0))
    x = _input(5, C, 3, 2)
    found, expected = observe(ours, x), observe(_batch_norm(momentum=0.3), x)
    sigma2 = x.var((0, 2, 3), correction=0)
    std = 0.7 + 0.3 * (sigma2 + 1e-5).sqrt()
    torch.testing.assert_close(found.pop("buffer running_std"), std, rtol=1e-12, atol=0)
    del expected["buffer running_var"]
    assert_same(found, expected)


def test_renorm_starts_as_batch_norm_by_the_paper_s_ramps() -> None:
    layer, x = _built(BatchRenorm(C)), _input(5, C, 3, 2)
    assert_same(
        _but(observe(layer, x), "buffer running_std"),
        _but(observe(_batch_norm(), x), "buffer running_var"),
    )


def test_renorm_without_limits_is_its_own_evaluation() -> None:
    """Forward only: the gradient still takes the batch's tangent."""
    layer = _built(BatchRenorm(C, r_max=1e9, d_max=1e9, r_ramp=None, d_ramp=None))
    layer.running_std.copy_(torch.linspace(0.2, 3, C))
    x = _input(5, C, 3, 2)
    evaluated = copy.deepcopy(layer).eval()(x)
    torch.testing.assert_close(layer(x), evaluated, rtol=1e-12, atol=1e-12)
    tangent = differentiate(layer, x, {}, second=False)["d input"]
    assert tangent.sum((0, 2, 3)).abs().max() < 1e-13


def test_renorm_ramps() -> None:
    layer = BatchRenorm(C)
    expected = {0: (1, 0), 5000: (1, 0), 15000: (11 / 7, 2.5), 25000: (15 / 7, 5), 90000: (3, 5)}
    for batches, limits in expected.items():
        layer.num_batches_tracked.fill_(batches)
        assert [v.item() for v in layer.limits(torch.float64)] == pytest.approx(limits)
    layer.r_max, layer.d_max = 1.5, 0.5
    assert [v.item() for v in layer.limits()] == pytest.approx((1.5, 0.5))
    at_once = BatchRenorm(C, r_ramp=None, d_ramp=None)
    assert [v.item() for v in at_once.limits()] == [3, 5]


# Ghost


@pytest.mark.parametrize("ghost_size", [6, 7, 1000])
def test_ghost_with_one_part_is_batch_norm(ghost_size: int) -> None:
    ours, x = _built(GhostBatchNorm(C, ghost_size, momentum=0.3)), _input(6, C, 3, 2)
    assert_same(observe(ours, x), observe(_batch_norm(momentum=0.3), x))


@pytest.mark.parametrize(
    ("samples", "sizes"), [(6, [2, 2, 2]), (7, [2, 2, 3]), (3, [3]), (8, [2, 2, 2, 2])]
)
def test_ghost_is_batch_norm_of_each_part_in_turn(samples: int, sizes: list[int]) -> None:
    ours, theirs = _built(GhostBatchNorm(C, 2)), _batch_norm()
    x = _input(samples, C, 3, 2)

    def parts(x: Tensor) -> Tensor:
        return torch.cat([theirs(part) for part in x.split(sizes)])

    found = differentiate(ours, x, dict(ours.named_parameters()))
    assert_same(found, differentiate(parts, x, dict(theirs.named_parameters())))
    for name in ("running_mean", "running_var"):
        assert relative_error(ours.get_buffer(name), theirs.get_buffer(name)) < 1e-12
    assert ours.num_batches_tracked == 1
    assert theirs.num_batches_tracked == len(sizes)


def test_ghost_of_single_values_says_what_to_do() -> None:
    with pytest.raises(ValueError, match=r"ghost_size=1 needs to be at least 2"):
        GhostBatchNorm(C, 1)(torch.zeros(6, C))
    assert GhostBatchNorm(C, 1)(_input(6, C, 3).float()).shape == (6, C, 3)


# L1


def test_l1_is_batch_norm_on_normal_data() -> None:
    """The ratio of the two scales has variance (pi - 3) / (2 n) for n values: delta method."""
    n = 40_000
    x = torch.from_numpy(np.random.default_rng(0).normal(3, 2, (n, C)))
    ours, theirs = L1BatchNorm(C, eps=0.0).double(), normlib.BatchNorm1d(C, eps=1e-300).double()
    ratio = (theirs(x) / ours(x)).mean(0)
    assert (ratio - 1).abs().max() < 5 * math.sqrt((math.pi - 3) / 2 / n)


def test_l1_is_at_most_the_gaussian_factor_from_batch_norm() -> None:
    """Reached where all values are equally far from the mean; mean abs <= root mean square."""
    x = torch.tensor([-1.0, 1.0, -1.0, 1.0]).double().repeat(C, 1).T + 5
    y = L1BatchNorm(C, eps=0.0).double()(x)
    torch.testing.assert_close(y * GAUSSIAN, x - 5, rtol=1e-14, atol=0)
    skewed = _input(50, C).exp()
    y = L1BatchNorm(C, eps=0.0).double()(skewed)
    assert (y.std(0, correction=0) > 1 / GAUSSIAN).all()


def test_l1_of_a_scaled_input_is_l1_with_another_eps() -> None:
    x, a = _input(5, C, 3), 7.0
    scaled = _built(L1BatchNorm(C, eps=0.7))(a * x)
    torch.testing.assert_close(scaled, _built(L1BatchNorm(C, eps=0.1))(x), rtol=1e-12, atol=1e-12)


# Noise


def test_noise_of_no_size_is_batch_norm() -> None:
    x = _input(5, C, 3, 2)
    ours = _built(NoisyBatchNorm(C, n_mu=0, n_sigma=1, r_mu=0, r_sigma=0))
    assert_same(observe(ours, x), observe(_batch_norm(), x))


def test_noise_has_the_stated_moments() -> None:
    """Within five standard errors, of 200 samples and 5,000 channels."""
    n, c = 200, 5_000
    layer = NoisyBatchNorm(c, n_mu=0.5, n_sigma=1.25, r_mu=0.2, r_sigma=0.1)
    layer.generator = torch.Generator().manual_seed(0)
    m, s = layer.noise(torch.empty(n, c, 1, dtype=torch.float64))
    assert m.shape == s.shape == (n, c, 1)
    assert m.abs().max() <= 0.7

    def close(found: Tensor, expected: float, error: float) -> None:
        assert abs(found.item() - expected) < 5 * error

    uniform = math.sqrt(4 / 45)  # the variance of u**2, u uniform in -1..1
    means, factors = m.mean(0), s.mean(0)
    variance = 0.5**2 / 3 + 0.2**2 / 3 / n
    close(means.mean(), 0, math.sqrt(variance / c))
    close(means.var(), variance, 0.5**2 * uniform / math.sqrt(c))
    close(
        (m - means).square().mean() * n / (n - 1), 0.2**2 / 3, 0.2**2 * uniform / math.sqrt(n * c)
    )
    variance = 0.25**2 / 12 + 0.1**2 / n
    close(factors.mean(), 1.125, math.sqrt(variance / c))
    close(factors.var(), variance, 0.125**2 * uniform / math.sqrt(c) + 0.1**2 / n / math.sqrt(c))
    close((s - factors).square().mean() * n / (n - 1), 0.1**2, 0.1**2 * math.sqrt(2 / (n * c)))


def test_noise_is_of_the_channel_the_sample_and_the_batch() -> None:
    layer = NoisyBatchNorm(C, r_mu=0, r_sigma=0).double()
    clean = normlib.BatchNorm2d(C).double()
    x = _input(6, C, 3, 2)
    factors = []
    for _ in range(2):
        y, xhat = layer(x), clean(x)
        slope = (y * xhat).mean((0, 2, 3)) / xhat.square().mean((0, 2, 3))
        shift = y.mean((0, 2, 3))
        expected = xhat * slope.reshape(1, C, 1, 1) + shift.reshape(1, C, 1, 1)
        torch.testing.assert_close(y, expected, rtol=1e-12, atol=1e-12)
        factors.append(slope)
        assert len(set(slope.tolist())) == C
    assert not torch.equal(*factors)
    m, s = NoisyBatchNorm(C).noise(x)
    assert len(m.unique()) == len(s.unique()) == 6 * C


def test_noise_is_reproduced_by_a_generator() -> None:
    x = _input(6, C, 3, 2)

    def made(seed: int) -> nn.Module:
        return NoisyBatchNorm(C, generator=torch.Generator().manual_seed(seed)).double()

    before = torch.get_rng_state()
    layer = made(3)
    first, second = layer(x), layer(x)
    assert torch.equal(before, torch.get_rng_state())
    twin = made(3)
    assert torch.equal(twin(x), first)
    assert torch.equal(copy.deepcopy(twin)(x), second)
    assert torch.equal(pickle.loads(pickle.dumps(twin))(x), second)
    assert not torch.equal(made(4)(x), first)
    single = made(3).float()(x.float()).double()
    torch.testing.assert_close(single, first, rtol=0, atol=1e-5)


def test_noise_stays_out_of_evaluation() -> None:
    x = _input(6, C, 3, 2)
    ours, theirs = _built(NoisyBatchNorm(C)).eval(), _batch_norm().eval()
    assert_same(observe(ours, x), observe(theirs, x))


# Population statistics


def test_population_trains_as_it_evaluates_and_averages_as_batch_norm() -> None:
    layer, x = _built(PopulationBatchNorm(C)), _input(6, C, 3, 2)
    evaluated = observe(copy.deepcopy(layer).eval(), x)
    trained = observe(layer, x)
    for name, value in evaluated.items():
        if not name.startswith("buffer"):
            assert torch.equal(trained[name], value), name
    theirs = _batch_norm()
    theirs(x)
    for name, value in theirs.named_buffers():
        torch.testing.assert_close(trained[f"buffer {name}"], value, rtol=1e-12, atol=1e-14)


def test_population_keeps_samples_apart() -> None:
    layer, x = _built(PopulationBatchNorm(C)), _input(6, C).requires_grad_()
    (g,) = torch.autograd.grad(layer(x)[0].sum(), x)
    assert g[0].abs().min() > 0
    assert not g[1:].any()


def test_gamma_penalty() -> None:
    model = nn.Sequential(
        PopulationBatchNorm(C), nn.BatchNorm1d(C), nn.Sequential(PopulationBatchNorm(2))
    )
    perturb(model[0])
    penalty = gamma_penalty(model, 0.25)
    expected = 0.25 * (model[0].weight.square().sum() + 2)
    torch.testing.assert_close(penalty, expected, rtol=1e-6, atol=0)
    penalty.backward()
    torch.testing.assert_close(model[0].weight.grad, 0.5 * model[0].weight.detach())
    assert model[1].weight.grad is None
    for wrong in (nn.Linear(2, 2), PopulationBatchNorm(C, affine=False)):
        with pytest.raises(ValueError, match="has no PopulationBatchNorm with a scale"):
            gamma_penalty(wrong, 0.1)
    with pytest.raises(ValueError, match=r"strength=-0\.1 is no penalty"):
        gamma_penalty(model, -0.1)


# Power


def _power(momentum: float = 0.3, eps: float = 1e-5) -> nn.Module:
    layer = _built(PowerNorm(C, eps, momentum))
    layer.running_square.copy_(torch.linspace(0.7, 2.2, C))
    layer.running_slope.copy_(torch.linspace(-0.3, 0.4, C))
    return layer


def test_power_moves_its_slope_once_for_each_backward_pass() -> None:
    layer, x = _power(), _input(6, C, 3, 2).requires_grad_()
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
    layer, x = _power(momentum=0.5, eps=0.0), _input(6, C, 3, 2).requires_grad_()
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
    layer, x = _power(), _input(6, C, 3, 2).requires_grad_()
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
    layer, x = _power(), _input(6, C, 3, 2)
    slope = layer.running_slope.clone()
    with torch.no_grad():
        layer(x)
    observe(layer.eval(), x)
    assert torch.equal(layer.running_slope, slope)


# What a backward pass needs of a buffer that has moved


def test_a_snapshot_stays_where_it_was_and_has_no_gradient() -> None:
    """Compiled modules take the operator; `test_methods` compares their gradients."""
    for copied in (snapshot, torch.ops.normlib.snapshot):
        buffer = torch.linspace(0, 1, C, requires_grad=True)
        with torch.no_grad():
            kept = copied(buffer)
            buffer.add_(1)
        assert torch.equal(kept, torch.linspace(0, 1, C))
        assert not kept.requires_grad


# What all refuse, and what they survive


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: PowerNorm(0), "num_features=0 is no number of channels"),
        (lambda: L1BatchNorm(C, eps=-1e-5), "at least 0, got -1e-05"),
        (lambda: MeanOnlyBatchNorm(C, momentum=1.5), "momentum=1.5 is not in 0..1"),
        (lambda: PopulationBatchNorm(C, momentum=None), "momentum=None is not in 0..1"),
        (lambda: BatchRenorm(C, r_max=0.5), "r_max=0.5 is no largest factor"),
        (lambda: BatchRenorm(C, r_max=math.inf), "r_max=inf is no largest factor"),
        (lambda: BatchRenorm(C, d_max=-1), "d_max=-1 is no largest shift"),
        (lambda: BatchRenorm(C, r_ramp=(5, 5)), "r_ramp=(5, 5) is no ramp"),
        (lambda: BatchRenorm(C, d_ramp=(-1, 5)), "d_ramp=(-1, 5) is no ramp"),
        (lambda: GhostBatchNorm(C, ghost_size=0), "ghost_size=0 is no number of samples"),
        (lambda: NoisyBatchNorm(C, n_mu=-1), "n_mu=-1 is no size of noise"),
        (lambda: NoisyBatchNorm(C, r_sigma=math.nan), "r_sigma=nan is no size of noise"),
    ],
)
def test_wrong_arguments(make: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        make()


@pytest.mark.parametrize("cls", ALL)
def test_wrong_shapes(cls: type[BatchRelative]) -> None:
    for shape in ((C,), (6, C + 1), (6, 1, C)):
        for training in (True, False):
            with pytest.raises(ValueError, match=rf"\(N, {C}.*got {re.escape(str(shape))}"):
                cls(C).train(training)(torch.zeros(shape))


@pytest.mark.parametrize("cls", CENTERED)
def test_a_single_value_per_channel_has_no_statistics(cls: type[BatchRelative]) -> None:
    layer = cls(C)
    with pytest.raises(ValueError, match="at least 2 values per channel"):
        layer(torch.zeros(1, C, 1))
    assert layer.num_batches_tracked == 0
    assert layer.eval()(torch.zeros(1, C, 1)).shape == (1, C, 1)


@pytest.mark.parametrize("cls", ALL)
def test_an_empty_batch_changes_nothing(cls: type[BatchRelative]) -> None:
    layer = cls(C)
    state = copy.deepcopy(layer.state_dict())
    y = layer(torch.zeros(0, C, 3, requires_grad=True))
    y.sum().backward()
    assert y.shape == (0, C, 3)
    for name, value in layer.state_dict().items():
        assert torch.equal(value, state[name]), name


@pytest.mark.parametrize("cls", CENTERED)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_a_constant_channel_gives_beta_and_finite_gradients(
    cls: type[BatchRelative], dtype: torch.dtype
) -> None:
    layer = cls(C)
    x = torch.full((6, C, 3), 3000.0, dtype=dtype).requires_grad_()
    y = layer(x)
    y.sum().backward()
    assert torch.isfinite(x.grad).all()
    if cls in (MeanOnlyBatchNorm, BatchRenorm, GhostBatchNorm, L1BatchNorm):
        assert not y.any()


@pytest.mark.parametrize("cls", ALL)
def test_a_small_spread_around_a_large_mean(cls: type[BatchRelative]) -> None:
    """E[x**2] - E[x]**2 would give NaN at mean 3000 and deviation 0.01 in float32."""
    x = (_input(64, C, 5) * 0.01 + 3000).float()
    found, expected = [], []
    for dtype, into in ((torch.float32, found), (torch.float64, expected)):
        torch.manual_seed(0)
        layer = cls(C).to(dtype)
        into += [layer(x.to(dtype)), *layer.buffers()]
    for ours, exact in zip(found, expected, strict=True):
        assert torch.isfinite(ours).all()
        torch.testing.assert_close(ours.double(), exact.double(), rtol=1e-3, atol=1e-1)


@pytest.mark.parametrize("cls", ALL)
def test_reset_and_text(cls: type[BatchRelative]) -> None:
    layer = cls(C)
    layer(_input(6, C).float()).sum().backward()
    fresh = cls(C).state_dict()
    assert any(not torch.equal(v, fresh[k]) for k, v in layer.state_dict().items())
    layer.reset_parameters()
    for name, value in layer.state_dict().items():
        assert torch.equal(value, fresh[name]), name
    assert str(layer).startswith(f"{cls.__name__}({C}, ")


@pytest.mark.parametrize("cls", ALL)
def test_tools_for_batch_norm_do_not_take_them_for_it(cls: type[BatchRelative]) -> None:
    """Synchronized BatchNorm would silently replace what makes the method."""
    model = nn.SyncBatchNorm.convert_sync_batchnorm(nn.Sequential(cls(C)))
    assert type(model[0]) is cls
