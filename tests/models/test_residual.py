"""Blocks without operations in place, against torchvision's own."""

import pytest
import torch
from torchvision.models import get_model

from normlib.models.residual import Residual, without_overwriting


@pytest.mark.parametrize("name", ["resnet18", "resnet50"])
def test_a_network_keeps_its_names_and_what_it_computes(name: str) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        theirs, ours = (get_model(name, num_classes=10).double() for _ in range(2))
        x = torch.rand(2, 3, 32, 32, dtype=torch.float64)
    ours.load_state_dict(theirs.state_dict())
    without_overwriting(ours)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    assert [n for n, _ in ours.named_parameters()] == [n for n, _ in theirs.named_parameters()]
    blocks = [m for m in ours.modules() if isinstance(m, Residual)]
    assert len(blocks) == sum(map(len, (ours.layer1, ours.layer2, ours.layer3, ours.layer4)))
    assert not any(getattr(m, "inplace", False) for m in ours.modules())
    outputs = [model.train()(x) for model in (theirs, ours)]
    torch.testing.assert_close(*outputs, rtol=1e-10, atol=1e-10)
    gradients = [
        torch.autograd.grad(y.square().sum(), list(model.parameters()))
        for y, model in zip(outputs, (theirs, ours), strict=True)
    ]
    for g, h in zip(*gradients, strict=True):
        torch.testing.assert_close(g, h, rtol=1e-8, atol=1e-8)


def test_a_block_keeps_its_mode() -> None:
    model = get_model("resnet18", num_classes=2).eval()
    without_overwriting(model)
    assert not any(m.training for m in model.modules() if isinstance(m, Residual))
