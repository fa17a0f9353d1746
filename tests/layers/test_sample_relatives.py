"""ScaleNorm, filter response, EvoNorm, local response, Dynamic Tanh: what they are equal to."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import normlib
from normlib.layers.dynamic_tanh import DynamicTanh
from normlib.layers.evonorm import EvoNormB0, EvoNormS0
from normlib.layers.neighbours import LocalResponseNorm
from normlib.layers.response import FilterResponseNorm
from normlib.layers.scale import ScaleNorm
from tests.layers.measure import assert_same, differentiate, observe
from tests.layers.table import perturb

EXACT = {"rtol": 1e-12, "atol": 1e-12}


def _input(*shape: int, seed: int = 0) -> Tensor:
    random = np.random.default_rng([seed, *shape])
    return torch.from_numpy(random.normal(0.4, 1.8, shape))


def _built(module: nn.Module) -> nn.Module:
    return perturb(module.double())


# ScaleNorm


@pytest.mark.parametrize("shape", [[5], [4, 5]])
def test_scale_norm_is_rms_norm_with_one_gamma(shape: list[int]) -> None:
    ours = _built(ScaleNorm(shape, eps=1e-3))
    rms = normlib.RMSNorm(shape, eps=1e-3).double()
    with torch.no_grad():
        rms.weight.copy_(ours.weight / math.sqrt(math.prod(shape)))
    x = _input(3, 4, 5)
    found = differentiate(ours, x, {}, second=True)
    assert_same(found, differentiate(rms, x, {}, second=True))


def test_scale_norm_gives_every_vector_the_length_g() -> None:
    """Exactly at eps = 0; else g sqrt(s / (s + eps)), with s the mean square."""
    x = _input(6, 5)
    assert ScaleNorm(5).weight.item() == pytest.approx(math.sqrt(5))
    for eps in (0.0, 0.1):
        layer = _built(ScaleNorm(5, eps=eps))
        s = (x * x).mean(-1)
        expected = layer.weight.abs() * (s / (s + eps)).sqrt()
        torch.testing.assert_close(layer(x).norm(dim=-1), expected, **EXACT)


def test_scale_norm_of_zeros_is_zero_with_a_gradient() -> None:
    x = torch.zeros(2, 4, dtype=torch.float64, requires_grad=True)
    layer = ScaleNorm(4, eps=0.25).double()
    y = layer(x)
    (gradient,) = torch.autograd.grad(y, x, torch.ones_like(y))
    assert torch.equal(y, torch.zeros_like(y))
    torch.testing.assert_close(gradient, torch.full_like(gradient, 2.0))  # 1 / sqrt(eps)


# Filter response


@pytest.mark.parametrize("unthresholded", ["tau", "argument"])
def test_filter_response_without_threshold_is_rms_norm_over_positions(unthresholded: str) -> None:
    ours = _built(FilterResponseNorm(4, eps=1e-3, thresholded=unthresholded == "tau"))
    if ours.tau is not None:
        with torch.no_grad():
            ours.tau.fill_(-math.inf)
    rms = normlib.RMSNorm([3, 2], eps=1e-3, elementwise_affine=False)
    gamma, beta = (p.detach().reshape(-1, 1, 1) for p in (ours.weight, ours.bias))
    x = _input(2, 4, 3, 2)
    found = differentiate(ours, x, {}, second=True)
    assert_same(found, differentiate(lambda x: gamma * rms(x) + beta, x, {}, second=True))


def test_filter_response_starts_as_a_rectifier() -> None:
    x = _input(2, 4, 3, 2)
    plain = FilterResponseNorm(4, thresholded=False).double()
    y = FilterResponseNorm(4).double()(x)
    torch.testing.assert_close(y, torch.relu(plain(x)), **EXACT)
    assert (y == 0).any()


def test_the_threshold_takes_the_gradient_of_what_it_cuts_off() -> None:
    layer, x = _built(FilterResponseNorm(4)), _input(2, 4, 3, 2).requires_grad_()
    y = layer(x)
    below = y == layer.tau.reshape(-1, 1, 1)
    assert below.any()
    assert not below.all()
    gradient = torch.autograd.grad(y.sum(), layer.tau)[0]
    torch.testing.assert_close(gradient, below.sum((0, 2, 3)).double())


def test_one_position_gives_the_sign_unless_eps_is_learned_large() -> None:
    x = _input(8, 4)
    fixed = FilterResponseNorm(4, thresholded=False).double()
    assert (fixed(x).abs() - 1).abs().max() < 1e-3
    assert torch.equal(fixed(x).sign(), x.sign())
    learned = FilterResponseNorm(4, learned_eps=True, thresholded=False).double()
    assert learned.eps_l.item() == pytest.approx(1e-4)
    with torch.no_grad():
        learned.eps_l.fill_(-1e8)  # its sign means nothing
    torch.testing.assert_close(learned(x), x / 1e4, rtol=1e-6, atol=0)


@pytest.mark.parametrize("learned_eps", [False, True])
def test_filter_response_does_not_ask_for_the_scale_of_its_input(learned_eps: bool) -> None:
    """FRN(a x; eps) = FRN(x; eps / a^2), the learned part included."""
    x, a = _input(2, 4, 3, 2), 3.0
    layer = FilterResponseNorm(4, eps=1e-2, learned_eps=learned_eps).double()
    same = FilterResponseNorm(4, eps=1e-2 / a**2, learned_eps=learned_eps).double()
    if learned_eps:
        with torch.no_grad():
            same.eps_l.copy_(layer.eps_l / a**2)
    torch.testing.assert_close(layer(a * x), same(x), **EXACT)


# EvoNorm


def test_a_learned_eps_alone_keeps_a_channel_of_zeros_finite() -> None:
    layer, x = FilterResponseNorm(4, eps=0, learned_eps=True).double(), _input(2, 4, 3, 2)
    expected = (
        layer.weight.reshape(-1, 1, 1)
        * x
        / torch.sqrt(x.square().mean((2, 3), keepdim=True) + layer.eps_l.abs())
    )
    torch.testing.assert_close(layer(x), expected.clamp(min=0))
    x[:, 0] = 0
    x.requires_grad_()
    (gradient,) = torch.autograd.grad(layer(x)[:, 0].sum(), x)
    assert torch.equal(layer(x)[:, 0], torch.zeros(2, 3, 2).double())
    assert torch.isfinite(gradient).all()


def test_evonorm_s0_with_a_given_v() -> None:
    """v = 0 halves, v = 1 is SiLU, a large v is ReLU: over the deviation of the group."""
    x = _input(3, 4, 3, 2)
    layer = EvoNormS0(4, groups=2, eps=1e-3).double()
    sigma = (x.reshape(3, 2, -1).var(-1, correction=0) + 1e-3).sqrt()
    sigma = sigma.repeat_interleave(2, 1)[..., None, None]
    for v, gated in ((0.0, x / 2), (1.0, F.silu(x)), (1e6, F.relu(x))):
        with torch.no_grad():
            layer.v.fill_(v)
        torch.testing.assert_close(layer(x), gated / sigma, rtol=1e-9, atol=1e-9)


def test_evonorm_s0_is_group_norm_of_centered_groups_gated() -> None:
    """Where every group has mean zero, x / sigma is what GroupNorm gives."""
    x = _input(3, 4, 3, 2).reshape(3, 2, -1)
    x = (x - x.mean(-1, keepdim=True)).reshape(3, 4, 3, 2)
    layer, group = EvoNormS0(4, groups=2).double(), normlib.GroupNorm(2, 4).double()
    torch.testing.assert_close(layer(x), group(x) * torch.sigmoid(x), **EXACT)


def test_evonorm_b0_with_a_very_negative_v_divides_by_the_deviation_of_the_batch() -> None:
    """v x + sqrt(t + eps) then loses where x > 0; in evaluation the running one takes over."""
    x = _input(3, 4, 3, 2).abs() + 0.5
    layer = EvoNormB0(4, momentum=1.0).double()
    with torch.no_grad():
        layer.v.fill_(-1e3)
    batch = normlib.BatchNorm2d(4, affine=False, momentum=1.0).double()
    deviation = (x.var((0, 2, 3), correction=0, keepdim=True) + layer.eps).sqrt()
    centered = x.mean((0, 2, 3), keepdim=True) / deviation
    torch.testing.assert_close(layer(x), batch(x) + centered, **EXACT)
    torch.testing.assert_close(layer.running_var, batch.running_var, **EXACT)
    sigma = (layer.running_var + layer.eps).sqrt().reshape(-1, 1, 1)
    torch.testing.assert_close(layer.eval()(x), x / sigma, **EXACT)


def test_evonorm_b0_evaluates_a_sample_by_its_own_variance_too() -> None:
    """The running variance alone would make it affine in x; the sample's own does not."""
    layer = _built(EvoNormB0(4)).eval()
    x = 5 * _input(1, 4, 3, 2)
    bias = layer.bias.detach().reshape(-1, 1, 1)
    assert not torch.allclose(layer(2 * x) - bias, 2 * (layer(x) - bias))


