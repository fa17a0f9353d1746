"""Every parametrization of weights: beside its NumPy formula, and what holds for all of them.

Weight normalization is compared with the framework's in ``test_weight.py``, spectral
normalization at the end of this file.
"""

from __future__ import annotations

import copy
import math
import pickle
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.autograd import gradcheck, gradgradcheck
from torch.func import functional_call, vmap
from torch.nn.utils import parametrizations, parametrize

from normlib.errors import NormlibError
from normlib.layers.centered_weight import centered_weight_norm
from normlib.layers.spectral import spectral_norm
from normlib.layers.standardization import (
    GAMMA_RELU,
    scaled_weight_standardization,
    weight_standardization,
)
from normlib.layers.weight import output_dim, weight_norm
from tests.layers.measure import assert_same, observe, seeded
from tests.layers.methods.weights import (
    LAYERS,
    METHODS,
    buffers_of,
    build,
    formula,
    free,
    spectral,
    spectral_backward,
)
from tests.layers.test_operators import FORBIDDEN, Called, Dispatched
from tests.layers.test_precision import RTOL
from tests.layers.test_transforms import COMPILER

ONE_EACH = (
    "weight", "centered-weight", "weight-standardization", "scaled-weight-standardization",
    "spectral",
)  # fmt: skip
FUNCTIONS = [
    weight_norm, centered_weight_norm, weight_standardization, scaled_weight_standardization,
    spectral_norm,
]  # fmt: skip
EACH = pytest.mark.parametrize("name", METHODS)
ON = pytest.mark.parametrize("layer", LAYERS)
MODES = pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
EVERY_FUNCTION = pytest.mark.parametrize("function", FUNCTIONS, ids=lambda f: f.__name__)


def _input(layer: str, dtype: torch.dtype = torch.float64) -> Tensor:
    return seeded(torch.empty(LAYERS[layer][1], dtype=dtype), 3)


@MODES
@ON
@EACH
def test_the_formula(name: str, layer: str, training: bool) -> None:
    module = build(name, layer, training=training)
    expected = formula(name, module)
    found = copy.deepcopy(module).weight.detach().numpy()
    assert np.abs(found - expected).max() <= 1e-10 * np.abs(expected).max()
    plain = LAYERS[layer][0](torch.float64)
    plain.load_state_dict({"weight": torch.from_numpy(expected), "bias": module.bias})
    x = _input(layer)
    torch.testing.assert_close(module(x), plain(x), rtol=1e-10, atol=1e-10)


@ON
@EACH
def test_derivatives_by_finite_differences(name: str, layer: str) -> None:
    """In eval mode: in training, spectral normalization's iteration moves with every call."""
    module = build(name, layer, training=False)
    inputs = [p.detach().clone().requires_grad_() for p in free(module)]
    parametrization = module.parametrizations.weight[0]
    assert gradcheck(parametrization, inputs, check_batched_grad=True)
    assert gradgradcheck(parametrization, inputs, fast_mode=layer != "linear")


@ON
@pytest.mark.parametrize("name", [n for n in METHODS if METHODS[n].steps == 0])
def test_both_modes_are_the_same_without_state(name: str, layer: str) -> None:
    module, x = build(name, layer), _input(layer)
    assert not list(module.buffers())
    training = observe(module, x, second=False)
    assert_same(observe(module.eval(), x, second=False), training)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16], ids=str)
@pytest.mark.parametrize("layer", ["linear", "conv2d"])
@EACH
def test_narrow_types(name: str, layer: str, dtype: torch.dtype) -> None:
    module = build(name, layer, training=False, dtype=dtype)
    expected = torch.from_numpy(formula(name, module))
    weight = module.weight
    assert weight.dtype == dtype
    largest = expected.abs().max().item()
    torch.testing.assert_close(
        weight.double(), expected, rtol=4 * RTOL[dtype], atol=RTOL[dtype] * largest
    )
    module.train()(_input(layer, dtype)).sum().backward()
    for parameter in module.parameters():
        assert parameter.grad.dtype == dtype
        assert parameter.grad.isfinite().all()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
@pytest.mark.parametrize("layer", ["linear", "conv2d"])
@pytest.mark.parametrize("name", [n for n in METHODS if METHODS[n].steps == 0])
def test_half_precision_is_rounded_once(name: str, layer: str, dtype: torch.dtype) -> None:
    """Half a unit in the last place: neither length nor gain is rounded on the way."""
    module = build(name, layer, training=False, dtype=dtype)
    expected = torch.from_numpy(formula(name, module))
    error = (module.weight.double() - expected).abs() / expected.abs()
    assert error.max() <= torch.finfo(dtype).eps / 2 * 1.01


