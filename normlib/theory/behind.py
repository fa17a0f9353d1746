"""A method behind a small convolution: where its invariances and its scale are measured."""

from torch import Tensor, nn, no_grad

from normlib.methods import Method


def behind(
    method: Method,
    weight: Tensor,
    x: Tensor,
    *,
    padding: int = 0,
    eps: float | None = None,
    groups: int | None = None,
) -> nn.Sequential:
    """Return a convolution without bias, and the method behind it or on its weight.

    Args:
        method: Of the catalogue.
        weight: The filters (O, I, K, K), which are what the method normalizes if it is one on
            weights; then the convolution's own weight is what becomes of them.
        x: An input (N, I, H, W), for its height and width.
        padding: Of the convolution.
        eps: Added to the variance; None for the method's default.
        groups: Of channels; None for the method's default.
    """
    filters, channels, *kernel = weight.shape
    height, breadth = (n - k + 1 + 2 * padding for n, k in zip(x.shape[2:], kernel, strict=True))
    conv = nn.Conv2d(channels, filters, kernel[0], padding=padding, bias=False, dtype=weight.dtype)
    method.apply_to(conv)
    with no_grad():
        direction(conv).copy_(weight)
    layer = method.build((filters, height, breadth), eps=eps, groups=groups).to(weight.dtype)
    return nn.Sequential(conv, layer)


def direction(module: nn.Module) -> nn.Parameter:
    """Return the weight of a layer, or what a method on weights normalizes to make it.

    Not the length or the gain that may be learned beside it.
    """
    named = ("original1", "original", "weight")
    return next(p for name, p in module.named_parameters() if name.endswith(named))


def set_eps(network: nn.Module, eps: float) -> None:
    """Give every module with an ``eps`` this one, also where its layer would refuse it."""
    for module in network.modules():
        if isinstance(getattr(module, "eps", None), float):
            module.eps = eps  # type: ignore[assignment]  # to mypy a module's attributes are tensors
