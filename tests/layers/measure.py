"""Everything a comparison looks at: outputs, first and second derivatives, running statistics."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from tests.layers.layouts import LAYOUTS

Named = dict[str, Tensor]


def seeded(x: Tensor, seed: int) -> Tensor:
    """Normal noise of the shape and type of ``x``, the same for every module."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(x.shape, generator=generator, dtype=torch.float64).to(x.dtype)


def differentiate(
    module: Callable[[Tensor], Tensor],
    x: Tensor,
    parameters: Mapping[str, Tensor],
    *,
    second: bool = True,
    layout: str = "contiguous",
) -> Named:
    """Output, first and second derivatives of ``module`` at ``x``.

    First: of <w, y> for a fixed normal w, by x and by the parameters. A sum of the outputs would
    prove nothing, its gradient is zero. Second: of the first ones' inner product with fixed
    normal tensors, by x, w and the parameters.
    """
    x = x.detach().requires_grad_()
    inputs = {"input": x, **parameters}
    y = module(x)
    laid_out = LAYOUTS[layout](seeded(y, 11))
    w = (seeded(y, 11) if laid_out is None else laid_out).requires_grad_()
    firsts = torch.autograd.grad(y, list(inputs.values()), w, create_graph=second)
    found = {"output": y, **{f"d {k}": g for k, g in zip(inputs, firsts, strict=True)}}
    if second:
        inner = sum((g * seeded(g, 21 + i)).sum() for i, g in enumerate(firsts))
        inputs["cotangent"] = w
        seconds = torch.autograd.grad(
            inner, list(inputs.values()), allow_unused=True, materialize_grads=True
        )
        found |= {f"dd {k}": g for k, g in zip(inputs, seconds, strict=True)}
    return {name: value.detach() for name, value in found.items()}


def observe(
    module: nn.Module, x: Tensor, *, second: bool = True, layout: str = "contiguous"
) -> Named:
    """``differentiate`` for a module, and its buffers after the call."""
    found = differentiate(module, x, dict(module.named_parameters()), second=second, layout=layout)
    return found | {f"buffer {k}": v.detach().clone() for k, v in module.named_buffers()}


def relative_error(ours: Tensor, theirs: Tensor) -> float:
    """max |ours - theirs| / max |theirs|: the acceptance's measure of a difference."""
    assert ours.shape == theirs.shape, f"shape {tuple(ours.shape)} is not {tuple(theirs.shape)}"
    assert ours.dtype == theirs.dtype, f"dtype {ours.dtype} is not {theirs.dtype}"
    if theirs.numel() == 0:
        return 0.0
    assert torch.isfinite(theirs).all(), "the expected value is not finite"
    assert torch.isfinite(ours).all(), "not finite where the expected value is"
    difference = (ours.double() - theirs.double()).abs().max().item()
    largest = theirs.double().abs().max().item()
    return difference / largest if largest > 0 else (0.0 if difference == 0 else float("inf"))


BOUNDS = {"output": 1e-12, "d": 1e-12, "buffer": 1e-12, "dd": 1e-10}
"""The acceptance's bounds in float64, by the first word of a quantity's name."""


def assert_same(ours: Named, theirs: Named) -> None:
    """Every quantity within its bound of the largest absolute value of its kind."""
    assert list(ours) == list(theirs)
    for name, expected in theirs.items():
        error = relative_error(ours[name], expected)
        bound = BOUNDS[name.split()[0]]
        assert error <= bound, f"{name}: {error:.2e} of the largest value, bound {bound:.0e}"
