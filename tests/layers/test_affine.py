"""The two halves of BatchNorm that source E takes apart: AffineLayer and BatchNormMinus."""

from __future__ import annotations

import copy
import pickle

import pytest
import torch
from torch import Tensor, nn
from torch.autograd import gradcheck, gradgradcheck

import normlib
from tests.layers.measure import assert_same, observe, seeded
from tests.layers.table import perturb

SHAPES = [(5, 4), (3, 4, 5), (3, 4, 3, 2), (2, 4, 2, 3, 2)]


def _x(*shape: int) -> Tensor:
    return seeded(torch.empty(shape, dtype=torch.float64), len(shape))


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_affine_is_gamma_x_plus_beta_per_channel(shape: tuple[int, ...]) -> None:
    layer = perturb(normlib.AffineLayer(4)).double()
    x = _x(*shape)
    per_channel = (1, 4) + (1,) * (len(shape) - 2)
    expected = layer.weight.view(per_channel) * x + layer.bias.view(per_channel)
    torch.testing.assert_close(layer(x), expected, rtol=1e-14, atol=1e-14)
    assert torch.equal(layer(x), layer.eval()(x))


def test_affine_starts_as_the_identity_without_statistics() -> None:
    layer = normlib.AffineLayer(4)
    x = _x(3, 4, 2, 2).float()
    assert torch.equal(layer(x), x)
    assert {k: tuple(v.shape) for k, v in layer.named_parameters()} == {
        "weight": (4,), "bias": (4,)}  # fmt: skip
    assert list(layer.buffers()) == []
    assert "4" in repr(layer)


@pytest.mark.parametrize("shape", SHAPES[:3], ids=str)
def test_affine_derivatives(shape: tuple[int, ...]) -> None:
    layer = perturb(normlib.AffineLayer(4)).double()
    names = list(dict(layer.named_parameters()))

    def call(x: Tensor, *parameters: Tensor) -> Tensor:
        values = dict(zip(names, parameters, strict=True))
        return torch.func.functional_call(layer, values, (x,))

    inputs = [
        _x(*shape).requires_grad_(),
        *(p.detach().requires_grad_() for p in layer.parameters()),
    ]
    assert gradcheck(call, inputs)
    assert gradgradcheck(call, inputs)


def test_affine_inverts_what_batch_norm_minus_leaves_out() -> None:
    """BatchNorm is BatchNormMinus followed by AffineLayer: outputs and gradients."""
    whole = perturb(nn.BatchNorm2d(4)).double()
    halves = nn.Sequential(normlib.BatchNormMinus(4), normlib.AffineLayer(4)).double()
    halves[0].load_state_dict(
        {k: v for k, v in whole.state_dict().items() if "num" in k or "run" in k}
    )
    halves[1].load_state_dict({k: whole.state_dict()[k] for k in ("weight", "bias")})
    x = _x(3, 4, 3, 2)
    for training in (True, False):
        found = observe(halves.train(training), x)
        expected = observe(whole.train(training), x)
        renamed = {k.replace(" 0.", " ").replace(" 1.", " "): v for k, v in found.items()}
        assert_same({k: renamed[k] for k in expected}, expected)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_batch_norm_minus_is_batch_norm_without_affine(shape: tuple[int, ...]) -> None:
    dim = max(1, len(shape) - 2)
    for kwargs in ({}, {"eps": 1e-3, "momentum": 0.4}):
        ours = normlib.BatchNormMinus(4, **kwargs).double()
        theirs = getattr(nn, f"BatchNorm{dim}d")(4, affine=False, **kwargs).double()
        assert list(ours.state_dict()) == list(theirs.state_dict())
        x = _x(*shape)
        for training in (True, False):
            assert_same(observe(ours.train(training), x), observe(theirs.train(training), x))


@pytest.mark.parametrize("make", [normlib.AffineLayer, normlib.BatchNormMinus])
def test_manners(make: type[nn.Module]) -> None:
    layer = make(4)
    x = _x(3, 4, 2, 2).float()
    for twin in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert torch.equal(twin(x), copy.deepcopy(layer)(x))
    for dtype in (torch.bfloat16, torch.float16, torch.float64):
        assert copy.deepcopy(layer).to(dtype)(x.to(dtype)).dtype == dtype
    with pytest.raises((ValueError, RuntimeError), match="4"):
        layer(_x(3, 5, 2, 2).float())
    with pytest.raises(TypeError, match="unexpected keyword argument"):
        make(4, groups=2)
