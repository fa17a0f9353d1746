"""Norms exchanged in whole models, by name of the catalogue."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from normlib import layers
from normlib.errors import NormlibError
from normlib.methods import CatalogueError, catalogue
from normlib.surgery import convert, freeze, unfreeze
from normlib.surgery.norms import core, find
from tests.layers.measure import relative_error
from tests.surgery.nets import WIDTH, conv_net, mlp, normal, perturbed, resnet18

ACTIVATIONS = [name for name in catalogue if catalogue[name].projected == "activation"]
PEERS = ["torch:batch", "torch:layer", "torch:layer-channels", "torch:group", "torch:rms"]


def _kinds(model: nn.Module) -> list[type[nn.Module]]:
    return [type(norm.module) for norm in find(model)]


def _state(model: nn.Module) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in model.state_dict().items()}


@pytest.mark.parametrize("name", [*ACTIVATIONS, *PEERS])
def test_every_method_takes_the_place_of_batch_norm(name: str) -> None:
    model, x = conv_net(), normal(8, 3, 6, 6)
    converted = convert(model, name, example=x[:1])
    assert converted is model
    built = type(catalogue[name].build((WIDTH, 4, 4)))
    assert [type(model[i]) for i in (1, 4)] == [built, built]
    assert all(p.dtype == torch.float64 for p in model.parameters())
    assert model[1].training
    for training in (True, False):
        y = model.train(training)(x)
        assert torch.isfinite(y).all()
    y.square().sum().backward()
    assert all(torch.isfinite(p.grad).all() for p in model.parameters() if p.grad is not None)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_every_method_is_recognized_and_goes_back(name: str) -> None:
    """From any method to BatchNorm again: each layer of the catalogue counts as a norm."""
    model, x = conv_net(), normal(8, 3, 6, 6)
    convert(model, name, example=x)
    convert(model, "torch:batch", example=x)
    assert _kinds(model) == [nn.BatchNorm2d, nn.BatchNorm2d]


def test_resnet_becomes_what_torchvision_builds_with_group_norm() -> None:
    from torchvision.models import resnet18 as build

    model, x = resnet18(), normal(3, 3, 32, 32)
    expected = build(num_classes=10, norm_layer=lambda c: nn.GroupNorm(8, c)).double()
    state = {k: v for k, v in model.state_dict().items() if "running" not in k and "num_" not in k}
    expected.load_state_dict(state)
    convert(model, "group")
    assert _kinds(model) == [layers.GroupNorm] * 20
    assert list(model.state_dict()) == list(expected.state_dict())
    assert relative_error(model(x), expected(x)) <= 1e-10


def test_resnet_keeps_what_it_computes_with_our_batch_norm() -> None:
    model, x = resnet18(), normal(3, 3, 32, 32)
    ours = convert(copy.deepcopy(model), "batch")
    assert _kinds(ours) == [layers.BatchNorm2d] * 20
    for training in (False, True, False):  # the last one with averages that have moved
        assert relative_error(ours.train(training)(x), model.train(training)(x)) <= 1e-10


def test_resnet_with_parameters_per_element_needs_an_example() -> None:
    model, x = resnet18(), normal(1, 3, 32, 32)
    before = _state(model)
    with pytest.raises(NormlibError, match=r"'bn1'.*'layer' needs the sizes.*example="):
        convert(model, "layer")
    assert list(model.state_dict()) == list(before)
    convert(model, "layer", example=x)
    assert model.bn1.normalized_shape == (64, 16, 16)
    assert model.layer4[1].bn2.normalized_shape == (512, 1, 1)
    assert model(x).shape == (1, 10)
    assert model.training


def test_all_or_nothing() -> None:
    """InstanceNorm has no meaning on the last stage's 1 x 1 maps; the first norms stay, too."""
    model = resnet18()
    with pytest.raises(NormlibError, match=r"'layer4\.0\.bn1'.*\(N, 512, 1, 1\)"):
        convert(model, "instance", example=normal(1, 3, 32, 32))
    assert _kinds(model) == [nn.BatchNorm2d] * 20
    convert(
        model,
        "instance",
        example=normal(1, 3, 32, 32),
        only=lambda name: not name.startswith("layer4"),
    )
    assert _kinds(model).count(layers.InstanceNorm2d) == 15


