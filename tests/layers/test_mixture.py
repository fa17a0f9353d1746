"""Switchable Normalization: its corners are other methods, and its weights are weights."""

from __future__ import annotations

import copy
import itertools

import pytest
import torch
from torch import Tensor

from normlib.layers.batch import BatchNorm2d
from normlib.layers.mixture import SCOPES, SwitchableNorm
from normlib.layers.sample import InstanceNorm2d, LayerNorm
from tests.layers.measure import observe, relative_error, seeded

SHAPE = (3, 4, 3, 2)


def an_input(seed: int = 0) -> Tensor:
    x = seeded(torch.empty(SHAPE, dtype=torch.float64), seed)
    per_channel = torch.tensor([0.5, 1, 2, 3], dtype=torch.float64).reshape(1, -1, 1, 1)
    per_sample = torch.tensor([1, 2, 0.5], dtype=torch.float64).reshape(-1, 1, 1, 1)
    return x * per_channel * per_sample + per_channel - per_sample


def choosing(mean: str, variance: str, **options: object) -> SwitchableNorm:
    layer = SwitchableNorm(4, **options).double()
    with torch.no_grad():
        for weights, scope in ((layer.mean_weight, mean), (layer.var_weight, variance)):
            weights.fill_(-1e4)  # softmax underflows to 0
            weights[SCOPES.index(scope)] = 0
    return layer


@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
@pytest.mark.parametrize("scope", SCOPES)
def test_one_scope_alone_is_that_method(scope: str, training: bool) -> None:
    """Output, first and second derivative by the input."""
    others = {
        "instance": InstanceNorm2d(4),
        "layer": LayerNorm([4, 3, 2], elementwise_affine=False),
        "batch": BatchNorm2d(4, affine=False),
    }
    layer = choosing(scope, scope, affine=False).train(training)
    norm = others[scope].double().train(training)
    expected = {k: v for k, v in observe(norm, an_input()).items() if "buffer" not in k}
    layer.mean_weight.requires_grad_(False)
    layer.var_weight.requires_grad_(False)
    found = {
        "output": layer(x := an_input().requires_grad_()),
        "d input": (g := torch.autograd.grad(layer(x), x, seeded(x, 11), create_graph=True)[0]),
        "dd input": torch.autograd.grad((g * seeded(g, 21)).sum(), x)[0],
    }
    for name, value in found.items():
        assert relative_error(value, expected[name]) <= 1e-10, name


@pytest.mark.parametrize(("mean", "variance"), list(itertools.permutations(SCOPES, 2)))
def test_means_and_variances_are_chosen_separately(mean: str, variance: str) -> None:
    x, dims = an_input(), {"instance": (2, 3), "layer": (1, 2, 3), "batch": (0, 2, 3)}
    found = choosing(mean, variance, affine=False, eps=0.1)(x)
    mu = x.mean(dims[mean], keepdim=True)
    sigma2 = x.var(dims[variance], correction=0, keepdim=True)
    torch.testing.assert_close(found, (x - mu) / torch.sqrt(sigma2 + 0.1), rtol=1e-12, atol=1e-12)


def test_importance_is_readable_and_sums_to_one() -> None:
    layer = SwitchableNorm(4)
    third = {scope: pytest.approx(1 / 3) for scope in SCOPES}
    assert layer.importance() == {"mean": third, "variance": third}
    with torch.no_grad():
        layer.mean_weight.copy_(torch.tensor([3.0, 1, -2]))
        layer.var_weight.copy_(torch.tensor([0.0, 5, 5]))
    found = layer.importance()
    for weights in found.values():
        assert list(weights) == ["instance", "layer", "batch"]
        assert sum(weights.values()) == pytest.approx(1)
    assert found["mean"]["instance"] > found["mean"]["layer"] > found["mean"]["batch"]
    assert found["variance"]["layer"] == found["variance"]["batch"] > 0.49


