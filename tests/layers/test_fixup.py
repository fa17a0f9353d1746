"""Fixup: how the blocks compute, how they start, and that a deep stack of them trains."""

from __future__ import annotations

import copy
import math
import pickle

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torchvision.models.resnet import BasicBlock, Bottleneck, ResNet

from normlib.errors import NormlibError
from normlib.layers.fixup import FixupBlock, Shift, fixup
from tests.layers.measure import assert_same, observe, seeded
from tests.layers.methods.training import fixup_block
from tests.layers.test_transforms import COMPILER

RESNETS = {
    "basic": lambda: ResNet(BasicBlock, [2, 1, 1, 1], num_classes=3),
    "bottleneck": lambda: ResNet(Bottleneck, [2, 1, 1, 1], num_classes=3, width_per_group=16),
    "grouped": lambda: ResNet(
        Bottleneck, [1, 1, 1, 1], num_classes=3, groups=2, width_per_group=8,
        norm_layer=lambda c: nn.GroupNorm(2, c),
    ),
}  # fmt: skip


def _block(m: int, branches: int = 4, *, shortcut: bool = True) -> FixupBlock:
    """Of linear layers from 3 features to 3, in float64, with every parameter moved."""
    torch.manual_seed(0)
    layers = [nn.Linear(3, 3, dtype=torch.float64) for _ in range(m)]
    across = nn.Linear(3, 3, bias=False, dtype=torch.float64) if shortcut else None
    block = FixupBlock(layers, branches, across)
    with torch.no_grad():
        for i, parameter in enumerate(block.parameters()):
            parameter.add_(seeded(parameter, i), alpha=0.5)
    return block


def _input(*shape: int) -> Tensor:
    return seeded(torch.empty(shape or (5, 3), dtype=torch.float64), 9)


@pytest.mark.parametrize("shortcut", [True, False])
@pytest.mark.parametrize("m", [1, 2, 3])
def test_the_formula(m: int, shortcut: bool) -> None:
    block, x = _block(m, shortcut=shortcut), _input()
    expected = fixup_block(block, x.numpy(), training=True)
    assert np.abs(block(x).detach().numpy() - expected).max() <= 1e-10
    assert (expected > 0).any()


@pytest.mark.parametrize("branches", [1, 9])
@pytest.mark.parametrize("m", [1, 2, 3, 4])
def test_how_a_block_starts(m: int, branches: int) -> None:
    layers = [nn.Linear(3, 3) for _ in range(m)]
    drawn = [layer.weight.detach().clone() for layer in layers]
    block = FixupBlock(layers, branches)
    for layer, weight in zip(layers[:-1], drawn[:-1], strict=True):
        torch.testing.assert_close(layer.weight.detach(), weight * branches ** (-1 / (2 * m - 2)))
    assert not any(layer.bias.any() for layer in layers)
    assert not layers[-1].weight.any()
    assert (block.scale, block.before.tolist(), block.after.tolist()) == (1, [0] * m, [0] * m)
    x = _input().float()
    assert torch.equal(block(x), x.relu())


@COMPILER
def test_drop_in_manners() -> None:
    block, x = _block(2), _input()
    expected = observe(block, x)
    fresh = FixupBlock(
        [nn.Linear(3, 3) for _ in range(2)], 4, nn.Linear(3, 3, bias=False)
    ).double()  # fmt: skip
    assert str(fresh.load_state_dict(block.state_dict())) == "<All keys matched successfully>"
    for twin in (fresh, copy.deepcopy(block), pickle.loads(pickle.dumps(block))):
        assert_same(observe(twin, x), expected)
    torch.testing.assert_close(torch.func.vmap(block)(x), block(x), rtol=1e-13, atol=1e-13)
    torch.compiler.reset()
    compiled = torch.compile(block, fullgraph=True, backend="aot_eager")
    found = observe(compiled, x, second=False)
    assert_same(
        {k.replace("_orig_mod.", ""): v for k, v in found.items()}, observe(block, x, second=False)
    )
    half = block.bfloat16()(x.bfloat16())
    assert half.dtype == torch.bfloat16
    torch.testing.assert_close(half.double(), expected["output"], rtol=0.05, atol=0.05)
    meta = Shift(device="meta", dtype=torch.bfloat16)
    assert (meta.bias.device.type, meta.bias.dtype) == ("meta", torch.bfloat16)


