"""Running statistics recomputed from data: exact, whatever the batches, and nothing else moves."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import update_bn
from torch.utils.data import DataLoader, TensorDataset

from normlib import layers
from normlib.errors import NormlibError
from normlib.methods import catalogue
from normlib.surgery import convert, freeze, recalibrate
from normlib.surgery.norms import find, has_averages
from tests.layers.measure import relative_error
from tests.surgery.nets import Residual, conv_net, mlp, normal, resnet18

RUNNING = [name for name in catalogue if catalogue[name].running]


def _batches(x: Tensor, *sizes: int) -> list[Tensor]:
    return list(x.split(list(sizes)))


def _statistics(model: nn.Module) -> dict[str, Tensor]:
    return {k: v.clone() for k, v in model.named_buffers() if "running_" in k}


def _assert_same(ours: dict[str, Tensor], theirs: dict[str, Tensor], bound: float = 1e-11) -> None:
    assert list(ours) == list(theirs)
    for name, value in theirs.items():
        assert relative_error(ours[name], value) <= bound, name


def _inputs(model: nn.Module, x: Tensor) -> dict[nn.Module, np.ndarray]:
    """What each norm is given when the model is evaluated."""
    seen: dict[nn.Module, np.ndarray] = {}
    hooks = [
        norm.module.register_forward_pre_hook(lambda m, args: seen.update({m: args[0].numpy()}))
        for norm in find(model, kind=has_averages)
    ]
    with torch.no_grad():
        model.eval()(x)
    for hook in hooks:
        hook.remove()
    return seen


@pytest.mark.parametrize(("build", "shape"), [(conv_net, (9, 3, 6, 6)), (mlp, (9, 7))])
def test_each_layer_has_the_mean_and_variance_it_believes_in(
    build: type[nn.Module], shape: tuple[int, ...]
) -> None:
    model, x = build(), normal(*shape) * 3 + 1
    assert recalibrate(model, _batches(x, 4, 4, 1)) is model
    for norm, values in _inputs(model, x).items():
        axes = (0, *range(2, values.ndim))
        mu, sigma2 = values.mean(axes), values.var(axes, ddof=1)
        np.testing.assert_allclose(norm.running_mean.numpy(), mu, rtol=1e-11, atol=1e-12)
        np.testing.assert_allclose(norm.running_var.numpy(), sigma2, rtol=1e-11)
        assert norm.num_batches_tracked.item() == 3


def test_resnet() -> None:
    model, x = resnet18(), normal(4, 3, 32, 32)
    recalibrate(model, _batches(x, 3, 1))
    for norm, values in _inputs(model, x).items():
        np.testing.assert_allclose(
            norm.running_var.numpy(), values.var((0, 2, 3), ddof=1), rtol=1e-9
        )


@pytest.mark.parametrize("name", RUNNING)
def test_no_matter_how_the_samples_are_divided(name: str) -> None:
    model, x = convert(conv_net(8), name, **_groups(name)), normal(12, 3, 6, 6)
    before = _statistics(model)
    one = _statistics(recalibrate(copy.deepcopy(model), [x]))
    many = _statistics(recalibrate(copy.deepcopy(model), _batches(x, 5, 1, 4, 2)))
    _assert_same(many, one, 1e-10)
    _assert_same(_statistics(model), before)
    assert any(not torch.allclose(one[k], before[k]) for k in before)


def _groups(name: str) -> dict[str, int]:
    return {"groups": 2} if name in ("decorrelated", "iterative") else {}


@pytest.mark.parametrize("name", ["renorm", "l1", "decorrelated", "mean-only", "autodial"])
def test_other_methods_take_their_own_statistics_of_everything(name: str) -> None:
    method, x = catalogue[name], normal(12, 8, 3, 3) * 2 + 1
    layer = method.build((8, 3, 3)).double()
    expected = copy.deepcopy(layer)
    expected.momentum = 1.0
    expected.train()(x)
    recalibrate(layer, _batches(x, 5, 7))
    _assert_same(_statistics(layer), _statistics(expected))


def test_evonorm_and_tracking_instance_norm() -> None:
    x = normal(12, 8, 3, 3) * 2 + 1
    layer = layers.EvoNormB0(8).double()
    recalibrate(layer, _batches(x, 5, 7))
    torch.testing.assert_close(layer.running_var, x.var((0, 2, 3)), rtol=1e-12, atol=0)
    for norm in (layers.InstanceNorm2d, nn.InstanceNorm2d):
        layer = recalibrate(norm(8, track_running_stats=True).double(), _batches(x, 5, 7))
        torch.testing.assert_close(layer.running_mean, x.mean((0, 2, 3)), rtol=1e-12, atol=1e-13)
        variance = x.var((2, 3)).mean(0)
        torch.testing.assert_close(layer.running_var, variance, rtol=1e-12, atol=0)


def test_values_far_from_zero() -> None:
    """Sums of squares would lose everything: mean 3000, deviation 0.01."""
    x = normal(64, 4) * 0.01 + 3000
    for dtype in (torch.float64, torch.float32):
        norm = nn.BatchNorm1d(4).to(dtype)
        batches = _batches(x.to(dtype), 30, 30, 4)
        recalibrate(norm, batches)
        expected = x.to(dtype).double().var(0)
        error = relative_error(norm.running_var.double(), expected)
        assert error <= 1e-6 if dtype == torch.float32 else error <= 1e-9


def test_together_is_what_the_framework_does_with_one_batch() -> None:
    model, x = conv_net(), normal(9, 3, 6, 6)
    theirs = copy.deepcopy(model)
    update_bn([x], theirs)
    recalibrate(model, iter([x]), layerwise=False)
    _assert_same(_statistics(model), _statistics(theirs))
    assert model[1].num_batches_tracked == theirs[1].num_batches_tracked == 1


def test_together_pools_where_the_framework_averages() -> None:
    model, x = conv_net(), normal(9, 3, 6, 6)
    x[8:] += 4  # the short batch is unlike the others
    batches = _batches(x, 4, 4, 1)
    theirs = copy.deepcopy(model)
    update_bn(batches, theirs)
    recalibrate(model, batches, layerwise=False)
    first = nn.Sequential(model[0]).eval()(x).detach()
    torch.testing.assert_close(model[1].running_mean, first.mean((0, 2, 3)))
    torch.testing.assert_close(model[1].running_var, first.var((0, 2, 3)))
    assert not torch.allclose(theirs[1].running_mean, first.mean((0, 2, 3)), rtol=1e-2)


@pytest.mark.parametrize("layerwise", [True, False])
def test_nothing_else_moves(layerwise: bool) -> None:
    model, x = conv_net(), normal(6, 3, 6, 6)
    model.append(nn.Dropout(0.5))
    model(x).sum().backward()
    model.eval()
    model[1].train()
    model[1].momentum, model[4].momentum = None, 0.3
    gradients = [p.grad.clone() for p in model.parameters()]
    values = [p.detach().clone() for p in model.parameters()]
    torch.manual_seed(3)
    expected = torch.rand(3)
    torch.manual_seed(3)
    recalibrate(model, [x], layerwise=layerwise)
    assert torch.equal(torch.rand(3), expected)
    assert [m.training for m in model] == [False, True] + [False] * 7
    assert not model.training
    assert (model[1].momentum, model[4].momentum) == (None, 0.3)
    for p, gradient, value in zip(model.parameters(), gradients, values, strict=True):
        assert torch.equal(p.grad, gradient)
        assert torch.equal(p, value)
    assert not any(m._forward_pre_hooks for m in model)
    assert all(b.grad_fn is None for b in model.buffers())


def test_batches_of_every_form() -> None:
    class Named(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = mlp()

        def forward(self, image: Tensor) -> Tensor:
            return self.net(image)

    x, targets = normal(6, 7), torch.zeros(6)
    expected = _statistics(recalibrate(Named(), [x]))
    loader = DataLoader(TensorDataset(x, targets), batch_size=4)
    _assert_same(_statistics(recalibrate(Named(), loader)), expected)
    _assert_same(_statistics(recalibrate(Named(), [{"image": x}])), expected)
    sent = recalibrate(Named(), [{"x": x, "id": 3}], call=lambda model, batch: model(batch["x"]))
    _assert_same(_statistics(sent), expected)


@pytest.mark.parametrize("layerwise", [True, False])
@pytest.mark.parametrize("bad", ["nan", "shape", "single"])
def test_all_or_nothing(bad: str, layerwise: bool) -> None:
    model, x = mlp(), normal(6, 7)
    before = {k: v.clone() for k, v in model.state_dict().items()}
    modes = [m.training for m in model.modules()]
    last = {"nan": x * float("nan"), "shape": x[:, :3], "single": x}[bad]
    batches = [x[:1]] if bad == "single" else [x, last]
    words = {
        "nan": "'1' gets values whose running_mean is not finite",
        "shape": "shapes cannot be multiplied",
        "single": "'1' gets 1 values|more than 1 value",
    }
    with pytest.raises((NormlibError, RuntimeError, ValueError), match=words[bad]):
        recalibrate(model, batches, layerwise=layerwise)
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name]), name
    assert [m.training for m in model.modules()] == modes
    assert not any(m._forward_pre_hooks for m in model)


class Twice(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(7).double()

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(torch.relu(self.norm(x)))


def test_a_norm_that_is_called_twice() -> None:
    x = normal(6, 7)
    with pytest.raises(NormlibError, match=r"'norm' is called 2 times.*layerwise=False"):
        recalibrate(Twice(), [x])
    model = recalibrate(Twice(), [x], layerwise=False)
    z = torch.relu((x - x.mean(0)) / (x.var(0, correction=0) + 1e-5).sqrt())
    torch.testing.assert_close(model.norm.running_mean, torch.cat([x, z]).mean(0))
    torch.testing.assert_close(model.norm.running_var, torch.cat([x, z]).var(0))


def test_norms_that_are_left_alone() -> None:
    x = normal(9, 3, 6, 6)
    model = conv_net()
    freeze(model, only=lambda name: name == "1")
    before = model[1].running_mean.clone()
    recalibrate(model, [x])
    assert torch.equal(model[1].running_mean, before)
    assert model[4].num_batches_tracked == 1
    with pytest.raises(NormlibError, match="frozen; unfreeze"):
        recalibrate(freeze(model), [x])
    model = conv_net()
    recalibrate(model, [x], only=lambda name: name == "4")
    assert model[1].num_batches_tracked == 0
    unreached = nn.ModuleDict({"used": conv_net(), "aside": nn.BatchNorm2d(3)})
    unreached.forward = unreached["used"].forward
    recalibrate(unreached, [x])
    assert unreached["aside"].num_batches_tracked == 0


@pytest.mark.parametrize(
    ("model", "batches", "words"),
    [
        (nn.Linear(2, 2), [], "no norm with running statistics that normlib knows"),
        (nn.LayerNorm(2), [], "no norm with running statistics that normlib knows"),
        (nn.BatchNorm1d(7).double(), [], "no batches"),
        (nn.BatchNorm1d(7).double(), normal(2, 7), r"one tensor.*\[batch\]"),
        (nn.BatchNorm1d(7).double(), iter([normal(2, 7)]), "read only once.*layerwise=False"),
        (catalogue["renorm"].build((7, 1, 1)).double(), [normal(2, 7), normal(2, 7, 2)], "shapes"),
    ],
)
def test_what_cannot_be(model: nn.Module, batches: object, words: str) -> None:
    with pytest.raises(NormlibError, match=words):
        recalibrate(model, batches)


def test_a_residual_and_half_precision() -> None:
    model, x = Residual(), normal(5, 3, 4, 4)
    recalibrate(model, [x])
    expected = model.conv(x).var((0, 2, 3))
    torch.testing.assert_close(model.bn.running_var, expected.detach())
    half = Residual().bfloat16()
    recalibrate(half, [x.bfloat16()])
    assert half.bn.running_var.dtype == torch.bfloat16
    assert relative_error(half.bn.running_var.double(), expected.detach()) < 0.02