def test_a_model_that_is_a_norm() -> None:
    norm = nn.BatchNorm2d(8).eval()
    group = convert(norm, "group")
    assert type(group) is layers.GroupNorm
    assert not group.training


@pytest.mark.parametrize("dims", [0, 1, 2, 3])
def test_any_number_of_positions(dims: int) -> None:
    x = normal(4, 8, *range(2, 2 + dims))
    group = nn.GroupNorm(2, 8).double()
    for source in [group, *([nn.BatchNorm1d(8).double()] if dims < 2 else [])]:
        ours = convert(source, "batch", example=x)
        assert type(ours) is (layers.BatchNorm1d, *_ours("BatchNorm"))[dims]
        assert ours(x).shape == x.shape
        if dims:
            ours = convert(source, "instance", example=x)
            assert type(ours) is _ours("InstanceNorm")[dims - 1]
        else:
            with pytest.raises(NormlibError, match="without positions"):
                convert(source, "instance", example=x)
        per_element = convert(source, "layer", example=x)
        assert per_element.normalized_shape == x.shape[1:]
        assert type(convert(per_element, "torch:group", example=x)) is nn.GroupNorm


def _ours(name: str) -> list[type[nn.Module]]:
    return [getattr(layers, f"{name}{n}d") for n in (1, 2, 3)]


def test_batch_norm_1d_without_an_example() -> None:
    """It may see (N, C) or (N, C, L), which is all the same to BatchNorm only."""
    model, x = mlp(), normal(5, 7)
    before = model.eval()(x)
    torch.testing.assert_close(convert(model, "batch")(x), before)
    assert type(convert(model, "group", groups=4)[1]) is layers.GroupNorm
    with pytest.raises(NormlibError, match=r"'1'.*without positions.*example="):
        convert(mlp(), "instance")
    with pytest.raises(NormlibError, match=r"'1'.*dimensions.*example="):
        convert(model, "batch")


def test_a_norm_in_two_places_stays_one() -> None:
    norm = nn.BatchNorm2d(8)
    block = nn.Sequential(nn.Conv2d(8, 8, 1), norm)
    model = nn.ModuleDict({"a": block, "b": block, "c": nn.Sequential(norm)})
    convert(model, "group")
    assert model["a"][1] is model["c"][0]
    assert type(model["a"][1]) is layers.GroupNorm
    assert len(find(model)) == 1


def test_a_norm_twice_in_the_same_place_is_exchanged_twice() -> None:
    norm = nn.BatchNorm2d(8)
    model = convert(nn.Sequential(nn.Conv2d(8, 8, 1), norm, nn.ReLU(), norm), "group")
    assert model[1] is model[3]
    assert type(model[1]) is layers.GroupNorm


@pytest.mark.parametrize("name", ["batch", "torch:batch", "ghost", "adabn"])
def test_what_evaluates_as_batch_norm_evaluates_as_this_one(name: str) -> None:
    model, x = conv_net(), normal(8, 3, 6, 6)
    for norm in (model[1], model[4]):
        norm.eps, norm.momentum = 0.5, 0.3
    before = model.eval()(x)
    twin = copy.deepcopy(model)
    torch.testing.assert_close(convert(model, name)(x), before)
    assert model[1].momentum == 0.3
    assert convert(twin, name, eps=1e-3)[1].eps == 1e-3


def test_a_scale_of_one_channel_is_no_length() -> None:
    model = convert(
        nn.Sequential(nn.BatchNorm2d(1)), "scale", example=normal(2, 1, 28, 28, dtype=torch.float32)
    )
    assert model[0].weight.item() == pytest.approx(28)


