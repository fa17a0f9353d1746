"""BatchNorm folded into the layer before it, and left alone where that would change anything."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations, parametrize

import normlib
from normlib import layers
from normlib.errors import NormlibError
from normlib.surgery import convert, fold, freeze
from tests.layers.measure import relative_error
from tests.surgery.nets import Residual, Untraceable, conv_net, mlp, normal, perturbed, resnet18


def _norms(model: nn.Module) -> list[str]:
    kinds = (nn.modules.batchnorm._BatchNorm, layers.GhostBatchNorm)
    return [name for name, m in model.named_modules() if isinstance(m, kinds)]


def _folds(model: nn.Module, x: Tensor, left: int = 0, **options: object) -> nn.Module:
    """Fold; the copy computes the same and has ``left`` norms, the model is as it was."""
    before, state = model.training, copy.deepcopy(model.state_dict())
    folded = fold(model, **options)
    assert len(_norms(folded)) == left
    assert not folded.training
    assert model.training == before
    for name, value in model.state_dict().items():
        assert torch.equal(value, state[name]), name
    expected = model.eval()(x)
    model.train(before)
    assert relative_error(folded(x), expected) <= 1e-12
    return folded


def test_resnet18() -> None:
    model = resnet18()
    assert len(_norms(model)) == 20
    folded = _folds(model, normal(2, 3, 32, 32))
    assert all(conv.bias is not None for conv in folded.modules() if isinstance(conv, nn.Conv2d))
    assert _folds(Untraceable(model), normal(1, 3, 32, 32), example=normal(2, 3, 32, 32))


def test_our_norms_frozen_and_relatives_of_batch_norm() -> None:
    x = normal(2, 3, 6, 6)
    for name in ("batch", "batch-minus", "ghost", "noisy", "population", "adabn"):
        model = convert(conv_net(), name)
        _folds(freeze(model), x)


CONVOLUTIONS = {
    "conv1d": (nn.Conv1d(4, 6, 3, groups=2), nn.BatchNorm1d(6), (2, 4, 8)),
    "conv2d grouped": (nn.Conv2d(4, 6, 3, groups=2, bias=False), nn.BatchNorm2d(6), (2, 4, 5, 4)),
    "conv2d depthwise": (nn.Conv2d(4, 8, 3, groups=4), nn.BatchNorm2d(8), (2, 4, 5, 4)),
    "conv2d circular": (
        nn.Conv2d(4, 6, 3, padding=1, padding_mode="circular"), nn.BatchNorm2d(6), (2, 4, 5, 4),
    ),
    "conv3d": (nn.Conv3d(2, 4, 2), nn.BatchNorm3d(4), (2, 2, 3, 4, 3)),
    "transposed": (nn.ConvTranspose2d(4, 6, 3, stride=2), nn.BatchNorm2d(6), (2, 4, 3, 4)),
    "transposed grouped": (
        nn.ConvTranspose2d(4, 6, 3, groups=2, bias=False), nn.BatchNorm2d(6), (2, 4, 3, 4),
    ),
    "transposed 1d": (nn.ConvTranspose1d(4, 2, 3), nn.BatchNorm1d(2), (2, 4, 5)),
    "linear": (nn.Linear(4, 6), nn.BatchNorm1d(6), (5, 4)),
    "linear to one": (nn.Linear(4, 1, bias=False), nn.BatchNorm1d(1), (5, 4)),
    "without affine": (nn.Conv2d(4, 6, 3), nn.BatchNorm2d(6, affine=False), (2, 4, 5, 4)),
    "synchronized": (nn.Conv2d(4, 6, 3), nn.SyncBatchNorm(6), (2, 4, 5, 4)),
}  # fmt: skip


@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_layers_before(name: str) -> None:
    layer, norm, shape = CONVOLUTIONS[name]
    model = nn.Sequential(layer, norm).double()
    with torch.no_grad():
        norm.running_mean.copy_(normal(norm.num_features))
        norm.running_var.copy_(normal(norm.num_features, seed=1).exp())
        for p in norm.parameters():
            p.copy_(normal(norm.num_features, seed=2))
    _folds(model, normal(*shape))
    folded = _folds(model, normal(*shape), example=normal(*shape))
    assert type(folded[1]) is nn.Identity


def test_mlp() -> None:
    folded = _folds(mlp(), normal(5, 7))
    assert folded[0].weight.requires_grad
    assert folded[0].bias.requires_grad


def test_channels_that_are_not_the_linear_layers_features() -> None:
    """On (N, C, L) with L = C, BatchNorm1d's channels look like the features, but are not."""
    model, x = perturbed(nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))), normal(2, 4, 3)
    _folds(model, x, left=1, example=x)
    with pytest.raises(AssertionError, match=r"inputs of 2 dimensions.*example="):
        fold(model)(x)
    assert relative_error(fold(model)(x[0]), model.eval()(x[0])) <= 1e-12


class Returned(nn.Sequential):
    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        y = self[0](x)
        return self[1](y), y


class InPlace(nn.Sequential):
    def forward(self, x: Tensor) -> Tensor:
        y = self[0](x)
        torch.relu_(y)
        return self[1](y)


class CalledTwice(nn.Sequential):
    def forward(self, x: Tensor) -> Tensor:
        return self[1](self[0](x)) + self[0](2 * x)


class NormTwice(nn.Sequential):
    def forward(self, x: Tensor) -> Tensor:
        return self[1](self[1](self[0](x)))