# Local response


@pytest.mark.parametrize("shape", [(2, 7, 3, 2), (2, 7, 4), (2, 3, 2, 2, 2)])
@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 9])
def test_local_response_equals_torch(size: int, shape: tuple[int, ...]) -> None:
    x = _input(*shape)
    args = (size, 0.7, 0.6, 1.5)
    ours, theirs = LocalResponseNorm(*args), nn.LocalResponseNorm(*args)
    assert_same(observe(ours, x), observe(theirs, x))


def test_local_response_of_the_paper_is_torchs_with_alpha_times_size() -> None:
    """Krizhevsky's constants: n = 5, alpha = 1e-4, beta = 0.75, k = 2."""
    x = _input(2, 7, 3, 2)
    paper = LocalResponseNorm(5, k=2.0, averaged=False)
    torch.testing.assert_close(paper(x), nn.LocalResponseNorm(5, 5e-4, 0.75, 2.0)(x), **EXACT)
    assert isinstance(paper, nn.LocalResponseNorm)
    assert repr(paper) == "LocalResponseNorm(5, alpha=0.0001, beta=0.75, k=2.0, averaged=False)"


def test_local_response_over_all_channels_without_k_is_the_projection() -> None:
    """x / sqrt(mean x^2) over a window that holds every channel: RMSNorm over channels."""
    x = _input(2, 3, 2, 2)
    found = LocalResponseNorm(5, alpha=5 / 3, beta=0.5, k=0.0)(x)
    rms = normlib.RMSNorm(3, eps=0.0, elementwise_affine=False)(x.movedim(1, -1)).movedim(-1, 1)
    torch.testing.assert_close(found, rms, **EXACT)


