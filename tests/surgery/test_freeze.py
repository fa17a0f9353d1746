"""Running statistics held, through everything that may happen to a model."""

from __future__ import annotations

import copy
import io
import pickle

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrize

from normlib import layers
from normlib.errors import NormlibError
from normlib.methods import catalogue
from normlib.surgery import convert, freeze, unfreeze
from normlib.surgery.norms import has_averages
from tests.surgery.nets import conv_net, mlp, normal, resnet18

RUNNING = [name for name in catalogue if catalogue[name].running]


def _buffers(model: nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in model.named_buffers()}


def _holds(model: nn.Module, x: torch.Tensor) -> None:
    """In training the model computes what it computes in evaluation, and no buffer moves."""
    before, expected = _buffers(model), model.eval()(x)
    y = model.train()(x)
    assert torch.equal(y, expected)
    for name, value in model.named_buffers():
        assert torch.equal(value, before[name]), name


@pytest.mark.parametrize("name", RUNNING)
def test_every_method_with_running_statistics(name: str) -> None:
    model, x = convert(conv_net(), name), normal(8, 3, 6, 6)
    model(x)
    kind = type(model[1])
    assert freeze(model) is model
    assert isinstance(model[1], kind)
    assert f"Frozen{kind.__name__}(" in repr(model)
    _holds(model, x)
    unfreeze(model)
    assert type(model[1]) is kind
    assert model[1].training
    before = _buffers(model)
    model(x)
    assert any(not torch.equal(v, before[n]) for n, v in model.named_buffers())


def test_resnet() -> None:
    model, x = freeze(resnet18()), normal(1, 3, 32, 32)  # one sample: BatchNorm could not train
    _holds(model, x)
    assert model.training
    assert model.layer1.training
    assert not model.bn1.training


def test_copies_pickles_and_state() -> None:
    model, x = freeze(conv_net(), affine=True), normal(4, 3, 6, 6)
    names = list(conv_net().state_dict())
    assert list(model.state_dict()) == names
    saved = io.BytesIO()
    torch.save(model, saved)
    saved.seek(0)
    for twin in (
        copy.deepcopy(model),
        pickle.loads(pickle.dumps(model)),
        torch.load(saved, weights_only=False),
    ):
        _holds(twin, x)
        assert not twin[1].weight.requires_grad
        assert torch.equal(twin(x), model(x))
        assert type(unfreeze(twin)[1]) is nn.BatchNorm2d
        assert twin[1].weight.requires_grad
    assert not model[1].weight.requires_grad
    other = conv_net()
    other(x)
    model.load_state_dict(other.state_dict())
    assert torch.equal(model[1].running_mean, other[1].running_mean)
    _holds(model, x)
    other.load_state_dict(model.state_dict())


def test_gradients_of_scale_and_shift() -> None:
    model, x = conv_net(), normal(4, 3, 6, 6)
    model[1].bias.requires_grad_(False)
    freeze(model)
    model(x).sum().backward()
    assert model[1].weight.grad is not None
    freeze(model, affine=True)
    freeze(model)
    freeze(model, affine=True)
    model.zero_grad()
    model(x).sum().backward()
    assert model[1].weight.grad is None
    assert model[0].weight.grad is not None
    unfreeze(model)
    assert model[1].weight.requires_grad
    assert not model[1].bias.requires_grad  # it was not freeze that stopped this one
    assert "stopped_by_freeze" not in vars(model[1])


def test_only_some_and_none() -> None:
    model = freeze(mlp(), only=lambda name: name == "1")
    model.train()
    assert not model[1].training
    assert model[4].training
    assert not unfreeze(model, only=lambda name: name == "4")[1].training
    with pytest.raises(NormlibError, match="only= accepts none"):
        freeze(mlp(), only=lambda name: False)
    plain = nn.Sequential(nn.Linear(2, 2), nn.LayerNorm(2), nn.BatchNorm1d(2, affine=False))
    plain[2] = nn.BatchNorm1d(2, track_running_stats=False)
    assert all(m.training for m in freeze(plain, affine=True).modules())
    assert plain[1].weight.requires_grad


def test_a_model_that_is_a_norm_and_a_shared_one() -> None:
    norm = nn.BatchNorm2d(3)
    model = nn.Sequential(norm, norm)
    assert freeze(norm) is norm
    assert not model.train()[1].training
    unfreeze(model)
    assert type(norm) is nn.BatchNorm2d
    assert norm.training


def test_tracking_instance_norm() -> None:
    model = nn.Sequential(layers.InstanceNorm2d(3, track_running_stats=True)).double()
    x = normal(2, 3, 4, 4)
    model(x)
    assert has_averages(model[0])
    _holds(freeze(model), x)


class Softened(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return nn.functional.softplus(x)


def test_parametrized_norms() -> None:
    x = normal(4, 3, 6, 6)
    model = conv_net()
    parametrize.register_parametrization(model[1], "weight", Softened())
    freeze(model, affine=True)
    assert not model[1].parametrizations.weight.original.requires_grad
    _holds(copy.deepcopy(model), x)
    unfreeze(model)
    assert model[1].parametrizations.weight.original.requires_grad
    assert parametrize.is_parametrized(model[1])
    late = freeze(conv_net())
    parametrize.register_parametrization(late[1], "weight", Softened())
    _holds(late, x)
    with pytest.raises(NormlibError, match="'1' was parametrized after it was frozen"):
        unfreeze(late)


def test_frozen_norms_in_one_compiled_graph() -> None:
    torch.compiler.reset()
    model, x = freeze(mlp()), normal(4, 7)
    compiled = torch.compile(model.train(), fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(x), model(x), rtol=1e-12, atol=1e-12)
