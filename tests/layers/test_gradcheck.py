"""Finite differences: the backward is the derivative of the forward, and so is its backward."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.autograd import gradcheck, gradgradcheck
from torch.func import functional_call

from tests.layers.table import CASES, SUBJECT, Case


def _as_function(module: nn.Module, x: Tensor) -> tuple[object, tuple[Tensor, ...]]:
    """The module as a function of its input and parameters; buffers stay where they are."""
    names = [name for name, _ in module.named_parameters()]
    values = [p.detach().clone().requires_grad_() for p in module.parameters()]

    def call(x: Tensor, *parameters: Tensor) -> Tensor:
        return functional_call(module, dict(zip(names, parameters, strict=True)), (x,))

    return call, (x.detach().requires_grad_(), *values)


@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_first_derivative(case: Case, training: bool) -> None:
    function, inputs = _as_function(case.build(SUBJECT, training=training), case.input())
    assert gradcheck(function, inputs, check_undefined_grad=True, check_batched_grad=True)


@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_second_derivative(case: Case, training: bool) -> None:
    function, inputs = _as_function(case.build(SUBJECT, training=training), case.input())
    assert gradgradcheck(function, inputs, check_batched_grad=True, fast_mode=True)


ONE_OF_EACH = [c for c in CASES if c.name in {
    "BatchNorm2d", "LayerNorm-image", "GroupNorm-2d", "InstanceNorm2d-affine", "RMSNorm-eps"
}]  # fmt: skip


@pytest.mark.parametrize("case", ONE_OF_EACH, ids=str)
def test_second_derivative_in_full(case: Case) -> None:
    """Every entry, not one random direction as above."""
    function, inputs = _as_function(case.build(SUBJECT), case.input())
    assert gradgradcheck(function, inputs)


@pytest.mark.parametrize("case", ONE_OF_EACH, ids=str)
@pytest.mark.parametrize("frozen", ["input", "weight", "bias"])
def test_a_frozen_input_or_parameter(case: Case, frozen: str) -> None:
    """Gradients of the others stay right when one of them needs none."""
    module = case.build(SUBJECT)
    function, inputs = _as_function(module, case.input())
    names = ["input", *dict(module.named_parameters())]
    if frozen not in names:
        return
    inputs[names.index(frozen)].requires_grad_(False)
    assert gradcheck(function, inputs)
    assert gradgradcheck(function, inputs, fast_mode=True)


@pytest.mark.parametrize("case", ONE_OF_EACH, ids=str)
def test_third_derivative(case: Case) -> None:
    """The backward is made of differentiable operations, so there is no last order. (torch's own
    third derivatives of BatchNorm, LayerNorm and InstanceNorm fail this.)"""
    module, x = case.build(SUBJECT), case.input().requires_grad_()
    w = torch.linspace(-1, 2, x.numel(), dtype=x.dtype).reshape(x.shape)

    def gradient(x: Tensor) -> Tensor:
        return torch.autograd.grad(module(x), x, w, create_graph=True)[0]

    assert gradgradcheck(gradient, x, fast_mode=True)