def test_a_frozen_norm_is_refused() -> None:
    model = freeze(conv_net(), only=lambda name: name == "4")
    with pytest.raises(NormlibError, match=r"'4' is frozen.*unfreeze"):
        convert(model, "batch")
    assert type(model[1]) is nn.BatchNorm2d
    assert type(convert(unfreeze(model), "batch")[4]) is layers.BatchNorm2d


def test_a_norm_called_with_images_of_two_sizes() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm = nn.BatchNorm2d(4)

        def forward(self, x: Tensor) -> Tensor:
            return self.norm(self.norm(x)[..., :2])

    x = normal(2, 4, 3, 3, dtype=torch.float32)
    with pytest.raises(NormlibError, match=r"'norm'.*positions of 2 shapes"):
        convert(Twice(), "layer", example=x)
    assert type(convert(Twice(), "group", groups=2, example=x).norm) is layers.GroupNorm


def test_scale_and_shift_go_over_if_asked() -> None:
    source = perturbed(nn.BatchNorm2d(8))
    kept = convert(source, "group")
    assert torch.equal(kept.weight, source.weight)
    assert torch.equal(kept.bias, source.bias)
    assert kept.weight is not source.weight
    fresh = convert(source, "group", keep_affine=False)
    assert torch.equal(fresh.weight, torch.ones(8, dtype=torch.float64))
    per_element = convert(source, "layer", example=normal(1, 8, 2, 2))
    assert torch.equal(per_element.weight, torch.ones(8, 2, 2, dtype=torch.float64))
    source.weight.requires_grad_(False)
    kept = convert(source, "layer-channels")
    assert not kept.norm.weight.requires_grad
    assert kept.norm.bias.requires_grad


def test_a_parametrized_scale_goes_over_as_it_is() -> None:
    source = perturbed(nn.GroupNorm(2, 8))
    parametrize.register_parametrization(source, "weight", nn.Softplus())
    weight = source.weight.detach().clone()
    new = convert(nn.Sequential(source), "layer-channels")[0]
    assert torch.equal(new.norm.weight, weight)
    assert new.norm.weight.requires_grad
    assert isinstance(new.norm.weight, nn.Parameter)


@pytest.mark.parametrize("device", ["cpu", "meta"])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
def test_device_type_and_mode(device: str, dtype: torch.dtype) -> None:
    model = nn.Sequential(nn.BatchNorm2d(8, affine=False, track_running_stats=False)).eval()
    model.append(nn.Conv2d(8, 8, 1))
    model.to(device=device, dtype=dtype)
    new = convert(model, "group")[0]
    assert {(p.device.type, p.dtype) for p in new.parameters()} == {(device, dtype)}
    assert not new.training


def test_the_example_leaves_no_trace() -> None:
    model, x = conv_net(), normal(4, 3, 6, 6).requires_grad_()
    model[0].eval()
    before, state = copy.deepcopy(model), _state(model)
    with pytest.raises(NormlibError, match="'1'"):
        convert(model, "group", groups=5, example=x)
    for (name, value), old in zip(model.state_dict().items(), state.values(), strict=True):
        assert torch.equal(value, old), name
    assert [m.training for m in model.modules()] == [m.training for m in before.modules()]
    assert not any(m._forward_pre_hooks for m in model.modules())
    assert torch.backends.mha.get_fastpath_enabled()
    assert x.grad is None


