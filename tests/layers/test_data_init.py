"""The start of layers that scale and shift from one batch, layer by layer."""

from __future__ import annotations

import copy
from collections.abc import Callable

import numpy as np
import pytest
import torch
import torchvision
from torch import Tensor, nn

from normlib.errors import NormlibError
from normlib.layers.centered_weight import centered_weight_norm
from normlib.layers.data_init import initialize_from_data
from normlib.layers.weight import output_dim, weight_norm
from normlib.surgery import convert
from tests.layers.measure import seeded

Put = Callable[..., nn.Module]
PUTS = pytest.mark.parametrize("put", [weight_norm, centered_weight_norm], ids=lambda f: f.__name__)


def _plain() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(2, 4, 3), nn.ReLU(), nn.ConvTranspose2d(4, 3, 2, stride=2), nn.Tanh(),
        nn.Conv2d(3, 6, 3, groups=3), nn.ReLU(), nn.Flatten(), nn.Linear(6 * 36, 7), nn.ReLU(),
        nn.Linear(7, 5),
    ).double()  # fmt: skip


def _weighty(model: nn.Module) -> list[nn.Module]:
    return [m for m in model.modules() if hasattr(m, "in_features") or hasattr(m, "in_channels")]


def _normalized(model: nn.Module, put: Put = weight_norm) -> nn.Module:
    for layer in _weighty(model):
        put(layer, dim=output_dim(layer))
    return model


def _batch(*shape: int) -> Tensor:
    return 3 * seeded(torch.empty(shape or (9, 2, 6, 6), dtype=torch.float64), 1) + 2


def _outputs(model: nn.Module, batch: Tensor) -> list[Tensor]:
    seen: list[Tensor] = []
    hooks = [m.register_forward_hook(lambda m, a, y: seen.append(y)) for m in _weighty(model)]
    model(batch)
    for hook in hooks:
        hook.remove()
    return seen


@PUTS
def test_every_layer_gives_mean_0_and_variance_1(put: Put) -> None:
    model = _normalized(_plain(), put)
    directions = [m.parametrizations.weight.original1.detach().clone() for m in _weighty(model)]
    assert initialize_from_data(model, _batch()) is model
    assert not any(m._forward_hooks for m in model.modules())
    for y in _outputs(model, _batch()):
        dims = [d for d in range(y.dim()) if d != 1]
        zero, one = torch.zeros(y.shape[1]).double(), torch.ones(y.shape[1]).double()
        torch.testing.assert_close(y.mean(dims), zero, rtol=0, atol=1e-12)
        torch.testing.assert_close(y.var(dims, correction=0), one, rtol=1e-12, atol=0)
    for layer, direction in zip(_weighty(model), directions, strict=True):
        assert torch.equal(layer.parametrizations.weight.original1, direction)


def test_an_affine_layer_starts_as_batch_normalization_would() -> None:
    """In a ResNet: its outputs, and its scales and shifts against NumPy's statistics."""
    torch.manual_seed(0)
    plain = torchvision.models.resnet18(num_classes=5).double().train()
    for m in plain.modules():
        if isinstance(m, nn.BatchNorm2d):
            m.eps = 1e-14  # torch takes no 0
    model = convert(copy.deepcopy(plain), "affine")
    batch = _batch(6, 3, 40, 40)
    entering: list[Tensor] = []
    hook = plain.bn1.register_forward_hook(lambda m, args, y: entering.append(args[0]))
    expected = plain(batch)
    hook.remove()
    assert initialize_from_data(model, batch) is model
    torch.testing.assert_close(model(batch), expected, rtol=1e-9, atol=1e-9)
    x = entering[0].detach().numpy()
    mu, sigma = x.mean((0, 2, 3)), x.std((0, 2, 3))
    np.testing.assert_allclose(model.bn1.weight.detach().numpy(), 1 / sigma, rtol=1e-10)
    np.testing.assert_allclose(model.bn1.bias.detach().numpy(), -mu / sigma, rtol=1e-9)


