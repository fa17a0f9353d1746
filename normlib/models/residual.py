"""torchvision's residual block without operations in place.

A norm of this library may return a view of what it has made in another order of dimensions. To
overwrite a view autograd copies the whole tensor, twice on the way back.
"""

from typing import Any

from torch import Tensor, nn


class Residual(nn.Module):
    """``relu(branch(x) + shortcut(x))``, made of the parts of torchvision's block.

    The branch is ``norm_i(conv_i(y))`` for each ``i``, with ReLU between; the shortcut is
    ``downsample``, or ``x`` itself without. Its children have torchvision's names and order.

    Args:
        block: A `torchvision.models.resnet.BasicBlock` or ``Bottleneck``.

    Shape:
        That of the block.
    """

    def __init__(self, block: Any) -> None:
        super().__init__()
        for name, child in block.named_children():
            self.register_module(name, child)
        self.relu = nn.ReLU()
        self.layers = sum(name.startswith("conv") for name, _ in block.named_children())
        self.has_shortcut = block.downsample is not None
        self.train(block.training)

    def forward(self, x: Tensor) -> Tensor:
        """Apply the block."""
        y = x
        for i in range(1, self.layers + 1):
            y = self.get_submodule(f"bn{i}")(self.get_submodule(f"conv{i}")(y))
            y = y if i == self.layers else self.relu(y)
        shortcut = self.get_submodule("downsample")(x) if self.has_shortcut else x
        out: Tensor = self.relu(y + shortcut)
        return out


def without_overwriting(model: Any) -> nn.Module:
    """Exchange the blocks of torchvision's ResNet, and its first ReLU, in place; return it."""
    from torchvision.models.resnet import BasicBlock, Bottleneck  # takes a second

    model.relu = nn.ReLU()
    for stage in (model.layer1, model.layer2, model.layer3, model.layer4):
        for i, block in enumerate(stage):
            if isinstance(block, BasicBlock | Bottleneck):
                stage[i] = Residual(block)
    exchanged: nn.Module = model
    return exchanged
