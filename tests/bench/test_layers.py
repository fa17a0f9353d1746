import pytest
import torch
from torch import nn

from normlib.bench import layer_process, layers
from normlib.bench.layers import Case

SHAPE = (4, 16, 5, 5)


def case(**changes: object) -> Case:
    values = {
        "layer": "BatchNorm2d",
        "shape": SHAPE,
        "mode": "eager",
        "ours": 3e-3,
        "peer": 2e-3,
        "again": 2.2e-3,
        "ours_bytes": 100.0,
        "peer_bytes": 100.0,
    }
    return Case(**{**values, **changes})  # type: ignore[arg-type]


def test_mean_and_noise_come_first_with_the_goal_on_the_mean() -> None:
    found = layers.results([case(), case(layer="LayerNorm", ours=3e-3 / 4, peer=2e-3, again=2e-3)])
    mean, noise, *rest = found
    assert mean.ratio == pytest.approx((2 / 3 * 8 / 3) ** 0.5)
    assert mean.goal == pytest.approx(1 / 1.5)
    assert mean.ours == pytest.approx(1.5)
    assert noise.ratio == pytest.approx((2 / 2.2 * 1) ** 0.5)
    assert noise.goal is None
    assert len(rest) == 2 + 2 * 2


def test_modes_have_goals_of_their_own() -> None:
    found = layers.results([case(), case(mode="compiled")])
    goals = [r.goal for r in found if "geometric mean" in r.name]
    assert goals == pytest.approx([1 / 1.5, 1 / 1.1])


def test_memory_is_judged_by_the_worst_shape() -> None:
    found = layers.results([case(), case(shape=(2, 2, 2, 2), ours_bytes=200.0)])
    (memory,) = (r for r in found if "saved" in r.name)
    assert (memory.ratio, memory.goal, memory.reached) == (0.5, 1.0, False)


@pytest.mark.parametrize("layer", layers.LAYERS)
def test_every_layer_is_built_with_scale_and_shift(layer: str) -> None:
    module = layer_process.build("torch.nn", layer, SHAPE)
    assert type(module) is getattr(nn, layer)
    assert len(list(module.parameters())) == 2
    assert module(torch.randn(SHAPE)).shape == SHAPE


@pytest.mark.parametrize("layer", layers.LAYERS)
def test_ours_are_ours(layer: str) -> None:
    module = layer_process.build("normlib", layer, SHAPE)
    assert type(module).__module__.startswith("normlib.")


def test_saved_bytes_counts_each_storage_once() -> None:
    x = torch.randn(10, requires_grad=True)
    assert layer_process.saved_bytes(lambda x: x * x, x) == 40
    assert layer_process.saved_bytes(lambda x: x.exp() * x, x) == 80
    assert layer_process.saved_bytes(lambda x: x[:5] * x[5:], x) == 40
    assert layer_process.saved_bytes(lambda x: x + 1, x) == 0


def test_both_ways_reaches_input_and_parameters() -> None:
    module = nn.BatchNorm2d(16)
    x = torch.randn(SHAPE, requires_grad=True)
    gradients = layer_process.both_ways(module, [x, *module.parameters()], torch.ones(SHAPE))()
    assert isinstance(gradients, tuple)
    assert [g.shape for g in gradients] == [x.shape, (16,), (16,)]


def test_a_measured_case_is_complete() -> None:
    found = layers.measure("LayerNorm", SHAPE, "eager", pairs=2, ours="torch.nn")
    assert found.ours_bytes == found.peer_bytes >= 4 * 4 * 16 * 25
    assert min(found.ours, found.peer, found.again) > 0
    assert layers.results([found])
