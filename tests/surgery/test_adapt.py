"""Adapted statistics are the target's: exact, whatever the batches, and nothing else moves."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from normlib.errors import NormlibError
from normlib.layers import AdaBatchNorm, AutoDIAL, BatchNorm1d, BatchNorm2d, domains
from normlib.surgery import adapt, freeze, recalibrate
from tests.layers.measure import seeded


def images(n: int, seed: int, mean: float = 0.0, std: float = 1.0) -> Tensor:
    return mean + std * seeded(torch.empty(n, 3, 4, 4, dtype=torch.float64), seed)


def net(norm: type[nn.Module] = AdaBatchNorm) -> nn.Sequential:
    torch.manual_seed(0)
    layers = [nn.Conv2d(3, 4, 2), norm(4), nn.ReLU(), nn.Conv2d(4, 5, 2), norm(5), nn.Tanh(),
              nn.Dropout(), nn.Flatten(), nn.Linear(20, 3), norm(3)]  # fmt: skip
    return nn.Sequential(*layers).double()


def trained(norm: type[nn.Module] = AdaBatchNorm) -> nn.Sequential:
    model = net(norm)
    for seed in range(3):
        model(images(8, seed))
    return model


TARGET = images(12, 7, mean=2, std=3)


@pytest.mark.parametrize(
    "sizes", [[12], [6, 6], [1, 11], [5, 4, 3], [1] * 12], ids=lambda s: "-".join(map(str, s))
)
def test_adapted_statistics_are_the_targets(sizes: list[int]) -> None:
    """Those of all layers, each behind adapted ones; as if all of the target were one batch."""
    model = trained()
    adapt(model, TARGET.split(sizes))
    x = TARGET
    for layer in model.eval():
        if isinstance(layer, AdaBatchNorm):
            data = np.moveaxis(x.detach().numpy(), 1, 0).reshape(x.shape[1], -1)
            np.testing.assert_allclose(layer.running_mean, data.mean(1), rtol=1e-12, atol=1e-14)
            np.testing.assert_allclose(layer.running_var, data.var(1), rtol=1e-12)
        x = layer(x)
    whole = copy.deepcopy(model).train()
    whole[6] = nn.Identity()  # dropout
    torch.testing.assert_close(whole(TARGET), model(TARGET), rtol=1e-11, atol=1e-12)


def test_averages_over_batches_would_be_something_else() -> None:
    """The mean of the batches' variances lacks the variance of their means."""
    layer = AdaBatchNorm(3).double()
    batches = [TARGET[:2], TARGET[2:] + 5]
    adapt(layer, batches)
    averaged = torch.stack([b.var((0, 2, 3), correction=0) for b in batches]).mean(0)
    assert (layer.running_var > 1.2 * averaged).all()


def test_nothing_else_changes() -> None:
    model = trained()
    model.insert(1, BatchNorm2d(4).double())
    model[0].eval()
    model[7].training = False
    modes = {name: module.training for name, module in model.named_modules()}
    before = copy.deepcopy(model.state_dict())
    hooks = [len(module._forward_pre_hooks) for module in model.modules()]
    adapt(model, [TARGET])
    adapted = {f"{i}.{name}" for i in (2, 5, 10) for name in ("running_mean", "running_var")}
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name]) == (name not in adapted), name
    assert {name: module.training for name, module in model.named_modules()} == modes
    assert [len(module._forward_pre_hooks) for module in model.modules()] == hooks
    assert all(p.grad is None for p in model.parameters())


def test_adapting_twice_or_from_another_source_is_the_same() -> None:
    """The result depends on parameters and target alone, not on the statistics before."""
    first, second = trained(), trained()
    adapt(first, [TARGET])
    second[1].running_mean.fill_(100)
    second[4].running_var.fill_(50)
    adapt(second, [TARGET])
    adapt(second, TARGET.split(5))
    for name, value in first.state_dict().items():
        torch.testing.assert_close(second.state_dict()[name], value, rtol=1e-12, atol=1e-12)


def test_layers_are_adapted_in_the_order_of_their_calls() -> None:
    """Not in that of their registration, which here is the other way round."""

    class Backward(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.last, self.never, self.first = AdaBatchNorm(3), AdaBatchNorm(3), AdaBatchNorm(3)

        def forward(self, x: Tensor) -> Tensor:
            return self.last(torch.relu(self.first(x)))

    model = Backward().double()
    adapt(model, TARGET.split(4))
    between = torch.relu(model.eval().first(TARGET))
    torch.testing.assert_close(model.last.running_mean, between.mean((0, 2, 3)))
    torch.testing.assert_close(model.never.running_var, torch.ones(3, dtype=torch.float64))


def test_batches_with_labels_and_a_data_loader() -> None:
    data = torch.utils.data.TensorDataset(TARGET, torch.arange(12))
    expected, found = trained(), trained()
    adapt(expected, [TARGET])
    adapt(found, torch.utils.data.DataLoader(data, batch_size=5))
    for name, value in expected.state_dict().items():
        torch.testing.assert_close(found.state_dict()[name], value, rtol=1e-12, atol=1e-12)


def test_float32_layers_far_from_zero() -> None:
    """Merged in float64 and without squares of means."""
    layer = AdaBatchNorm(3)
    x = (3000 + 0.1 * images(12, 1)).float()
    adapt(layer, x.split(1))
    expected = x.double().var((0, 2, 3), correction=0)
    torch.testing.assert_close(layer.running_var.double(), expected, rtol=1e-6, atol=0)
    assert layer.running_var.dtype == torch.float32


def test_what_fails_changes_nothing() -> None:
    model = trained()
    before = copy.deepcopy(model.state_dict())
    with pytest.raises(RuntimeError):
        adapt(model, [TARGET, TARGET[:, :2]])

    failing = iter([False] * 2 + [True])  # after the first layer was adapted

    def fail(module: nn.Module, args: tuple[Tensor, ...]) -> None:
        if next(failing):
            raise KeyboardInterrupt

    model[3].register_forward_pre_hook(fail)
    with pytest.raises(KeyboardInterrupt):
        adapt(model, TARGET.split(6))
    assert model.training
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name]), name
    assert not any(m._forward_pre_hooks for m in model.modules() if isinstance(m, AdaBatchNorm))


