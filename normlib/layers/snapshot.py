"""The value of a buffer now, for a backward pass that comes after the buffer has moved.

A compiler that saves memory computes cheap values again in the backward pass. For a value read
from a buffer that the forward pass moves afterwards, torch's then reads the moved buffer, and the
gradients are silently wrong (seen with 2.13; https://github.com/pytorch/pytorch/pull/197039). It
does not look into an operator of our own, and keeps its result.
"""

import torch
from torch import Tensor


def snapshot(value: Tensor) -> Tensor:
    """Return a copy of ``value``, without gradient, that a compiler keeps for the backward pass."""
    if torch.compiler.is_compiling():
        copied: Tensor = _opaque_copy(value)
        return copied
    return value.detach().clone()


@torch.library.custom_op("normlib::snapshot", mutates_args=())
def _opaque_copy(value: Tensor) -> Tensor:
    return value.detach().clone()


@_opaque_copy.register_fake
def _(value: Tensor) -> Tensor:
    return torch.empty_like(value)