# Dynamic Tanh


def test_dynamic_tanh_is_invariant_to_nothing() -> None:
    """No statistics: neither a shift nor a factor of the input is taken out."""
    layer, x = DynamicTanh(4).double(), _input(3, 4, 3, 2)
    for changed in (x + 1, 2 * x):
        assert (layer(changed) - layer(x)).abs().max() > 0.1


def test_dynamic_tanh_sees_neither_other_entries_nor_the_mode() -> None:
    layer, x = _built(DynamicTanh(4)), _input(3, 4, 3, 2)
    changed = x.clone()
    changed[0, 0, 0, 0] += 1
    differs = layer(changed) != layer(x)
    assert differs.sum() == 1
    assert differs[0, 0, 0, 0]
    assert torch.equal(layer.eval()(x), layer.train()(x))


def test_dynamic_tanh_starts_nearly_linear_and_ends_at_gamma() -> None:
    layer = DynamicTanh(1, alpha_init=0.5).double()
    assert layer.alpha.item() == 0.5
    small = torch.full((1, 1), 1e-5, dtype=torch.float64)
    torch.testing.assert_close(layer(small), small / 2, rtol=1e-9, atol=0)
    large = torch.tensor([[1e4], [-1e4]], dtype=torch.float64)
    torch.testing.assert_close(layer(large), torch.tensor([[1.0], [-1.0]], dtype=torch.float64))