@COMPILER
@pytest.mark.parametrize(
    ("name", "training"), [*((n, True) for n in ONE_EACH), ("spectral", False)]
)
def test_traced_as_one_graph(name: str, training: bool) -> None:
    torch.compiler.reset()
    module = build(name, "linear", training=training)
    x = _input("linear")
    compiled = torch.compile(copy.deepcopy(module), fullgraph=True, backend="aot_eager")
    for _ in range(2):
        found = observe(compiled, x, second=False)
        found = {k.replace("_orig_mod.", ""): v for k, v in found.items()}
        assert_same(found, observe(module, x, second=False))


@MODES
@EACH
def test_vmap_over_inputs(name: str, training: bool) -> None:
    module = build(name, "conv2d", training=training)
    x = torch.stack([_input("conv2d"), _input("conv2d") + 1])
    found = vmap(copy.deepcopy(module))(x)
    weight = module.weight  # once: in training, each use moves spectral normalization's vectors
    for row, y in zip(x, found, strict=True):
        expected = nn.functional.conv2d(row, weight, module.bias)
        torch.testing.assert_close(y, expected, rtol=1e-12, atol=1e-12)


@MODES
@EACH
def test_vmap_over_parameters_and_buffers(name: str, training: bool) -> None:
    one, other = (build(name, "linear", training=training) for _ in range(2))
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.mul_(1.1).sub_(0.3)
    x = _input("linear")
    parameters, buffers = (
        {k: torch.stack([a.detach(), b]) for (k, a), (_, b) in zip(*pair, strict=True)}
        for pair in (
            [m.named_parameters() for m in (one, other)], [m.named_buffers() for m in (one, other)]
        )
    )  # fmt: skip
    base = copy.deepcopy(one)
    found = vmap(lambda p, b: functional_call(base, (p, b), (x,)))(parameters, buffers)
    torch.testing.assert_close(found, torch.stack([one(x), other(x)]), rtol=1e-12, atol=1e-12)
    for key, value in buffers.items():
        expected = torch.stack([m.get_buffer(key) for m in (one, other)])
        torch.testing.assert_close(value, expected, rtol=1e-12, atol=1e-12)


@EACH
def test_copies_and_state(name: str) -> None:
    module, x = build(name, "conv2d"), _input("conv2d")
    fresh = METHODS[name].apply(LAYERS["conv2d"][0](torch.float64))
    assert str(fresh.load_state_dict(module.state_dict())) == "<All keys matched successfully>"
    twin = copy.deepcopy(module)
    expected = observe(module, x, second=False)
    for other in (fresh, twin):
        assert_same(observe(other, x, second=False), expected)
    with pytest.raises(RuntimeError, match="parametriz"):
        pickle.dumps(module)


@ON
@EACH
def test_what_is_normalized_stays_as_it_is(name: str, layer: str) -> None:
    """Putting it on, or assigning: where the method can give a weight, it gives that weight."""
    method = METHODS[name]
    torch.manual_seed(1)
    module = LAYERS[layer][0](torch.float64)
    kept = torch.from_numpy(method.kept(output_dim(module), module.weight.detach().numpy()))
    with torch.no_grad():
        module.weight.copy_(kept)
    method.apply(module)
    for _ in range(400 if method.steps else 0):
        _ = module.weight  # lets the power iteration converge
    torch.testing.assert_close(module.weight.detach(), kept, rtol=1e-9, atol=1e-9)
    with torch.no_grad():
        for parameter in free(module):
            parameter.add_(1.0)
    module.weight = kept.clone()
    for _ in range(400 if method.steps else 0):
        _ = module.weight
    torch.testing.assert_close(module.weight.detach(), kept, rtol=1e-9, atol=1e-9)
    parametrize.remove_parametrizations(module, "weight")
    assert isinstance(module.weight, nn.Parameter)
    torch.testing.assert_close(module.weight.detach(), kept, rtol=1e-9, atol=1e-9)


