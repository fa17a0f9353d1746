"""Noisy BatchNorm: whose noise it is, how much, and from where."""

from __future__ import annotations

import copy
import math
import pickle

import torch
from torch import Tensor, nn

import normlib
from normlib.layers.noisy import NoisyBatchNorm
from tests.layers.measure import assert_same, observe
from tests.layers.relatives import C, batch_norm, built, drawn


def test_noise_of_no_size_is_batch_norm() -> None:
    x = drawn(5, C, 3, 2)
    ours = built(NoisyBatchNorm(C, n_mu=0, n_sigma=1, r_mu=0, r_sigma=0))
    assert_same(observe(ours, x), observe(batch_norm(), x))


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
    x = drawn(6, C, 3, 2)
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
    x = drawn(6, C, 3, 2)

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
    x = drawn(6, C, 3, 2)
    ours, theirs = built(NoisyBatchNorm(C)).eval(), batch_norm().eval()
    assert_same(observe(ours, x), observe(theirs, x))
