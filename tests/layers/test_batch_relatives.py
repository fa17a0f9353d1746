"""BatchNorm's relatives: what they are equal to, and what each is for."""

from __future__ import annotations

import copy
import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import normlib
from normlib.layers.centering import MeanOnlyBatchNorm
from normlib.layers.ghost import GhostBatchNorm
from normlib.layers.l1 import GAUSSIAN, L1BatchNorm
from normlib.layers.population import PopulationBatchNorm, gamma_penalty
from normlib.layers.renorm import BatchRenorm
from tests.layers.measure import Named, assert_same, differentiate, observe, relative_error
from tests.layers.relatives import C, batch_norm, built, drawn
from tests.layers.table import perturb


def _but(found: Named, *names: str) -> Named:
    return {k: v for k, v in found.items() if k not in names}


# Mean-only


def test_mean_only_takes_a_constant_away_and_lets_no_constant_back() -> None:
    layer, x = built(MeanOnlyBatchNorm(C)), drawn(5, C, 3, 2)
    found = differentiate(layer, x, {}, second=False)
    moved = layer(x + torch.arange(C).reshape(1, C, 1, 1))
    torch.testing.assert_close(moved, found["output"], rtol=0, atol=1e-14)
    assert found["d input"].sum((0, 2, 3)).abs().max() < 1e-13


def test_mean_only_and_weight_norm_on_white_inputs_are_batch_norm() -> None:
    """Salimans and Kingma's reason: there ``v.x / norm(v)`` has variance 1. ``eps`` goes below."""
    x = drawn(64, 5)
    x = x - x.mean(0)
    x = torch.linalg.solve_triangular(torch.linalg.cholesky(x.T @ x / 64), x.T, upper=False).T
    linear = nn.Linear(5, C, dtype=torch.float64)
    batch = normlib.BatchNorm1d(C, eps=1e-300).double()
    centered = built(MeanOnlyBatchNorm(C))
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
    ours = built(BatchRenorm(C, momentum=0.3, r_max=1, d_max=0))
    x = drawn(5, C, 3, 2)
    found, expected = observe(ours, x), observe(batch_norm(momentum=0.3), x)
    sigma2 = x.var((0, 2, 3), correction=0)
    std = 0.7 + 0.3 * (sigma2 + 1e-5).sqrt()
    torch.testing.assert_close(found.pop("buffer running_std"), std, rtol=1e-12, atol=0)
    del expected["buffer running_var"]
    assert_same(found, expected)


def test_renorm_starts_as_batch_norm_by_the_paper_s_ramps() -> None:
    layer, x = built(BatchRenorm(C)), drawn(5, C, 3, 2)
    assert_same(
        _but(observe(layer, x), "buffer running_std"),
        _but(observe(batch_norm(), x), "buffer running_var"),
    )


def test_renorm_without_limits_is_its_own_evaluation() -> None:
    """Forward only: the gradient still takes the batch's tangent."""
    layer = built(BatchRenorm(C, r_max=1e9, d_max=1e9, r_ramp=None, d_ramp=None))
    layer.running_std.copy_(torch.linspace(0.2, 3, C))
    x = drawn(5, C, 3, 2)
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
    ours, x = built(GhostBatchNorm(C, ghost_size, momentum=0.3)), drawn(6, C, 3, 2)
    assert_same(observe(ours, x), observe(batch_norm(momentum=0.3), x))


@pytest.mark.parametrize(
    ("samples", "sizes"), [(6, [2, 2, 2]), (7, [2, 2, 3]), (3, [3]), (8, [2, 2, 2, 2])]
)
def test_ghost_is_batch_norm_of_each_part_in_turn(samples: int, sizes: list[int]) -> None:
    ours, theirs = built(GhostBatchNorm(C, 2)), batch_norm()
    x = drawn(samples, C, 3, 2)

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
    assert GhostBatchNorm(C, 1)(drawn(6, C, 3).float()).shape == (6, C, 3)


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
    skewed = drawn(50, C).exp()
    y = L1BatchNorm(C, eps=0.0).double()(skewed)
    assert (y.std(0, correction=0) > 1 / GAUSSIAN).all()


def test_l1_of_a_scaled_input_is_l1_with_another_eps() -> None:
    x, a = drawn(5, C, 3), 7.0
    scaled = built(L1BatchNorm(C, eps=0.7))(a * x)
    torch.testing.assert_close(scaled, built(L1BatchNorm(C, eps=0.1))(x), rtol=1e-12, atol=1e-12)


# Population statistics


def test_population_trains_as_it_evaluates_and_averages_as_batch_norm() -> None:
    layer, x = built(PopulationBatchNorm(C)), drawn(6, C, 3, 2)
    evaluated = observe(copy.deepcopy(layer).eval(), x)
    trained = observe(layer, x)
    for name, value in evaluated.items():
        if not name.startswith("buffer"):
            assert torch.equal(trained[name], value), name
    theirs = batch_norm()
    theirs(x)
    for name, value in theirs.named_buffers():
        torch.testing.assert_close(trained[f"buffer {name}"], value, rtol=1e-12, atol=1e-14)


def test_population_keeps_samples_apart() -> None:
    layer, x = built(PopulationBatchNorm(C)), drawn(6, C).requires_grad_()
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