def test_dynamic_tanh_of_tokens_is_that_of_images_with_channels_moved() -> None:
    x = _input(3, 5, 4)
    tokens, images = _built(DynamicTanh(4, channel_dim=-1)), _built(DynamicTanh(4))
    torch.testing.assert_close(tokens(x), images(x.movedim(-1, 1)).movedim(1, -1), **EXACT)


# LayerNorm over channels


def test_layer_norm_over_channels_has_a_device_and_a_type() -> None:
    layer = normlib.LayerNormChannels(4, 1e-3, device="meta", dtype=torch.bfloat16)
    assert {(p.device.type, p.dtype) for p in layer.parameters()} == {("meta", torch.bfloat16)}
    assert layer.norm.eps == 1e-3


# All


IMAGES = {
    "scale": lambda: ScaleNorm([4, 3, 2]),
    "frn": lambda: FilterResponseNorm(4),
    "evonorm-b0": lambda: EvoNormB0(4),
    "evonorm-s0": lambda: EvoNormS0(4, groups=2),
    "local-response": lambda: LocalResponseNorm(3),
    "dynamic-tanh": lambda: DynamicTanh(4),
}


@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
@pytest.mark.parametrize("name", IMAGES)
def test_channels_last_in_channels_last_out(name: str, training: bool) -> None:
    layer = IMAGES[name]().train(training)
    for dtype in (torch.float32, torch.bfloat16):
        x = _input(2, 4, 3, 2).to(dtype).contiguous(memory_format=torch.channels_last)
        assert layer(x).is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
@pytest.mark.parametrize("name", IMAGES)
def test_a_value_that_is_not_finite_stays_in_its_sample(name: str, bad: float) -> None:
    x = _input(2, 4, 3, 2)
    x[0, 0, 0, 0] = bad
    assert torch.isfinite(IMAGES[name]().double().eval()(x)[1]).all()


@pytest.mark.parametrize("name", IMAGES)
def test_an_input_of_zeros_has_finite_outputs_and_gradients(name: str) -> None:
    x = torch.zeros(2, 4, 3, 2, requires_grad=True)
    y = IMAGES[name]()(x)
    (gradient,) = torch.autograd.grad(y.sum(), x)
    assert torch.isfinite(y).all()
    assert torch.isfinite(gradient).all()


ERRORS = {
    "groups=3 does not divide 4 channels; choose a divisor": lambda: EvoNormS0(4, groups=3),
    "groups=32 does not divide 4 channels": lambda: EvoNormS0(4),
    "groups=0 does not divide 4": lambda: EvoNormS0(4, groups=0),
    "each of 4 groups holds one value": lambda: EvoNormS0(4, groups=4)(_input(3, 4).float()),
    "momentum=1.5 is not in 0..1": lambda: EvoNormB0(4, momentum=1.5),
    "expected an input of shape (N, 4, L, ...), got (3, 4)": lambda: EvoNormB0(4)(_input(3, 4)),
    "expected an input of shape (N, 4, ...), got (3, 5)": lambda: FilterResponseNorm(4)(
        _input(3, 5)
    ),
    "at least 0, got -0.1": lambda: FilterResponseNorm(4, eps=-0.1),
    "normalized_shape is empty": lambda: ScaleNorm([]),
    "expected an input of shape (..., 4, 5), got (4, 6)": lambda: ScaleNorm([4, 5])(_input(4, 6)),
    "expected an input of shape (..., 4, 5), got (5,)": lambda: ScaleNorm([4, 5])(_input(5)),
    "at least one channel, got size=0": lambda: LocalResponseNorm(0),
    "expected an input of shape (N, C, L, ...), got (3, 4)": lambda: LocalResponseNorm(3)(
        _input(3, 4)
    ),
    "expected 4 channels in dimension 1, got an input of shape (3, 5, 4)": lambda: DynamicTanh(4)(
        _input(3, 5, 4)
    ),
    "expected 4 channels in dimension 1, got an input of shape (4,)": lambda: DynamicTanh(4)(
        _input(4)
    ),
}


@pytest.mark.parametrize("text", ERRORS)
def test_clear_errors(text: str) -> None:
    with pytest.raises(ValueError, match=re.escape(text)):
        ERRORS[text]()
