"""Small networks, and what is compared of them."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from tests.layers.table import perturb

WIDTH = 32


def normal(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype)


def perturbed(model: nn.Module) -> nn.Module:
    """Norms away from their initial state, in float64; other weights as they are."""
    for module in model.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm | nn.LayerNorm | nn.GroupNorm):
            perturb(module, seed=module.weight.numel())
    return model.double()


def conv_net(width: int = WIDTH) -> nn.Module:
    """Two convolutions with BatchNorm on 3 x 6 x 6 images."""
    torch.manual_seed(0)
    return perturbed(
        nn.Sequential(
            nn.Conv2d(3, width, 3),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.Conv2d(width, width, 3, bias=False, padding=1),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(width * 16, 5),
        )
    )


def mlp() -> nn.Module:
    torch.manual_seed(0)
    return perturbed(
        nn.Sequential(
            nn.Linear(7, 8),
            nn.BatchNorm1d(8),
            nn.ReLU(),
            nn.Linear(8, 8, bias=False),
            nn.BatchNorm1d(8),
            nn.ReLU(),
            nn.Linear(8, 3),
        )
    )


def transformer(*, batch_first: bool = True, norm_first: bool = False) -> nn.Module:
    torch.manual_seed(0)
    layer = nn.TransformerEncoderLayer(
        16, 2, 32, dropout=0.0, batch_first=batch_first, norm_first=norm_first
    )
    return perturbed(nn.TransformerEncoder(layer, 2, nn.LayerNorm(16), enable_nested_tensor=False))


def resnet18(*, seed: int = 0) -> nn.Module:
    """torchvision's, with 10 classes and random norms; its weights keep activations in range."""
    from torchvision.models import resnet18 as build

    torch.manual_seed(seed)
    model = build(num_classes=10)
    random = np.random.default_rng(seed)
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                for tensor, low, high in (
                    (module.weight, 0.5, 1.5),
                    (module.bias, -0.5, 0.5),
                    (module.running_mean, -0.5, 0.5),
                    (module.running_var, 0.5, 2.0),
                ):
                    tensor.copy_(torch.from_numpy(random.uniform(low, high, tuple(tensor.shape))))
    return model.double()


class Residual(nn.Module):
    """The output of a convolution goes through a norm, and around it."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv = nn.Conv2d(3, 4, 3)
        self.bn = nn.BatchNorm2d(4)
        perturbed(self)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv(x)
        return y + self.bn(y)


class Untraceable(nn.Module):
    """Its way depends on the values, so that torch.fx cannot follow it."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Tensor) -> Tensor:
        return self.model(x) if x.abs().sum() > 0 else x