class WeightRead(nn.Sequential):
    def forward(self, x: Tensor) -> Tensor:
        return self[1](self[0](x)) * self[0].weight.sum()


def _pair(cls: type[nn.Sequential] = nn.Sequential) -> nn.Module:
    torch.manual_seed(0)
    return perturbed(cls(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)))


def _same(model: nn.Module, x: Tensor, **options: object) -> None:
    folded, expected = fold(model, **options)(x), model.eval()(x)
    for a, b in zip(
        folded if isinstance(folded, tuple) else [folded],
        expected if isinstance(expected, tuple) else [expected],
        strict=True,
    ):
        assert relative_error(a, b) <= 1e-12


@pytest.mark.parametrize("by_example", [False, True])
@pytest.mark.parametrize("cls", [Returned, InPlace, CalledTwice, NormTwice, Residual])
def test_an_output_that_something_else_reads(cls: type[nn.Module], by_example: bool) -> None:
    x = normal(2, 3, 5, 4)
    model = Residual() if cls is Residual else _pair(cls)
    if by_example:
        model = Untraceable(model)
    options = {"example": x} if by_example else {}
    _same(model, x, **options)
    assert len(_norms(fold(model, **options))) == 1


def test_a_weight_that_something_else_reads() -> None:
    model = _pair(WeightRead)
    _same(model, normal(2, 3, 5, 4))
    assert len(_norms(fold(model))) == 1


def test_tied_weights_part() -> None:
    model = nn.Sequential(_pair(), nn.Conv2d(4, 3, 1), nn.Conv2d(3, 4, 3)).double()
    model[2].weight = model[0][0].weight
    folded = _folds(model, normal(2, 3, 7, 7))
    assert torch.equal(folded[2].weight, model[2].weight)


def test_one_block_in_two_places() -> None:
    block = _pair()
    model = nn.Sequential(block, nn.Conv2d(4, 3, 1), block).double()
    _folds(model, normal(2, 3, 7, 7), left=1)


class Standardized(nn.Conv2d):
    """A convolution with another weight than the one it holds."""

    def forward(self, input: Tensor) -> Tensor:
        return self._conv_forward(input, self.weight - self.weight.mean(), self.bias)


class Activated(nn.BatchNorm2d):
    def forward(self, input: Tensor) -> Tensor:
        return torch.relu(super().forward(input))


def test_subclasses_that_compute_something_else() -> None:
    x = normal(2, 3, 5, 4)
    for pair in ((Standardized(3, 4, 3), nn.BatchNorm2d(4)), (nn.Conv2d(3, 4, 3), Activated(4))):
        _folds(perturbed(nn.Sequential(*pair)), x, left=1)


def test_hooks_see_what_they_saw() -> None:
    for i in (0, 1):
        model = _pair()
        model[i].register_forward_hook(lambda module, args, output: 2 * output)
        _folds(model, normal(2, 3, 5, 4), left=1)


def test_batch_norm_without_running_statistics_stays() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4, track_running_stats=False))
    _folds(model.double(), normal(2, 3, 5, 4), left=1)


def test_norms_before_the_layer_stay() -> None:
    model = perturbed(nn.Sequential(nn.BatchNorm2d(3), nn.ReLU(), nn.Conv2d(3, 4, 3)))
    _folds(model, normal(2, 3, 5, 4), left=1)
    _folds(perturbed(nn.BatchNorm2d(3)), normal(2, 3, 5, 4), left=1)


@pytest.mark.parametrize(
    "parametrized",
    [
        normlib.weight_norm,
        parametrizations.weight_norm,
        parametrizations.spectral_norm,
        lambda m: parametrize.register_parametrization(m, "weight", nn.Softplus(), unsafe=True),
    ],
)
def test_parametrized_weights(parametrized: object) -> None:
    model = _pair()
    parametrized(model[0])
    folded = _folds(model, normal(2, 3, 5, 4))
    assert not parametrize.is_parametrized(folded[0])
    assert parametrize.is_parametrized(model[0])
    assert type(folded[0]) is nn.Conv2d
    folded.load_state_dict(folded.state_dict())


def test_only_some() -> None:
    folded = _folds(conv_net(), normal(2, 3, 6, 6), left=1, only=lambda name: name == "1")
    assert _norms(folded) == ["4"]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_narrow_types(dtype: torch.dtype) -> None:
    model, x = conv_net().to(dtype), normal(2, 3, 6, 6, dtype=dtype)
    folded = fold(model)
    assert {p.dtype for p in folded.parameters()} == {dtype}
    error = relative_error(folded(x), model.eval()(x))
    assert error <= 20 * torch.finfo(dtype).eps


def test_a_folded_model_can_be_followed_copied_and_compiled() -> None:
    x = normal(3, 7)
    folded = copy.deepcopy(fold(mlp()))
    traced = torch.fx.symbolic_trace(folded)
    assert torch.equal(traced(x), folded(x))
    assert torch.equal(fold(folded)(x), folded(x))


def test_a_model_that_cannot_be_followed() -> None:
    with pytest.raises(NormlibError, match=r"torch\.fx cannot follow this Untraceable.*example="):
        fold(Untraceable(_pair()))
    linear = Untraceable(nn.Linear(2, 2))
    assert type(fold(linear)) is Untraceable  # nothing to fold, nothing to follow