def test_an_example_of_several_arguments() -> None:
    class Sum(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm = nn.BatchNorm2d(4)

        def forward(self, x: Tensor, y: Tensor) -> Tensor:
            return self.norm(input=x + y)

    x = normal(2, 4, 3, 5, dtype=torch.float32)
    for example in ((x, x), [x, x], {"x": x, "y": x}):
        assert convert(Sum(), "layer", example=example).norm.normalized_shape == (4, 3, 5)


class Activated(nn.BatchNorm2d):
    """A norm with its activation, as some libraries have it."""

    def forward(self, input: Tensor) -> Tensor:
        return torch.relu(super().forward(input))


@pytest.mark.parametrize(
    ("model", "method", "options", "words"),
    [
        (nn.Linear(2, 2), "group", {}, "this Linear has no norm"),
        (conv_net, "group", {"only": lambda name: False}, "only= accepts none"),
        (conv_net, "gruop", {}, "did you mean group"),
        (conv_net, "group", {"groups": 5}, r"'1': groups=5 does not divide 32.*only=lambda"),
        (conv_net, "none", {"groups": 3}, r"'none' takes no options here, got groups=3"),
        (conv_net, "batch", {"groups": 2, "eps": 0.1}, r"takes eps here, got groups=2; leave"),
        (conv_net, "torch:batch", {"groups": 2}, r"'torch:batch' takes eps here, got groups=2"),
        (conv_net, "affine", {"eps": 0.1}, r"'affine' takes no options here, got eps=0\.1"),
        (conv_net, "layer", {"example": 3}, "example=3 is no input"),
        (conv_net, "layer", {"example": normal(1, 2, 6, 6)}, "does not go through the model"),
        (Activated(8), "group", {}, "a forward of its own"),
        (nn.Sequential(nn.LocalResponseNorm(2)), "group", {}, "'0'.*how many channels.*example="),
        (nn.LayerNorm([3, 4]), "group", {}, r"itself has statistics over \(3, 4\).*example="),
        (nn.GroupNorm(2, 4), "batch", {}, "how many dimensions.*example="),
        (nn.LayerNorm(4), "instance", {}, "without positions"),
        (conv_net, "fixup", {}, r"no layer.*catalogue\['fixup'\]\.initialize"),
        (conv_net, "adaptive-clipping", {}, r"catalogue\['adaptive-clipping'\]\.clip"),
    ],
)
def test_what_cannot_be(
    model: nn.Module, method: str, options: dict[str, object], words: str
) -> None:
    built = model() if not isinstance(model, nn.Module) else model
    with pytest.raises(NormlibError, match=words):
        convert(built, method, **options)


def test_unknown_options_are_refused() -> None:
    with pytest.raises(TypeError, match="unexpected keyword argument"):
        convert(conv_net(), "group", exmaple=1)
    with pytest.raises(CatalogueError, match="unknown"):
        convert(conv_net(), "no-such")


class Aside(nn.Module):
    """A norm that nothing reaches, beside one that something does."""

    def __init__(self, norm: nn.Module) -> None:
        super().__init__()
        self.used, self.aside = nn.BatchNorm2d(4), norm

    def forward(self, x: Tensor) -> Tensor:
        return self.used(x)


@pytest.mark.parametrize("norm", [nn.LocalResponseNorm(2), nn.LayerNorm([3, 4])], ids=str)
def test_an_example_that_does_not_reach_a_norm_is_not_asked_for_again(norm: nn.Module) -> None:
    with pytest.raises(NormlibError, match=r"'aside'.*example does not reach it; give one that"):
        convert(Aside(norm), "group", groups=2, example=torch.zeros(2, 4, 3, 3))


def test_none_leaves_the_identity() -> None:
    model = convert(conv_net(), "none")
    assert type(model[1]) is nn.Identity
    with pytest.raises(NormlibError, match="no norm"):
        convert(model, "group")


def test_statistics_over_some_dimensions_in_the_middle() -> None:
    model = nn.Sequential(nn.LayerNorm([4, 5]))
    with pytest.raises(NormlibError, match=r"'0'.*input of shape \(2, 3, 4, 5\)"):
        convert(model, "group", example=normal(2, 3, 4, 5, dtype=torch.float32))
    convert(model, "group", groups=2, example=normal(2, 4, 5, dtype=torch.float32))
    assert core(model[0]).num_channels == 4