def test_training_learns_which_statistics_to_use() -> None:
    """Toward a target that LayerNorm gives, the layer's weights grow, and the others shrink."""
    torch.manual_seed(0)
    layer = SwitchableNorm(4, affine=False).double()
    target = LayerNorm([4, 3, 2], elementwise_affine=False).double()
    optimizer = torch.optim.Adam(layer.parameters(), lr=0.1)
    for step in range(60):
        x = an_input(step)
        optimizer.zero_grad()
        (layer(x) - target(x)).square().mean().backward()
        optimizer.step()
    for weights in layer.importance().values():
        assert weights["layer"] > 0.8


def test_evaluation_of_a_sample_does_not_depend_on_the_others() -> None:
    layer = SwitchableNorm(4).double()
    layer(an_input(1))
    layer.eval()
    x = an_input()
    expected = torch.cat([layer(x[i : i + 1]) for i in range(len(x))])
    torch.testing.assert_close(layer(x), expected, rtol=1e-13, atol=1e-13)
    layer.train()
    with pytest.raises(AssertionError):
        torch.testing.assert_close(layer(x)[:1], layer(x[:1]))


@pytest.mark.parametrize("scopes", [("layer",), ("batch", "instance"), ("layer", "batch")])
def test_fewer_scopes_are_those_alone(scopes: tuple[str, ...]) -> None:
    part, whole = SwitchableNorm(4, scopes=scopes).double(), SwitchableNorm(4).double()
    with torch.no_grad():
        for name in ("mean_weight", "var_weight"):
            part.get_parameter(name).copy_(torch.arange(len(scopes)))
            whole.get_parameter(name).fill_(-1e4)
            for i, scope in enumerate(scopes):
                whole.get_parameter(name)[SCOPES.index(scope)] = i
    assert list(part.importance()["mean"]) == list(scopes)
    for mode in (True, False):
        x = an_input()
        found, expected = part.train(mode)(x), whole.train(mode)(x)
        torch.testing.assert_close(found, expected, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
def test_a_small_deviation_around_a_large_mean(training: bool) -> None:
    """Variances of the parts and of their means are added; squares of 3000 would cancel."""
    x = 3000 + 0.01 * an_input()
    layer = SwitchableNorm(4, momentum=1.0).double()
    layer(x)
    layer.train(training)
    expected = layer(x)
    found = copy.deepcopy(layer).float()(x.float()).double()
    # x itself is rounded by 1e-4, which is 1e-2 of its deviation.
    assert relative_error(found, expected) <= 0.05


def test_constant_maps_have_a_gradient() -> None:
    """A dead channel of a sample: its own variance is 0, the mixture's is not."""
    x = an_input()
    x[0, 1] = 0
    x.requires_grad_()
    layer = SwitchableNorm(4, eps=0.0).double()
    (g,) = torch.autograd.grad(layer(x).square().sum() + layer(x).sum(), x)
    assert torch.isfinite(g).all()


def test_an_empty_batch_and_reset() -> None:
    layer = SwitchableNorm(4)
    fresh = copy.deepcopy(layer.state_dict())
    assert layer(torch.empty(0, 4, 3)).shape == (0, 4, 3)
    for name, value in layer.state_dict().items():
        assert torch.equal(value, fresh[name]), name
    layer(an_input().float())
    with torch.no_grad():
        layer.mean_weight.fill_(3)
    layer.reset_parameters()
    for name, value in layer.state_dict().items():
        assert torch.equal(value, fresh[name]), name


def test_errors() -> None:
    for scopes in ((), ("channel",), ("layer", "layer")):
        with pytest.raises(ValueError, match="each once"):
            SwitchableNorm(4, scopes=scopes)
    for training in (True, False):
        layer = SwitchableNorm(4).train(training)
        for shape in ((3, 4), (3, 4, 1, 1)):
            with pytest.raises(ValueError, match=r"single position.*scopes="):
                layer(torch.zeros(shape))
        with pytest.raises(ValueError, match=r"\(N, 4, \.\.\.\), got \(2, 3, 5\)"):
            layer(torch.zeros(2, 3, 5))
    with pytest.raises(ValueError, match="at least 2 values per channel"):
        SwitchableNorm(4, scopes=("layer", "batch"))(torch.zeros(1, 4))
