"""The same values in memory laid out in every way a layer meets them."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def _channels_last(x: Tensor) -> Tensor | None:
    formats = {4: torch.channels_last, 5: torch.channels_last_3d}
    return x.contiguous(memory_format=formats[x.ndim]) if x.ndim in formats else None


def _sliced(x: Tensor) -> Tensor:
    wide = x.new_full((*x.shape[:-1], 2 * x.shape[-1]), float("nan"))  # a stray read shows
    wide[..., ::2] = x
    return wide[..., ::2]


def _cropped(x: Tensor) -> Tensor:
    wide = x.new_full((x.shape[0] + 1, *(n + 1 for n in x.shape[1:])), float("nan"))
    window = tuple(slice(1, None) for _ in x.shape)
    wide[window] = x
    return wide[window]


def _transposed(x: Tensor) -> Tensor:
    return x.transpose(0, -1).contiguous().transpose(0, -1)


def _expanded(x: Tensor) -> Tensor | None:
    if x.ndim < 3:
        return None  # one value per channel would leave nothing to normalize
    return x[:1].expand(x.shape)


LAYOUTS: dict[str, Callable[[Tensor], Tensor | None]] = {
    "contiguous": lambda x: x.contiguous(),
    "channels_last": _channels_last,
    "sliced": _sliced,
    "cropped": _cropped,
    "transposed": _transposed,
    "expanded": _expanded,
}
"""Name to layout; None where a shape has no such layout. ``expanded`` repeats the first sample."""