@pytest.mark.parametrize("name", RESNETS)
def test_torchvision_s_resnets_are_converted(name: str) -> None:
    torch.manual_seed(0)
    original = RESNETS[name]()
    model = copy.deepcopy(original).eval()
    assert fixup(model) is model
    assert not any(m.training for m in model.modules())
    assert not [m for m in model.modules() if isinstance(m, nn.BatchNorm2d | nn.GroupNorm)]
    old = [b for b in original.modules() if isinstance(b, BasicBlock | Bottleneck)]
    new = [b for b in model.modules() if isinstance(b, FixupBlock)]
    assert len(new) == len(old) >= 4
    for before, after in zip(old, new, strict=True):
        m = 3 if isinstance(before, Bottleneck) else 2
        factor = len(old) ** {2: -1 / 2, 3: -1 / 4}[m]
        convs = [before.conv1, before.conv2, getattr(before, "conv3", None)][:m]
        for conv, layer in zip(convs[:-1], after.layers[:-1], strict=True):
            torch.testing.assert_close(layer.weight, conv.weight * factor)
        assert after.layers[-1].weight.shape == convs[-1].weight.shape
        assert (after.shortcut is None) == (before.downsample is None)
        if before.downsample is not None:
            assert torch.equal(after.shortcut.weight, before.downsample[0].weight)
    assert torch.equal(model.conv1.weight, original.conv1.weight)
    kept = {id(p) for m in model.modules() if isinstance(m, nn.Conv2d | nn.Linear)
            for p in m.parameters()}  # fmt: skip
    numbers = sum(p.numel() for p in model.parameters() if id(p) not in kept)
    per_branch = 2 * (2 if name == "basic" else 3) + 1
    assert numbers == 2 + len(new) * per_branch


@pytest.mark.parametrize("name", RESNETS)
def test_at_the_start_each_branch_gives_zero(name: str) -> None:
    """A block is then relu of its shortcut, and all classes are equally likely."""
    torch.manual_seed(0)
    model = fixup(RESNETS[name]())
    seen: list[tuple[FixupBlock, Tensor, Tensor]] = []
    for block in model.modules():
        if isinstance(block, FixupBlock):
            block.register_forward_hook(lambda m, args, y: seen.append((m, args[0], y)))
    logits = model(_input(2, 3, 16, 16).float())
    assert len(seen) >= 4
    for block, x, y in seen:
        assert y.any()
        assert torch.equal(y, (x if block.shortcut is None else block.shortcut(x)).relu())
    assert torch.equal(logits, torch.zeros(2, 3))
    assert torch.equal(model.fc.weight, torch.zeros_like(model.fc.weight))


def test_every_parameter_of_a_converted_resnet_learns() -> None:
    """The classifier moves first, then the last layers of the branches, then all others."""
    torch.manual_seed(0)
    model = fixup(ResNet(BasicBlock, [2, 1, 1, 1], num_classes=3))
    x, target = _input(3, 3, 16, 16).float(), torch.arange(3)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    losses = []
    for _ in range(4):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x), target)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert math.isclose(losses[0], math.log(3), rel_tol=1e-6)
    assert losses[-1] < losses[0]
    still = [k for k, p in model.named_parameters() if p.grad is None or not p.grad.any()]
    assert still == []


class _Plain(nn.Module):
    """The same block as it is without normalization and without Fixup."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first, self.second = (nn.Conv2d(width, width, 3, padding=1) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        return (x + self.second(self.first(x).relu())).relu()


def _network(kind: str, depth: int, width: int = 8) -> nn.Module:
    """A deep stack by He's initialization, as torchvision's ResNets have it."""
    torch.manual_seed(0)
    plain = [_Plain(width) for _ in range(depth)]
    classifier = nn.Linear(width, 3)
    network = nn.Sequential(
        nn.Conv2d(3, width, 3, padding=1), nn.ReLU(), *plain,
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), classifier,
    )  # fmt: skip
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            nn.init.zeros_(module.bias)
    if kind == "fixup":
        for i, block in enumerate(plain):
            network[2 + i] = FixupBlock([block.first, block.second], depth)
        nn.init.zeros_(classifier.weight)
        nn.init.zeros_(classifier.bias)
    return network


def _losses(network: nn.Module, steps: int, rate: float) -> list[float]:
    """Of gradient descent on one batch, in which a class is a brighter channel."""
    target = torch.arange(9) % 3
    x = _input(9, 3, 6, 6).float() + 2 * nn.functional.one_hot(target, 3)[:, :, None, None]
    optimizer = torch.optim.SGD(network.parameters(), lr=rate, momentum=0.9)
    losses = []
    for _ in range(steps):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(network(x), target)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def test_a_deep_network_trains_with_it_and_not_without() -> None:
    """24 branches, one rate for both: one learns, and the other is soon no better than chance."""
    chance = math.log(3)
    learned = _losses(_network("fixup", 24), 20, 0.05)
    assert math.isclose(learned[0], chance, rel_tol=1e-6)
    assert learned[-1] < 0.5 * chance, learned
    plain = _losses(_network("plain", 24), 20, 0.05)
    assert not plain[-1] < 0.9 * chance, plain  # NaN, too


def test_refused() -> None:
    with pytest.raises(NormlibError, match=r"torchvision's ResNet, not Linear; .* FixupBlock"):
        fixup(nn.Linear(3, 4))
    model = fixup(ResNet(BasicBlock, [1, 1, 1, 1], num_classes=2))
    with pytest.raises(NormlibError, match="is a FixupBlock"):
        fixup(model)
    with pytest.raises(ValueError, match="got 0 layers and 4 branches"):
        FixupBlock([], 4)
    with pytest.raises(ValueError, match="got 1 layers and 0 branches"):
        FixupBlock([nn.Linear(3, 3)], 0)
    with pytest.raises(TypeError, match="unexpected keyword argument"):
        FixupBlock([nn.Linear(3, 3)], 1, depth=3)