class Twice(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm = AdaBatchNorm(3)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(torch.relu(self.norm(x)))


@pytest.mark.parametrize(
    ("model", "batches", "words"),
    [
        (nn.Linear(3, 2), [TARGET], "this Linear has no AdaBatchNorm or AutoDIAL layer"),
        (BatchNorm2d(3), [TARGET], "this BatchNorm2d has no AdaBatchNorm or AutoDIAL layer"),
        (trained(), TARGET, "give a list of batches"),
        (trained(), iter([TARGET]), "read only once.*give a list or a DataLoader$"),
        (trained(), [], "no batches"),
        (trained(), [TARGET * float("nan")], "'1' gets values whose running_mean is not finite"),
        (AdaBatchNorm(4), [torch.zeros(1, 4)], "the model itself gets 1 values per channel"),
        (Twice().double(), [TARGET], "'norm' is called 2 times for one batch"),
    ],
)
def test_what_cannot_be(model: nn.Module, batches: object, words: str) -> None:
    with pytest.raises(NormlibError, match=words):
        adapt(model, batches)


def test_batches_of_one_domain_only() -> None:
    layer = AutoDIAL(3)
    with domains(layer, source=2, target=3), pytest.raises(NormlibError, match="outside"):
        adapt(layer, [TARGET])


def test_layers_that_are_left_alone() -> None:
    model = freeze(trained(), only=lambda name: name == "1")
    before = copy.deepcopy(model.state_dict())
    assert adapt(model, [TARGET], only=lambda name: name != "9") is model
    moved = {n.partition(".")[0] for n, v in model.state_dict().items() if not v.equal(before[n])}
    assert moved == {"4"}
    with pytest.raises(NormlibError, match="every AdaBatchNorm or AutoDIAL layer is frozen; unfr"):
        adapt(freeze(model), [TARGET])
    with pytest.raises(NormlibError, match="layer that only= accepts is frozen; unfreeze"):
        adapt(model, [TARGET], only=lambda name: name == "1")
    unfrozen = nn.Sequential(model, nn.BatchNorm2d(3))  # which adapt would leave alone, too
    with pytest.raises(NormlibError, match="every AdaBatchNorm or AutoDIAL layer is frozen"):
        adapt(unfrozen, [TARGET])


def test_batches_are_sent_as_the_caller_says() -> None:
    expected, found = adapt(trained(), [TARGET]), trained()
    adapt(found, [{"x": TARGET, "id": 3}], call=lambda model, batch: model(batch["x"]))
    for name, value in expected.state_dict().items():
        assert torch.equal(found.state_dict()[name], value), name


def test_it_is_recalibration_but_for_the_variance() -> None:
    """By which of the two: the batch's own, or what training would have averaged."""
    adapted = trained().append(BatchNorm1d(3).double())
    recalibrated = copy.deepcopy(adapted)
    before = copy.deepcopy(adapted.state_dict())
    adapt(adapted, TARGET.split(5))
    recalibrate(recalibrated, TARGET.split(5))
    ours, theirs = adapted[1], recalibrated[1]
    count = 12 * 3 * 3
    assert torch.equal(ours.running_mean, theirs.running_mean)
    torch.testing.assert_close(
        ours.running_var, theirs.running_var * (count - 1) / count, rtol=1e-14, atol=0
    )
    assert ours.num_batches_tracked == before["1.num_batches_tracked"]
    assert theirs.num_batches_tracked == 3
    assert torch.equal(adapted[10].running_var, before["10.running_var"])
    assert not torch.equal(recalibrated[10].running_var, before["10.running_var"])


def test_adapt_sets_the_targets_statistics_of_autodial() -> None:
    model = trained(AutoDIAL)
    before = copy.deepcopy(model.state_dict())
    adapt(model, TARGET.split(5))
    x = TARGET
    for i, layer in enumerate(model.eval()):
        if isinstance(layer, AutoDIAL):
            data = np.moveaxis(x.detach().numpy(), 1, 0).reshape(x.shape[1], -1)
            np.testing.assert_allclose(layer.target_running_mean, data.mean(1), rtol=1e-12)
            np.testing.assert_allclose(layer.target_running_var, data.var(1), rtol=1e-12)
            assert torch.equal(layer.source_running_mean, before[f"{i}.source_running_mean"])
        x = layer(x)
