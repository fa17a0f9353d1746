"""Norms exchanged where the samples are tokens: in transformers, and behind a linear layer."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from normlib import layers
from normlib.errors import NormlibError
from normlib.methods import catalogue
from normlib.surgery import convert
from normlib.surgery.norms import find
from normlib.surgery.per_token import PerToken
from tests.layers.measure import relative_error
from tests.surgery.nets import normal, perturbed, transformer

ACTIVATIONS = [name for name in catalogue if catalogue[name].projected == "activation"]
NEEDS_POSITIONS = ("instance", "frn", "evonorm-b0", "local-response", "switchable")


@pytest.mark.parametrize("name", [n for n in ACTIVATIONS if "layer" not in n and n != "rms"])
def test_every_method_on_tokens_works_or_says_why(name: str) -> None:
    model, x = nn.Sequential(nn.Linear(5, 32), nn.LayerNorm(32)), normal(4, 6, 5)
    if name in NEEDS_POSITIONS:
        with pytest.raises(NormlibError, match=r"'1'.*choose another method"):
            convert(model.double(), name)
        return
    convert(model.double(), name)
    y = model.eval()(x)
    assert y.shape == (4, 6, 32)
    if catalogue[name].batch_statistics and not catalogue[name].running:
        return
    # Each token is a sample: what it becomes does not depend on the others.
    torch.testing.assert_close(y[:2, 1:3], model(x[:2, 1:3]), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("batch_first", [True, False])
@pytest.mark.parametrize("norm_first", [True, False])
@pytest.mark.parametrize("name", ["rms", "scale", "layer-channels", "batch", "group"])
def test_transformer(name: str, norm_first: bool, batch_first: bool) -> None:
    model = transformer(batch_first=batch_first, norm_first=norm_first)
    x, options = normal(3, 7, 16), {"groups": 4} if name == "group" else {}
    convert(model, name, **options)
    norms = [norm.module for norm in find(model)]
    assert len(norms) == 5
    assert {isinstance(norm, PerToken) for norm in norms} == {name in ("batch", "group")}
    model.train()(x)
    slow = model.eval()(x)
    with torch.no_grad():  # where the framework would compute LayerNorm by itself
        torch.testing.assert_close(model(x), slow, rtol=1e-12, atol=1e-12)
    assert slow.requires_grad


@pytest.mark.parametrize("name", ["rms", "group"])
def test_no_token_learns_of_a_later_one(name: str) -> None:
    model, x = transformer(), normal(2, 5, 16)
    convert(model, name)
    mask = nn.Transformer.generate_square_subsequent_mask(5, dtype=torch.float64)
    changed = x.clone()
    changed[:, -1] = 3
    y, z = (model(tokens, mask=mask, is_causal=True) for tokens in (x, changed))
    torch.testing.assert_close(y[:, :-1], z[:, :-1], rtol=1e-12, atol=1e-12)
    assert not torch.allclose(y[:, -1], z[:, -1])


def test_padded_batches_in_a_transformer_that_nests_tensors() -> None:
    layer = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True)
    model = convert(nn.TransformerEncoder(layer, 2), "rms").double().eval()
    padding = torch.tensor([[False, False, False], [False, False, True]])
    with torch.no_grad():
        y = model(normal(2, 3, 16), src_key_padding_mask=padding)
    assert torch.isfinite(y).all()


def test_the_framework_layer_norm_becomes_ours() -> None:
    model, x = transformer(), normal(3, 7, 16)
    ours = convert(copy.deepcopy(model), "layer")
    assert [type(norm.module) for norm in find(ours)] == [layers.LayerNorm] * 5
    assert relative_error(ours(x), model(x)) <= 1e-12


def test_a_group_of_one_tokens_features() -> None:
    norm = perturbed(nn.LayerNorm(8))
    group = convert(norm, "group", groups=2)
    x = normal(2, 3, 8)
    grouped = x.unflatten(-1, (2, 4))
    centered = grouped - grouped.mean(-1, keepdim=True)
    xhat = (centered / (centered.square().mean(-1, keepdim=True) + 1e-5).sqrt()).flatten(-2)
    torch.testing.assert_close(group(x), xhat * norm.weight + norm.bias)
