"""How the loops see a tensor, and whether they can."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from normlib.kernels import compiling

SMALLEST = 4096  # entries below which calling a kernel costs more than it saves


@dataclass(frozen=True)
class Layout:
    """How a contiguous tensor is seen: as ``rows`` or ``columns``, with which three sizes."""

    by_rows: bool
    shape: tuple[int, int, int]
    groups: int

    def view(self, x: Tensor) -> Any:
        """Return the tensor's memory as an array of this shape."""
        return x.detach().contiguous().numpy().reshape(self.shape)

    def parameter(self, gamma: Tensor | None, like: Tensor) -> Any:
        """Return ``gamma`` as (groups, K or C); of size 0 if there is none."""
        if gamma is None:
            return np.empty((0, 0), like.detach().numpy().dtype)
        return gamma.detach().contiguous().numpy().reshape(self.groups, self.shape[1])


def readable(*tensors: Tensor) -> bool:
    """Whether the loops can read what these tensors hold in memory, and are the ones to do it.

    They are for float32 and float64 on a CPU with one thread, outside of compilers and
    transformations, and for plain tensors only, since others (fake ones, say) may have no memory
    to look at.
    """
    return (
        compiling.njit is not None
        and not transformed(*tensors)
        and all(
            type(t) in (Tensor, nn.Parameter)
            and t.device.type == "cpu"
            and t.dtype in (torch.float32, torch.float64)
            for t in tensors
        )
        and torch.get_num_threads() == 1
    )


def transformed(*tensors: Tensor) -> bool:
    """Whether a compiler or a transformation is at work, so that values are not at hand."""
    return bool(
        torch.compiler.is_compiling()
        or torch._C._functorch.maybe_current_level() is not None
        # autograd's own batched gradients (is_grads_batched) are an older mechanism
        or any(torch._C._functorch.is_legacy_batchedtensor(t) for t in tensors)
    )


def layout_of(x: Tensor, parameters: list[Tensor | None], dims: tuple[int, ...]) -> Layout | None:
    """Return how the kernels see ``x``, or None if they do not apply.

    They apply where all are `readable` and of one type, ``x`` is contiguous, and gamma and beta
    vary together along neighbouring dimensions.
    """
    given = [p for p in parameters if p is not None]
    if (
        not readable(x, *given)
        or any(p.dtype != x.dtype or p.shape != given[0].shape for p in given)
        or x.numel() < SMALLEST
        or not x.is_contiguous()
    ):
        return None
    n, shape = x.dim(), x.shape
    varying = [d for d in range(n) if given and given[0].shape[d] > 1] or None
    first = min(dims)
    if dims == tuple(range(first, n)):
        length = math.prod(shape[first:])
        if varying is None:
            return Layout(True, (x.numel() // length, 1, length), 1)
        start, stop = varying[0], varying[-1] + 1
        inner = math.prod(shape[stop:])
        size = math.prod(shape[start:stop])
        if given[0].numel() != size or length % inner or size % (length // inner):
            return None
        per_row = length // inner
        return Layout(True, (x.numel() // length, per_row, inner), size // per_row)
    kept = [d for d in range(n) if d not in dims]
    if kept != list(range(kept[0], kept[-1] + 1)) or (varying and not set(varying) <= set(kept)):
        return None
    columns = math.prod(shape[kept[0] : kept[-1] + 1])
    if given and given[0].numel() != columns:
        return None
    before = math.prod(shape[: kept[0]])
    return Layout(False, (before, columns, x.numel() // before // columns), 1)