@ON
@pytest.mark.parametrize("name", [n for n, m in METHODS.items() if m.exact])
def test_length_and_mean_of_the_free_weight_do_not_matter(name: str, layer: str) -> None:
    """w(a v) = w(v), so <v, dv> = 0 and dv at a v is dv over a; and w(v + c) = w(v) if centered."""
    module, x = build(name, layer, training=False), _input(layer)
    v = free(module)[-1]

    def look() -> tuple[Tensor, Tensor]:
        (gradient,) = torch.autograd.grad(module(x).pow(3).sum(), v)
        return module.weight.detach(), gradient

    w, gradient = look()
    assert (gradient * v).sum().abs() <= 1e-13 * gradient.norm() * v.norm()
    if METHODS[name].centered:
        assert gradient.sum().abs() <= 1e-12 * gradient.norm()
    with torch.no_grad():
        v.mul_(4)
    scaled, smaller = look()
    torch.testing.assert_close(scaled, w, rtol=1e-12, atol=1e-13)
    torch.testing.assert_close(4 * smaller, gradient, rtol=1e-10, atol=1e-11)
    with torch.no_grad():
        v.add_(3)
    assert torch.allclose(look()[0], w, rtol=1e-10, atol=1e-11) == METHODS[name].centered


@EACH
def test_no_normalization_operator_of_the_framework(name: str) -> None:
    module = build(name, "conv2d")
    with Called() as called, Dispatched() as dispatched:
        observe(module, _input("conv2d"))
    kernels = {n for n in called.names | dispatched.names if "normlib" not in n}
    assert not {n for n in kernels if FORBIDDEN.search(n) or n.endswith("normalize")}


# What is refused.


@EVERY_FUNCTION
def test_refused_names_and_arguments(function: Callable[..., nn.Module]) -> None:
    with pytest.raises(NormlibError, match=r"Linear has no parameter 'wieght'.*: weight, bias"):
        function(nn.Linear(3, 4), "wieght")
    with pytest.raises(NormlibError, match="parametrized already"):
        function(function(nn.Linear(3, 4)))
    with pytest.raises(TypeError, match="unexpected keyword argument"):
        function(nn.Linear(3, 4), epsilon=1e-3)
    linear = nn.Linear(3, 4)
    with pytest.raises(IndexError, match=r"dim=2 is no dimension.*\(4, 3\).*-2\.\.1"):
        function(linear, dim=2)
    assert not parametrize.is_parametrized(linear)
    assert isinstance(linear.weight, nn.Parameter)


@EVERY_FUNCTION
def test_any_parameter(function: Callable[..., nn.Module]) -> None:
    cell = function(nn.LSTMCell(3, 4), name="weight_hh")
    assert list(cell.parametrizations) == ["weight_hh"]
    assert cell(torch.ones(2, 3))[0].shape == (2, 4)


@pytest.mark.parametrize("function", FUNCTIONS[1:4], ids=lambda f: f.__name__)
def test_filters_of_one_entry_are_refused(function: Callable[..., nn.Module]) -> None:
    depthwise = nn.Conv2d(4, 4, 1, groups=4)
    with pytest.raises(ValueError, match=r"\(4, 1, 1, 1\) has one entry per filter"):
        function(depthwise)
    assert not parametrize.is_parametrized(depthwise)


@pytest.mark.parametrize("function", FUNCTIONS[2:4], ids=lambda f: f.__name__)
def test_refused_standardizations(function: Callable[..., nn.Module]) -> None:
    with pytest.raises(ValueError, match=r"eps .* at least 0, got -1\.0"):
        function(nn.Linear(3, 4), eps=-1.0)
    grouped = nn.ConvTranspose2d(4, 6, 3, groups=2)
    with pytest.raises(NormlibError, match=r"groups=2 are no slices.*give dim"):
        function(grouped)
    assert function(grouped, dim=1).weight.shape == (4, 3, 3, 3)


def test_refused_power_iterations() -> None:
    with pytest.raises(ValueError, match="n_power_iterations=0"):
        spectral_norm(nn.Linear(3, 4), n_power_iterations=0)


def test_what_a_layer_says_about_itself() -> None:
    said = [repr(build(name, "linear").parametrizations.weight[0]) for name in ONE_EACH]
    assert said == [
        "WeightNorm(dim=0)",
        "CenteredWeightNorm(dim=0)",
        "WeightStandardization(eps=1e-06, dim=0)",
        f"ScaledWeightStandardization(gamma={GAMMA_RELU}, eps=0.01, dim=0)",
        "SpectralNorm(n_power_iterations=1, dim=0, eps=1e-12)",
    ]