def test_it_is_one_batch_normalization_folded_in() -> None:
    """The same as a network whose layers' outputs are normalized over the batch, without eps."""
    plain = _plain()
    model = initialize_from_data(_normalized(copy.deepcopy(plain)), _batch())

    def standardize(module: nn.Module, args: object, y: Tensor) -> Tensor:
        dims = [d for d in range(y.dim()) if d != 1]
        return (y - y.mean(dims, keepdim=True)) / y.std(dims, keepdim=True, correction=0)

    for layer in _weighty(plain):
        layer.register_forward_hook(standardize)
    torch.testing.assert_close(model(_batch()), plain(_batch()), rtol=1e-11, atol=1e-11)


def test_unbatched_positions_and_other_layers() -> None:
    """Features last (N, T, C) as of a linear layer; what is not normalized stays as it is."""
    torch.manual_seed(0)
    model = nn.Sequential(weight_norm(nn.Linear(3, 4)), nn.Tanh(), nn.Linear(4, 2)).double()
    last = copy.deepcopy(model[2].state_dict())
    initialize_from_data(model, _batch(5, 6, 3))
    y = model[0](_batch(5, 6, 3))
    torch.testing.assert_close(y.mean((0, 1)), torch.zeros(4).double(), rtol=0, atol=1e-13)
    for key, value in model[2].state_dict().items():
        assert torch.equal(value, last[key])
    single = weight_norm(nn.Linear(3, 1).double(), dim=None)  # one feature, one norm
    y = initialize_from_data(single, _batch(7, 3))(_batch(7, 3))
    assert abs(y.var(correction=0).item() - 1) <= 1e-13


def test_half_precision() -> None:
    torch.manual_seed(0)
    model = weight_norm(nn.Linear(16, 4).bfloat16())
    batch = _batch(64, 16).bfloat16()
    y = initialize_from_data(model, batch)(batch).float()
    assert model.bias.dtype == torch.bfloat16
    assert y.mean(0).abs().max() <= 0.05
    assert (y.var(0, correction=0) - 1).abs().max() <= 0.05


class Twice(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.cell = weight_norm(nn.Linear(3, 3))
        self.unused = weight_norm(nn.Linear(3, 3))

    def forward(self, x: Tensor) -> Tensor:
        return self.cell(self.cell(x))


class Half(Twice):
    def forward(self, x: Tensor) -> Tensor:
        return self.cell(x)


def _constant() -> nn.Module:
    model = nn.Sequential(weight_norm(nn.Linear(3, 4)), nn.ReLU(), weight_norm(nn.Linear(4, 2)))
    with torch.no_grad():
        model[0].parametrizations.weight.original0.zero_()
    return model


REFUSED = {
    "nothing": (lambda: nn.Linear(3, 4), r"neither a weight-normalized layer nor an AffineLayer"),
    "no bias": (lambda: nn.Sequential(weight_norm(nn.Linear(3, 4, bias=False))),
                r"layer '0' has no bias"),
    "one norm": (lambda: weight_norm(nn.Linear(3, 4), dim=None), r"has 4 features, and norms of"),
    "other dim": (lambda: weight_norm(nn.Linear(3, 3), dim=1), r"3 features.*shape \(1, 3\)"),
    "twice": (Twice, r"layer 'cell' runs more than once"),
    "unused": (Half, r"does not reach layer 'unused'"),
    "constant": (_constant, r"feature 0 of layer '0' is constant"),
}  # fmt: skip


def test_a_sample_without_a_batch_is_refused() -> None:
    model = weight_norm(nn.Linear(3, 4))
    with pytest.raises(NormlibError, match=r"shape \(4,\), of a single sample; give a batch"):
        initialize_from_data(model, torch.ones(3))


@pytest.mark.parametrize("case", REFUSED)
def test_refused_and_nothing_is_changed(case: str) -> None:
    make, message = REFUSED[case]
    torch.manual_seed(0)
    model = make()
    before = copy.deepcopy(model.state_dict())
    with pytest.raises(NormlibError, match=message):
        initialize_from_data(model, _batch(6, 3).float())
    for key, value in model.state_dict().items():
        assert torch.equal(value, before[key])
    assert not any(m._forward_hooks for m in model.modules())
