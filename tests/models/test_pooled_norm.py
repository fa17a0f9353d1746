"""BatchNorm and pooling in one go against the two, one after the other."""

import copy

import pytest
import torch
from torch import Tensor, nn
from torch.autograd import gradcheck, gradgradcheck

from normlib import BatchNorm2d, kernels
from normlib.kernels import layout as layouts
from normlib.models import pooled_norm
from normlib.models.pooled_norm import norm_then_pool, sphere_then_pool
from normlib.models.pooling import MaxPoolReLU

pytestmark = pytest.mark.skipif(kernels.VERSION is None, reason="Numba is not installed")
SHAPES = [(3, 5, 8, 6), (4, 2, 7, 9), (2, 1, 2, 2), (6, 3, 5, 4), (100, 32, 28, 28)]


@pytest.fixture(autouse=True)
def one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    monkeypatch.setattr(layouts, "SMALLEST", 1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def fused(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Grows by an entry at each call of what is fused."""
    called: list[str] = []

    def call(*args: object, **options: object) -> tuple[Tensor, Tensor, Tensor]:
        called.append("fused")
        return sphere_then_pool(*args, **options)

    monkeypatch.setattr(pooled_norm, "sphere_then_pool", call)
    return called


def images(shape: tuple[int, ...], dtype: torch.dtype = torch.float64, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(shape, generator=generator, dtype=dtype) * 2 + 0.3
    return x.to(memory_format=torch.channels_last)


def norm(channels: int, dtype: torch.dtype = torch.float64) -> BatchNorm2d:
    torch.manual_seed(1)
    layer = BatchNorm2d(channels, dtype=dtype)
    with torch.no_grad():
        layer.weight.uniform_(-1, 2)
        layer.bias.normal_()
    return layer


def observed(layer: nn.Module, x: Tensor, *, apart: bool) -> list[Tensor]:
    """Output, gradients and buffers; ``apart``, one module after the other."""
    layer, leaf, pool = copy.deepcopy(layer), x.clone().requires_grad_(), MaxPoolReLU()
    y = pool(layer(leaf)) if apart else norm_then_pool(layer, pool, leaf)
    g = torch.sin(torch.arange(y.numel(), dtype=y.dtype)).reshape(y.shape)
    gradients = torch.autograd.grad(y, [leaf, *layer.parameters()], g)
    return [y, *gradients, *layer.buffers()]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_the_same_bits(shape: tuple[int, ...], dtype: torch.dtype, fused: list[str]) -> None:
    layer, x = norm(shape[1], dtype), images(shape, dtype)
    together, apart = (observed(layer, x, apart=one) for one in (False, True))
    for a, b in zip(together, apart, strict=True):
        assert torch.equal(a, b)
        assert a.dtype == b.dtype
    rows_end_with_images = kernels.loops.divides_images(*shape)
    assert bool(fused) == rows_end_with_images
    assert together[0].is_contiguous(), "what follows would copy it"


def test_some_shapes_are_fused_and_some_are_not() -> None:
    assert len({kernels.loops.divides_images(*shape) for shape in SHAPES}) == 2


def watched() -> BatchNorm2d:
    layer = norm(5)
    layer.register_forward_hook(lambda module, inputs, output: None)
    return layer


class Subclass(BatchNorm2d):
    """Whose forward might be another."""


ELSEWHERE = {
    "evaluation": lambda: (norm(5).eval(), images((3, 5, 8, 6))),
    "someone watches": lambda: (watched(), images((3, 5, 8, 6))),
    "subclass": lambda: (Subclass(5).double(), images((3, 5, 8, 6))),
    "no parameters": lambda: (BatchNorm2d(5, affine=False).double(), images((3, 5, 8, 6))),
    "no bias": lambda: (BatchNorm2d(5, bias=False).double(), images((3, 5, 8, 6))),
    "contiguous": lambda: (norm(5), images((3, 5, 8, 6)).contiguous()),
    "half precision": lambda: (norm(5, torch.bfloat16), images((3, 5, 8, 6), torch.bfloat16)),
    "torch's": lambda: (nn.BatchNorm2d(5).double(), images((3, 5, 8, 6))),
}


@pytest.mark.parametrize("case", ELSEWHERE)
def test_elsewhere_one_follows_the_other(case: str, fused: list[str]) -> None:
    layer, x = ELSEWHERE[case]()
    for a, b in zip(*(observed(layer, x, apart=one) for one in (False, True)), strict=True):
        assert torch.equal(a, b)
    assert not fused


def test_errors_are_the_layer_s() -> None:
    layer = norm(5)
    layer.eps = 0.0
    with pytest.raises(ValueError, match="eps must be positive"):
        norm_then_pool(layer, MaxPoolReLU(), images((3, 5, 8, 6)))
    with pytest.raises(ValueError, match="more than 1 value per channel"):
        norm_then_pool(norm(5), MaxPoolReLU(), images((1, 5, 1, 1)))


@pytest.mark.parametrize("shape", [(3, 2, 4, 4), (3, 2, 5, 3)], ids=str)
def test_derivatives_of_output_and_statistics(shape: tuple[int, ...]) -> None:
    layer, x = norm(2), images(shape).requires_grad_()
    inputs = (x, *(p.detach().view(1, -1, 1, 1).requires_grad_() for p in layer.parameters()))

    def function(*inputs: Tensor) -> tuple[Tensor, ...]:
        return sphere_then_pool(inputs[0], (0, 2, 3), *inputs[1:], eps=1e-3)

    assert gradcheck(function, inputs)
    assert gradgradcheck(function, inputs)


def test_statistics_alone_have_a_gradient() -> None:
    x = images((3, 2, 4, 4)).requires_grad_()
    gamma, beta = torch.ones(1, 2, 1, 1).double(), torch.zeros(1, 2, 1, 1).double()
    _, mu, sigma2 = sphere_then_pool(x, (0, 2, 3), gamma, beta, eps=1e-3)
    (found,) = torch.autograd.grad(mu.sum() + sigma2.sum(), x)
    expected = (1 + 2 * (x - x.mean((0, 2, 3), keepdim=True))) / 48
    assert torch.allclose(found, expected, rtol=1e-12)


def test_a_batch_of_gradients(fused: list[str]) -> None:
    """By autograd itself and by torch.func, neither of which the loops can read."""
    layer, x = norm(5), images((3, 5, 8, 6)).requires_grad_()
    y, leaves = norm_then_pool(layer, MaxPoolReLU(), x), [x, *layer.parameters()]
    gs = torch.randn(4, *y.shape, dtype=y.dtype)

    def gradients(g: Tensor, batched: bool = False) -> tuple[Tensor, ...]:
        return torch.autograd.grad(y, leaves, g, retain_graph=True, is_grads_batched=batched)

    expected = [torch.stack(each) for each in zip(*(gradients(g) for g in gs), strict=True)]
    for found in (gradients(gs, batched=True), torch.func.vmap(gradients)(gs)):
        for a, b in zip(found, expected, strict=True):
            torch.testing.assert_close(a, b)
    assert fused


def test_second_derivatives_where_the_input_has_none(fused: list[str]) -> None:
    layer, x = norm(5), images((3, 5, 8, 6))
    found = []
    for y in (norm_then_pool(layer, MaxPoolReLU(), x), MaxPoolReLU()(layer(x))):
        parameters = list(layer.parameters())
        first = torch.autograd.grad(y.square().sum(), parameters, create_graph=True)
        found.append(torch.autograd.grad(sum(g.square().sum() for g in first), parameters))
    for a, b in zip(*found, strict=True):
        torch.testing.assert_close(a, b)
    assert fused