# Standardization: what implementations disagree about, and what the scale is for.


def test_against_the_implementations_that_disagree() -> None:
    """The authors: unbiased deviation + 1e-5. timm: the root of biased variance + 1e-6."""
    torch.manual_seed(0)
    v = nn.Conv2d(3, 8, 3).weight.detach().double()
    conv = nn.Conv2d(3, 8, 3, dtype=torch.float64)
    with torch.no_grad():
        conv.weight.copy_(v)
    exact, default = (
        weight_standardization(copy.deepcopy(conv), **o).weight for o in ({"eps": 0.0}, {})
    )
    dims, n = (1, 2, 3), 27
    z, s = v - v.mean(dims, keepdim=True), v.std(dims, keepdim=True, correction=1)
    authors = z / (s + 1e-5)
    timm = z / (v.var(dims, keepdim=True, correction=0) + 1e-6).sqrt()
    torch.testing.assert_close(default, timm, rtol=1e-12, atol=1e-12)
    factor = math.sqrt((n - 1) / n) * s / (s + 1e-5)
    torch.testing.assert_close(exact * factor, authors, rtol=1e-12, atol=1e-12)
    assert 0.015 < (authors / timm - 1).abs().max() < 0.025  # sqrt(26 / 27) is 1 - 0.019


@pytest.mark.parametrize("factor", [0.1, 3.0])
@pytest.mark.parametrize(
    "function", [weight_standardization, scaled_weight_standardization], ids=lambda f: f.__name__
)
def test_scaling_the_weight_is_scaling_eps(
    function: Callable[..., nn.Module], factor: float
) -> None:
    torch.manual_seed(0)
    plain = nn.Linear(5, 4, dtype=torch.float64)
    longer = copy.deepcopy(plain)
    with torch.no_grad():
        longer.weight.mul_(factor)
    found = function(longer, eps=1e-3).weight
    expected = function(plain, eps=1e-3 / factor**2).weight
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-13)


def test_scaled_filters_keep_the_variance() -> None:
    """Filters of sum 0 and sum of squares (gain gamma)^2 sigma2 / (sigma2 + eps); and gamma for
    ReLU is such that gamma ReLU(x) has variance 1 for standard normal x."""
    module = scaled_weight_standardization(nn.Linear(50, 6).double(), gamma=1.3, eps=1e-4)
    gain, v = free(module)
    with torch.no_grad():
        gain.copy_(torch.linspace(-2, 2, 6)[:, None])
    w, sigma2 = module.weight, v.var(1, correction=0)
    assert w.sum(1).abs().max() <= 1e-13
    expected = (gain[:, 0] * 1.3) ** 2 * sigma2 / (sigma2 + 1e-4)
    torch.testing.assert_close((w * w).sum(1), expected, rtol=1e-12, atol=1e-14)
    x = torch.linspace(-12, 12, 200_001, dtype=torch.float64)
    density = torch.exp(-x * x / 2) / math.sqrt(2 * math.pi)
    y = GAMMA_RELU * x.relu()
    mean, square = (torch.trapezoid(f * density, x).item() for f in (y, y * y))
    assert math.isclose(square - mean**2, 1, rel_tol=1e-8)  # the sum is off by 1e-9


# Spectral normalization.


@pytest.mark.parametrize("steps", [1, 3])
@ON
def test_spectral_same_as_the_framework_through_training(layer: str, steps: int) -> None:
    """The same seed gives the same vectors; five steps, then evaluation, then exchanged states."""
    pair = []
    for function in (spectral_norm, parametrizations.spectral_norm):
        torch.manual_seed(0)
        pair.append(function(LAYERS[layer][0](torch.float64), n_power_iterations=steps))
    ours, theirs = pair
    x = _input(layer)
    assert_same(observe(ours, x), observe(theirs, x))
    optimizers = [torch.optim.SGD(m.parameters(), lr=0.05) for m in pair]
    for _ in range(5):
        for module, optimizer in zip(pair, optimizers, strict=True):
            optimizer.zero_grad()
            module(x).pow(2).sum().backward()
            optimizer.step()
    assert_same(observe(ours, x), observe(theirs, x))
    assert_same(observe(ours.eval(), x), observe(theirs.eval(), x))
    assert list(ours.state_dict()) == list(theirs.state_dict())
    for source, target in (pair, pair[::-1]):
        with torch.no_grad():
            state = {k: v * 1.1 + 0.1 for k, v in source.state_dict().items()}
        for module in (source, target):
            assert str(module.load_state_dict(state)) == "<All keys matched successfully>"
        assert_same(observe(ours, x), observe(theirs, x))


