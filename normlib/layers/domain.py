"""AdaBN: to a new domain by its statistics alone; all that was learned stays."""

from collections.abc import Iterable, Iterator, Sequence

import torch
from torch import Tensor, nn

from normlib.errors import NormlibError
from normlib.layers.autodial import AutoDIAL
from normlib.layers.batch import _Batch
from normlib.layers.moments import Moments

Batches = Iterable[Tensor | Sequence[Tensor]]


class AdaBatchNorm(_Batch):
    """BatchNorm whose running averages `adapt` replaces by the statistics of a target domain.

    ``y = gamma * (x - mu) / sqrt(sigma2 + eps) + beta``: while training on the source domain it is
    BatchNorm (`BatchNorm1d`), whose state_dict it can load. Being of this class marks a layer as
    one to adapt; layers of the other classes keep their statistics.

    Args:
        num_features: Number of channels ``C``.
        eps: Added to the variance.
        momentum: Weight of the new value in the running averages, or None for their plain mean.
        affine: Whether to have a scale ``gamma`` and a shift ``beta``.

    Shape:
        (N, C) or (N, C, ...), and the same out.

    Raises:
        ValueError: fewer than two dimensions, or a single value per channel when training.

    Source: Li, Wang, Shi, Liu and Hou 2016, https://arxiv.org/abs/1603.04779
    """

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(num_features, eps, momentum, affine, True, device, dtype)

    def _check_input_dim(self, input: Tensor) -> None:
        if input.dim() < 2:
            raise ValueError(f"expected at least 2D input (got {input.dim()}D input)")


def adapt(model: nn.Module, batches: Batches) -> None:
    """Replace the statistics of a model's adaptive layers by those of a target domain.

    In every `AdaBatchNorm`, and for the target in every `AutoDIAL`, the running mean and variance
    become mean and biased variance of the layer's input over all of ``batches``: the model in
    evaluation then treats the target domain as it would in training, given all of it as one batch.
    How it is divided into batches makes no difference.

    What reaches a layer depends on the statistics of those before it. Therefore the layers are
    adapted one after the other, in the order in which the model calls them, with one pass over
    the batches for each. A layer that is called more than once per pass takes all calls together;
    one that is not called keeps its statistics. Nothing else changes: neither parameters, nor
    other buffers, nor which modules are in training mode. If something fails, no statistics are
    changed either.

    Args:
        model: Any model with such layers, called with one batch at a time.
        batches: Target batches, which every pass must find the same: a list, or a DataLoader
            without random augmentation. Each is a tensor, or a sequence that starts with it, such
            as (images, labels).

    Raises:
        NormlibError: the model has no such layer, there is no batch or only one value of a
            channel, ``batches`` can be passed over only once, or is itself a tensor.

    Source: Li, Wang, Shi, Liu and Hou 2016, https://arxiv.org/abs/1603.04779
    """
    layers = [m for m in model.modules() if isinstance(m, AdaBatchNorm | AutoDIAL)]
    _check(model, layers, batches)
    modes = {module: module.training for module in model.modules()}
    before = [[buffer.clone() for buffer in _target_buffers(layer)] for layer in layers]
    try:
        model.eval()
        with torch.no_grad():
            for layer in _as_called(model, layers, batches):
                _set(layer, _over_all(model, layer, batches))
    except BaseException:
        for layer, statistics in zip(layers, before, strict=True):
            _set(layer, statistics)
        raise
    finally:
        for module, training in modes.items():
            module.training = training


def _check(model: nn.Module, layers: list[AdaBatchNorm | AutoDIAL], batches: Batches) -> None:
    if not layers:
        raise NormlibError(
            f"this {type(model).__name__} has neither AdaBatchNorm nor AutoDIAL layers to adapt"
        )
    if any(isinstance(layer, AutoDIAL) and layer.domains is not None for layer in layers):
        raise NormlibError("adapt takes target batches only; call it outside of `domains`")
    if isinstance(batches, Tensor):
        raise NormlibError("batches is a tensor; give a list of batches, of this one: [batch]")
    if isinstance(batches, Iterator):
        raise NormlibError(
            f"adapt passes over the batches once per layer, and a {type(batches).__name__} is "
            "spent after once; give a list or a DataLoader"
        )


def _target_buffers(layer: AdaBatchNorm | AutoDIAL) -> tuple[Tensor, Tensor]:
    prefix = "target_" if isinstance(layer, AutoDIAL) else ""
    return layer.get_buffer(f"{prefix}running_mean"), layer.get_buffer(f"{prefix}running_var")


def _set(layer: AdaBatchNorm | AutoDIAL, statistics: Sequence[Tensor]) -> None:
    with torch.no_grad():
        for buffer, value in zip(_target_buffers(layer), statistics, strict=True):
            buffer.copy_(value)


def _as_called(
    model: nn.Module, layers: list[AdaBatchNorm | AutoDIAL], batches: Batches
) -> list[AdaBatchNorm | AutoDIAL]:
    """Return those of ``layers`` that the model calls, in this order."""
    called: dict[AdaBatchNorm | AutoDIAL, None] = {}
    hooks = [
        layer.register_forward_pre_hook(lambda layer, args: called.update({layer: None}))
        for layer in layers
    ]
    try:
        for batch in batches:
            model(_input(batch))
            return list(called)
    finally:
        for hook in hooks:
            hook.remove()
    raise NormlibError("there are no target batches to take statistics of")


def _over_all(
    model: nn.Module, layer: AdaBatchNorm | AutoDIAL, batches: Batches
) -> tuple[Tensor, Tensor]:
    """Return mean and biased variance of the layer's input over all batches, in float64."""
    moments = Moments()
    hook = layer.register_forward_pre_hook(lambda layer, args: moments.add(args[0]))
    try:
        for batch in batches:
            model(_input(batch))
    finally:
        hook.remove()
    if moments.count < 2:
        raise NormlibError("the target batches hold one value per channel; give more of them")
    return moments.mean, moments.squares / moments.count


def _input(batch: Tensor | Sequence[Tensor]) -> Tensor:
    return batch if isinstance(batch, Tensor) else batch[0]
