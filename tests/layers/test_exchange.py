"""Whole networks with their normalization layers exchanged: same outputs, same gradients."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from tests.layers.measure import relative_error
from tests.layers.table import SUBJECT, perturb

resnet18 = pytest.importorskip("torchvision.models").resnet18


def _images() -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(3, 3, 32, 32, generator=generator, dtype=torch.float64)


def _everything(net: nn.Module, x: Tensor) -> dict[str, Tensor]:
    """Output, gradients by input and by every parameter, and buffers."""
    x = x.detach().requires_grad_()
    y = net(x)
    w = torch.linspace(-1, 1, y.numel(), dtype=y.dtype).reshape(y.shape)
    names = ["input", *dict(net.named_parameters())]
    grads = torch.autograd.grad((w * y).sum() + (y**2).mean(), [x, *net.parameters()])
    found = {"output": y.detach(), **dict(zip(names, grads, strict=True))}
    return found | {f"buffer {k}": v.detach().clone() for k, v in net.named_buffers()}


def _assert_same_network(ours: nn.Module, theirs: nn.Module, x: Tensor, bound: float) -> None:
    for _ in range(2):  # twice in training, so that the second sees other running statistics
        found, expected = _everything(ours.train(), x), _everything(theirs.train(), x)
        assert list(found) == list(expected)
        for name, value in expected.items():
            assert relative_error(found[name], value) <= bound, name
    found, expected = _everything(ours.eval(), x), _everything(theirs.eval(), x)
    for name, value in expected.items():
        assert relative_error(found[name], value) <= bound, name


def test_resnet18_with_our_batch_norm() -> None:
    torch.manual_seed(0)
    theirs = perturb(resnet18(num_classes=10)).double()
    for module in theirs.modules():  # random weights as drawn would let the activations explode
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight)
    ours = resnet18(num_classes=10, norm_layer=SUBJECT.BatchNorm2d).double()
    assert str(ours.load_state_dict(theirs.state_dict())) == "<All keys matched successfully>"
    assert sum(type(m) is SUBJECT.BatchNorm2d for m in ours.modules()) == 20
    _assert_same_network(ours, theirs, _images(), 1e-10)


def test_resnet18_with_our_group_norm() -> None:
    torch.manual_seed(0)
    theirs = resnet18(num_classes=10, norm_layer=lambda c: nn.GroupNorm(8, c)).double()
    ours = resnet18(num_classes=10, norm_layer=lambda c: SUBJECT.GroupNorm(8, c)).double()
    ours.load_state_dict(theirs.state_dict())
    _assert_same_network(ours, theirs, _images(), 1e-10)


class _Block(nn.Module):
    """A pre-norm transformer block, written out so that no fused path skips the norm."""

    def __init__(self, norm: type[nn.Module], width: int = 16) -> None:
        super().__init__()
        self.first, self.second = norm(width), norm(width)
        self.attention = nn.MultiheadAttention(width, 2, batch_first=True)
        self.mlp = nn.Sequential(nn.Linear(width, 32), nn.GELU(), nn.Linear(32, width))

    def forward(self, x: Tensor) -> Tensor:
        h = self.first(x)
        x = x + self.attention(h, h, h, need_weights=False)[0]
        return x + self.mlp(self.second(x))


@pytest.mark.parametrize("cls", ["LayerNorm", "RMSNorm"])
def test_transformer_with_our_norm(cls: str) -> None:
    torch.manual_seed(0)
    theirs = nn.Sequential(*(_Block(getattr(nn, cls)) for _ in range(2))).double()
    ours = nn.Sequential(*(_Block(getattr(SUBJECT, cls)) for _ in range(2))).double()
    perturb(theirs)
    ours.load_state_dict(theirs.state_dict())
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(2, 5, 16, generator=generator, dtype=torch.float64)
    _assert_same_network(ours, theirs, x, 1e-10)


def test_the_frameworks_encoder_layer_with_our_layer_norm() -> None:
    """Its fast path in eval mode reads the norm's eps, weight and bias by itself."""
    torch.manual_seed(0)
    theirs = nn.TransformerEncoderLayer(16, 2, 32, dropout=0.0, batch_first=True).double()
    ours = nn.TransformerEncoderLayer(16, 2, 32, dropout=0.0, batch_first=True).double()
    ours.norm1, ours.norm2 = SUBJECT.LayerNorm(16).double(), SUBJECT.LayerNorm(16).double()
    perturb(theirs)
    ours.load_state_dict(theirs.state_dict())
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(2, 5, 16, generator=generator, dtype=torch.float64)
    _assert_same_network(ours, theirs, x, 1e-10)
    with torch.no_grad():
        assert relative_error(ours.eval()(x), theirs.eval()(x)) <= 1e-10