def test_spectral_of_a_vector_is_its_direction() -> None:
    torch.manual_seed(0)
    plain = nn.Linear(3, 4, dtype=torch.float64)
    ours, theirs = (
        f(copy.deepcopy(plain), "bias") for f in (spectral_norm, parametrizations.spectral_norm)
    )
    x = torch.ones(2, 3, dtype=torch.float64)
    assert_same(observe(ours, x), observe(theirs, x))
    assert math.isclose(ours.bias.norm().item(), 1, rel_tol=1e-15)
    assert list(ours.state_dict()) == list(theirs.state_dict())


@ON
def test_spectral_backward_in_training_is_the_stated_one(layer: str) -> None:
    module = build("spectral", layer)
    (original,) = free(module)
    dim, v, buffers = output_dim(module), original.detach().numpy(), buffers_of(module)
    dw = seeded(original, 5)
    expected = spectral_backward(dim, v, buffers, 1, dw.numpy())
    (found,) = torch.autograd.grad(module.weight, original, dw)
    assert np.abs(found.numpy() - expected).max() <= 1e-12 * np.abs(expected).max()
    # It is not the derivative: that would follow the vectors through the step.
    moved = []
    for sign in (1, -1):
        near = v + sign * 1e-6 * dw.numpy()
        moved.append((dw.numpy() * spectral(dim, near, buffers, 1)).sum())
    directional = (moved[0] - moved[1]) / 2e-6
    assert abs(directional - (expected * dw.numpy()).sum()) > 1e-4 * abs(directional)


def test_autocast_does_not_round_the_spectral_norm() -> None:
    weights = []
    for enabled in (True, False):
        torch.manual_seed(0)
        module = spectral_norm(nn.Linear(40, 30))
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=enabled):
            weights.append([module.weight for _ in range(3)] + [module.eval().weight])
    for one, other in zip(*weights, strict=True):
        assert torch.equal(one, other)


def test_spectral_vectors_move_in_training_only_and_hold_no_graph() -> None:
    module, x = build("spectral", "conv2d"), _input("conv2d")
    held = dict(module.named_buffers())
    for training in (False, True):
        before = {k: b.clone() for k, b in held.items()}
        # Two passes before one backward, as of a discriminator on real and on generated images.
        (module.train(training)(x).sum() - module(x + 1).pow(2).sum()).backward()
        for key, buffer in module.named_buffers():
            assert buffer is held[key]
            assert buffer.grad_fn is None
            assert not buffer.requires_grad
            assert torch.equal(buffer, before[key]) != training
    for _ in range(300):
        module(x)
    singular = torch.linalg.svdvals(module.weight.detach().flatten(1))
    assert math.isclose(singular[0].item(), 1, rel_tol=1e-10)


def _operator_norm(conv: nn.Module, side: int) -> float:
    """Largest singular value of the convolution as a matrix between images."""
    weight = conv.weight.detach()
    images = torch.eye(weight.shape[1] * side**2, dtype=weight.dtype)
    images = images.reshape(-1, weight.shape[1], side, side)
    padded = nn.functional.pad(images, (1, 1, 1, 1), mode="circular")
    matrix = nn.functional.conv2d(padded, weight).flatten(1)
    return torch.linalg.matrix_norm(matrix, 2).item()


def test_spectral_norm_of_the_kernel_is_not_the_convolution_s() -> None:
    """A 3x3 kernel of ones has singular value 3 as a row and 9 as an operator: normalized, it
    still stretches an image of ones threefold. That is the worst: sqrt(3 * 3) = 3."""
    conv = nn.Conv2d(1, 1, 3, bias=False, dtype=torch.float64)
    nn.init.ones_(conv.weight)
    spectral_norm(conv)
    assert math.isclose(torch.linalg.matrix_norm(conv.weight.flatten(1), 2).item(), 1)
    assert math.isclose(_operator_norm(conv, 6), 3, rel_tol=1e-12)
    for seed in range(3):
        torch.manual_seed(seed)
        conv = spectral_norm(nn.Conv2d(2, 3, 3, dtype=torch.float64), n_power_iterations=50)
        assert 1 - 1e-6 <= _operator_norm(conv, 6) <= 3
