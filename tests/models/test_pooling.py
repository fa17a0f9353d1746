"""Pooling and ReLU in one loop against torch's own two."""

import math

import pytest
import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn import functional as F

from normlib import kernels
from normlib.models.pooling import MaxPoolReLU, applies


@pytest.fixture(autouse=True)
def one_thread() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def both(x: Tensor) -> list[tuple[Tensor, Tensor]]:
    """Return output and gradient of the loop, of pooling before ReLU, and of ReLU before it."""
    results = []
    for function in (
        MaxPoolReLU(),
        lambda x: torch.relu(F.max_pool2d(x, 2)),
        lambda x: F.max_pool2d(torch.relu(x), 2),
    ):
        leaf = x.clone(memory_format=torch.preserve_format).requires_grad_()
        y = function(leaf)
        g = torch.arange(1, y.numel() + 1, dtype=y.dtype).reshape(y.shape)
        results.append((y, *torch.autograd.grad(y, leaf, g)))
    return results


@pytest.mark.skipif(kernels.VERSION is None, reason="Numba is not installed")
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("shape", [(3, 5, 8, 6), (2, 3, 7, 9), (1, 1, 2, 2), (4, 32, 28, 28)])
def test_the_same_bits(shape: tuple[int, ...], dtype: torch.dtype) -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(shape, generator=generator, dtype=dtype)
    x = x.mul(2).round().div(2).to(memory_format=torch.channels_last)  # with ties and zeros
    assert applies(x)
    ours, *theirs = both(x)
    for other in theirs:
        assert all(torch.equal(a, b) for a, b in zip(ours, other, strict=True))


def test_what_is_not_a_number_comes_through() -> None:
    x = torch.full((1, 1, 4, 4), -1.0)
    x[0, 0, 0, 1], x[0, 0, 3, 3], x[0, 0, 0, 2:] = math.nan, math.inf, -math.inf
    x = x.to(memory_format=torch.channels_last)
    ours, theirs, _ = both(x)
    for a, b in zip(ours, theirs, strict=True):
        assert torch.equal(a.nan_to_num(7), b.nan_to_num(7))


@pytest.mark.parametrize("shape", [(2, 3, 4, 4), (2, 3, 5, 5)])
def test_second_derivatives(shape: tuple[int, ...]) -> None:
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(shape, dtype=torch.double, generator=generator)
    x = x.to(memory_format=torch.channels_last).requires_grad_()
    assert torch.autograd.gradcheck(MaxPoolReLU(), x)
    assert torch.autograd.gradgradcheck(MaxPoolReLU(), x)


@pytest.mark.parametrize(
    "x",
    [torch.randn(2, 3, 4, 4), torch.randn(2, 3, 4, 4).bfloat16(), torch.randn(0, 3, 4, 4)],
    ids=["contiguous", "half precision", "empty"],
)
def test_elsewhere_torch_does_it(x: Tensor) -> None:
    assert not applies(x) or x.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(MaxPoolReLU()(x), torch.relu(F.max_pool2d(x, 2)))


@pytest.mark.parametrize("size", [(4, 4), (5, 7)], ids=str)
@pytest.mark.parametrize("again", [False, True])
def test_a_batch_of_gradients(size: tuple[int, int], again: bool) -> None:
    """By autograd itself and by torch.func, neither of which the loops can read."""
    x = torch.randn(3, 2, *size, dtype=torch.double).to(memory_format=torch.channels_last)
    y = MaxPoolReLU()(x.requires_grad_())
    gs = torch.randn(4, *y.shape, dtype=torch.double)

    def gradient(g: Tensor, batched: bool = False) -> Tensor:
        return torch.autograd.grad(
            y, x, g, retain_graph=True, create_graph=again, is_grads_batched=batched
        )[0]

    expected = torch.stack([gradient(g) for g in gs])
    assert torch.equal(gradient(gs, batched=True), expected)
    assert torch.equal(torch.func.vmap(gradient)(gs), expected)


def test_a_tensor_without_memory() -> None:
    with FakeTensorMode():
        x = torch.randn(2, 3, 8, 6).to(memory_format=torch.channels_last)
        assert MaxPoolReLU()(x).shape == (2, 3, 4, 3)


def test_transformed_and_compiled() -> None:
    x = torch.randn(3, 2, 4, 4).to(memory_format=torch.channels_last)
    expected = torch.relu(F.max_pool2d(x, 2))
    assert torch.equal(torch.func.vmap(MaxPoolReLU())(x), expected)
    assert torch.equal(
        torch.compile(MaxPoolReLU(), fullgraph=True, backend="aot_eager")(x), expected
    )
