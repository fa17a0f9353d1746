"""Norms exchanged for a normalization of the weights before them."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

import normlib
from normlib.errors import NormlibError
from normlib.methods import catalogue
from normlib.surgery import convert
from normlib.surgery.norms import find
from tests.surgery.nets import Untraceable, conv_net, mlp, normal, resnet18, transformer

WEIGHTS = [name for name in catalogue if catalogue[name].projected == "weight"]


@pytest.mark.parametrize("name", [*WEIGHTS, "torch:weight"])
def test_every_method_on_weights(name: str) -> None:
    model, x = conv_net(), normal(3, 3, 6, 6)
    shifts, had = [model[i].bias.detach().clone() for i in (1, 4)], model[0].bias.detach().clone()
    assert convert(model, name) is model
    assert [type(model[i]) for i in (1, 4)] == [nn.Identity, nn.Identity]
    assert parametrize.is_parametrized(model[0], "weight")
    assert parametrize.is_parametrized(model[3], "weight")
    assert not parametrize.is_parametrized(model[7])
    assert torch.equal(model[0].bias, had)
    assert torch.equal(model[3].bias, shifts[1])  # it had none, and lost the norm's
    model(x).sum().backward()
    assert model[3].bias.grad is not None


def test_weight_norm_starts_with_the_weights_as_they_are() -> None:
    model, x = mlp(), normal(3, 7)
    plain = nn.Sequential(*[layer for i, layer in enumerate(model) if i not in (1, 4)])
    before = plain(x)
    convert(model, "weight", keep_affine=False)
    assert torch.equal(model[3].bias, torch.zeros(8, dtype=torch.float64))
    torch.testing.assert_close(model(x), before)


def test_resnet() -> None:
    model = convert(resnet18(), "weight")
    assert not find(model)
    convs = [m for m in model.modules() if isinstance(m, nn.Conv2d)]
    assert len(convs) == 20
    assert all(parametrize.is_parametrized(conv, "weight") for conv in convs)
    assert all(conv.bias is not None for conv in convs)
    assert torch.isfinite(model(normal(1, 3, 32, 32))).all()


def test_a_norm_of_a_sum_has_no_weight_before_it() -> None:
    model = nn.Sequential(nn.Linear(4, 16), transformer(norm_first=True)).double()
    with pytest.raises(NormlibError, match=r"'1\.layers\.0\.norm2' reads .*weight"):
        convert(model, "weight", example=normal(2, 3, 4))
    assert len(find(model)) == 5
    assert not parametrize.is_parametrized(model[0])


class PreActivation(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(3, 4, 1), nn.Conv2d(4, 4, 1)
        self.norm1, self.norm2 = nn.BatchNorm2d(4), nn.BatchNorm2d(4)

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm1(self.first(x))
        return self.second(torch.relu(self.norm2(x + 1)))


@pytest.mark.parametrize("wrap", [lambda m: m, Untraceable])
def test_the_error_names_the_norm_and_what_it_reads(wrap: type[nn.Module]) -> None:
    model = wrap(PreActivation())
    x = normal(2, 3, 2, 2, dtype=torch.float32)
    with pytest.raises(NormlibError, match=r"norm2' reads .*only=lambda name: name !="):
        convert(model, "weight", example=x)
    assert len(find(model)) == 2
    convert(model, "weight", example=x, only=lambda name: "norm1" in name)
    assert len(find(model)) == 1


def test_where_torch_fx_cannot_follow_an_example_can() -> None:
    model = Untraceable(conv_net())
    with pytest.raises(NormlibError, match=r"torch\.fx cannot follow this Untraceable.*example="):
        convert(model, "weight")
    convert(model, "weight", example=normal(1, 3, 6, 6))
    assert parametrize.is_parametrized(model.model[0], "weight")


def test_in_place_changes_between_layer_and_norm_are_seen() -> None:
    class InPlace(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear, self.norm = nn.Linear(3, 4), nn.BatchNorm1d(4)

        def forward(self, x: Tensor) -> Tensor:
            y = self.linear(x)
            y.relu_()
            return self.norm(y)

    with pytest.raises(NormlibError, match=r"'model\.norm' reads something computed"):
        convert(Untraceable(InPlace()), "weight", example=normal(2, 3, dtype=torch.float32))


def test_what_cannot_be() -> None:
    model = conv_net()
    normlib.weight_norm(model[3])
    with pytest.raises(NormlibError, match="before '4' is parametrized already"):
        convert(model, "weight")
    assert not parametrize.is_parametrized(model[0])
    with pytest.raises(NormlibError, match="the model itself is not called"):
        convert(nn.BatchNorm2d(3), "weight")
    with pytest.raises(NormlibError, match=r"'weight' takes no options here, got eps=0\.1"):
        convert(conv_net(), "weight", eps=0.1)


@pytest.mark.parametrize("name", ["weight", "centered-weight"])
def test_a_length_per_output_of_a_transposed_convolution(name: str) -> None:
    model = nn.Sequential(nn.ConvTranspose2d(4, 6, 3), nn.BatchNorm2d(6))
    before = model[0].weight.detach().clone()
    convert(model, name)
    assert model[0].parametrizations.weight.original0.shape == (1, 6, 1, 1)
    if name == "weight":
        torch.testing.assert_close(model[0].weight, before)


def test_one_layer_before_two_norms() -> None:
    class Fork(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(3, 4)
            self.norms = nn.ModuleList([nn.BatchNorm1d(4), nn.BatchNorm1d(4)])

        def forward(self, x: Tensor) -> Tensor:
            y = self.linear(x)
            return self.norms[0](y) + self.norms[1](y)

    model = convert(Fork(), "weight")
    assert len(model.linear.parametrizations.weight) == 1
