"""Convolution of images no larger than its kernel, by the taps that reach them.

The last stage of a ResNet has one position for images of 32x32. Of the nine taps of a kernel 3x3
eight meet nothing but padding there: they add zeros, and their gradients are zero. What is left is
a product of matrices.
"""

from torch import Tensor, nn
from torch.nn import functional as F


class Conv2d(nn.Conv2d):
    """`torch.nn.Conv2d`; an output of a single position is made by a product of matrices.

    ``y = W[:, :, p:, p:] x[:, :, :k-p, :k-p]`` for a kernel ``k`` and padding ``p``, cut to the
    size of ``x``. Equal but for rounding to what torch.nn computes, a tap that is left out having
    a gradient of exactly zero in both.

    Shape:
        (N, C, H, W), and as torch's out.
    """

    def _conv_forward(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        if not self._reaches_once(input):
            whole: Tensor = super()._conv_forward(input, weight, bias)
            return whole
        assert not isinstance(self.padding, str)
        x, taps = input.permute(0, 2, 3, 1), weight.permute(0, 2, 3, 1)  # as channels_last lies
        for d, p in enumerate(self.padding, start=1):
            reached = min(taps.shape[d] - p, x.shape[d])
            x, taps = x.narrow(d, 0, reached), taps.narrow(d, p, reached)
        y: Tensor = F.linear(x.flatten(1), taps.flatten(1), bias)
        return y[:, :, None, None]

    def _reaches_once(self, x: Tensor) -> bool:
        """Whether the output has one position, and nothing else is out of the ordinary."""
        return (
            x.dim() == 4
            and self.groups == 1
            and self.dilation == (1, 1)
            and self.padding_mode == "zeros"
            and not isinstance(self.padding, str)
            and all(
                p < k and n > 0 and 0 <= n + 2 * p - k < s
                for n, k, s, p in zip(
                    x.shape[2:], self.kernel_size, self.stride, self.padding, strict=True
                )
            )
        )


def with_reaching(model: nn.Module) -> nn.Module:
    """Exchange each plain ``torch.nn.Conv2d`` of ``model`` in place, parameters kept; return it."""
    for name, conv in list(model.named_modules()):
        if type(conv) is nn.Conv2d:
            parent, _, child = name.rpartition(".")
            model.get_submodule(parent).register_module(child, _reaching(conv))
    return model


def _reaching(conv: nn.Conv2d) -> Conv2d:
    # torch's stubs call the four pairs tuples of any length, and take pairs only.
    made = Conv2d(
        conv.in_channels,
        conv.out_channels,
        conv.kernel_size,  # type: ignore[arg-type]
        conv.stride,  # type: ignore[arg-type]
        conv.padding,  # type: ignore[arg-type]
        conv.dilation,  # type: ignore[arg-type]
        conv.groups,
        conv.bias is not None,
        conv.padding_mode,
        device="meta",  # nothing is drawn
    )
    made.weight, made.bias = conv.weight, conv.bias
    return made.train(conv.training)
