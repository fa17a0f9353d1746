"""Fixup: residual networks without normalization, by how they start."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from normlib.errors import NormlibError


class Shift(nn.Module):
    """Add one learnable number: ``y = x + bias``, 0 at first.

    Shape:
        Any, and the same out.

    Source: Zhang, Dauphin and Ma 2019, https://arxiv.org/abs/1901.09321
    """

    def __init__(
        self, device: torch.device | str | None = None, dtype: torch.dtype | None = None
    ) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros((), device=device, dtype=dtype))

    def forward(self, x: Tensor) -> Tensor:
        """Apply the layer."""
        return x + self.bias


class FixupBlock(nn.Module):
    """A residual block that starts as ``relu(shortcut(x))``, and as one of ``branches`` such.

    The branch has ``m`` layers, numbers ``a_i`` before and ``b_i`` after each, 0 at first, and a
    factor, 1 at first. From ``y = x`` on:

        y = relu(layer_i(y + a_i) + b_i)                for each layer but the last
        y = scale * layer_m(y + a_m) + b_m
        out = relu(y + shortcut(x + a_1))               or relu(y + x) without a shortcut layer

    The weights of the branch are multiplied by ``branches ** (-1 / (2 * m - 2))``, those of its
    last layer and all biases of its layers are 0, so that one step of gradient descent changes
    what the network computes by an amount that does not grow with its depth.

    Args:
        layers: The branch's layers, initialized as usual (He), changed in place.
        branches: Number ``L`` of residual branches in the whole network.
        shortcut: What fits the input to the branch's shape; None for the input itself.
        activation: Between the layers and at the end; None for ReLU.

    Shape:
        That of the first layer's input; that of the last layer's output.

    Raises:
        ValueError: there is no layer, or no branch.

    Source: Zhang, Dauphin and Ma 2019, https://arxiv.org/abs/1901.09321. The shortcut gets the
    shifted input, as in the authors' code. They train the numbers with a tenth of the rate.
    """

    def __init__(
        self,
        layers: Sequence[nn.Conv2d | nn.Linear],
        branches: int,
        shortcut: nn.Module | None = None,
        activation: nn.Module | None = None,
    ) -> None:
        super().__init__()
        m = len(layers)
        if m < 1 or branches < 1:
            raise ValueError(
                f"got {m} layers and {branches} branches; a residual branch has at least one "
                "layer, and a network with this block at least one branch"
            )
        self.layers = nn.ModuleList(layers)
        self.shortcut: nn.Module | None
        self.register_module("shortcut", shortcut)
        self.activation = nn.ReLU() if activation is None else activation
        last = layers[-1].weight
        self.before = nn.Parameter(last.new_zeros(m))
        self.after = nn.Parameter(last.new_zeros(m))
        self.scale = nn.Parameter(last.new_ones(()))
        with torch.no_grad():
            for layer in layers[:-1]:
                layer.weight.mul_(branches ** (-1 / (2 * m - 2)))
            last.zero_()
            for layer in layers:
                if layer.bias is not None:
                    layer.bias.zero_()

    def forward(self, x: Tensor) -> Tensor:
        """Apply the block."""
        shifted = x + self.before[0]
        y = self.layers[0](shifted)
        for i, layer in enumerate(self.layers[1:]):
            y = layer(self.activation(y + self.after[i]) + self.before[i + 1])
        y = y * self.scale + self.after[-1]
        out: Tensor = self.activation(y + (x if self.shortcut is None else self.shortcut(shifted)))
        return out


def fixup(model: nn.Module) -> nn.Module:
    """Take the normalization out of torchvision's ResNet and start it so that it trains without.

    1. The classifier and the last layer of each residual branch start at 0.
    2. The other layers start as they are, by He's method from torchvision; those within the
       branches are multiplied by ``L ** (-1 / (2 * m - 2))`` for ``L`` branches of ``m`` layers.
    3. Each branch gets a learnable factor (1), and each layer and activation is preceded by a
       learnable number that is added (0); see `FixupBlock`.

    As in the authors' code there is none before the first convolution.

    Args:
        model: A `torchvision.models.ResNet` fresh from its constructor, of any depth, width and
            number of groups; changed in place and returned. It must be told to an optimizer
            afterwards, since its parameters are new.

    Raises:
        NormlibError: the model is no such ResNet, or is converted already.

    Source: Zhang, Dauphin and Ma 2019, https://arxiv.org/abs/1901.09321
    """
    from torchvision.models.resnet import BasicBlock, Bottleneck, ResNet  # takes a second

    if not isinstance(model, ResNet):
        raise NormlibError(
            f"fixup converts torchvision's ResNet, not {type(model).__name__}; "
            "build other networks from FixupBlock"
        )
    stages = [model.layer1, model.layer2, model.layer3, model.layer4]
    blocks = [block for stage in stages for block in stage]
    for block in blocks:
        if type(block) not in (BasicBlock, Bottleneck):
            raise NormlibError(
                f"a residual block of this ResNet is a {type(block).__name__}; fixup knows "
                "torchvision's BasicBlock and Bottleneck, once"
            )
    for stage in stages:
        for i, block in enumerate(stage):
            names = ("conv1", "conv2", "conv3") if type(block) is Bottleneck else ("conv1", "conv2")
            shortcut = None if block.downsample is None else block.downsample[0]
            layers = [getattr(block, name) for name in names]
            stage[i] = FixupBlock(layers, len(blocks), shortcut, block.relu)
    weight = model.fc.weight
    model.bn1 = Shift(weight.device, weight.dtype)
    model.avgpool = nn.Sequential(model.avgpool, Shift(weight.device, weight.dtype))
    nn.init.zeros_(weight)
    nn.init.zeros_(model.fc.bias)
    converted: nn.Module = model.train(model.training)  # the new modules, too
    return converted
