"""Methods on weights: each norm's task goes to the weight of the layer before it."""

import copy
from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn.utils import parametrize

from normlib.errors import NormlibError
from normlib.methods import Method
from normlib.surgery.example import Example
from normlib.surgery.flow import feeds
from normlib.surgery.norms import Norm, core


def into_weights(
    model: nn.Module,
    chosen: Sequence[Norm],
    method: Method,
    example: Example | None,
    keep_affine: bool,
) -> None:
    """Normalize the weights of the layers whose outputs the norms read, in place.

    Raises:
        NormlibError: a norm reads something else, or a weight cannot be normalized; then nothing
            is changed.
    """
    found = feeds(model, example)
    before: dict[nn.Module, Norm] = {}
    for norm in chosen:
        feed = found.get(norm.module)
        if feed is None:
            raise NormlibError(f"{norm} is not called in evaluation; leave it out: {norm.without}")
        for layer in feed.before:
            if layer is None:
                raise NormlibError(
                    f"{norm} reads {feed.source}, not the output of a convolution or linear "
                    f"layer whose weight could be normalized instead; leave it out with "
                    f"{norm.without}, or choose a method on activations"
                )
            before.setdefault(layer, norm)
    for layer, norm in before.items():
        _refuse_weight(norm, layer, method)
    for layer, norm in before.items():
        method.apply_to(layer)
        _shift_by(layer, core(norm.module), keep_affine)


def _refuse_weight(norm: Norm, layer: nn.Module, method: Method) -> None:
    if parametrize.is_parametrized(layer):
        raise NormlibError(
            f"the layer before {norm} is parametrized already; remove that "
            f"(torch.nn.utils.parametrize.remove_parametrizations), or {norm.without}"
        )
    try:
        method.apply_to(copy.deepcopy(layer))
    except (NormlibError, ValueError, RuntimeError) as error:
        raise NormlibError(f"the layer before {norm}: {error}; or {norm.without}") from error


def _shift_by(layer: nn.Module, norm: nn.Module, keep_affine: bool) -> None:
    beta, weight = getattr(norm, "bias", None), layer.weight
    if getattr(layer, "bias", None) is not None or not isinstance(beta, Tensor):
        return
    assert isinstance(weight, Tensor)
    outputs = int(getattr(layer, "out_channels", 0) or getattr(layer, "out_features", 0))
    shift = weight.new_zeros(outputs).detach()
    if keep_affine and beta.numel() == outputs:
        shift.copy_(beta.detach().reshape(-1))
    layer.bias = nn.Parameter(shift)
