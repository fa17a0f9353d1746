"""PyTorch's own module inputs (``module_db``) with the class exchanged for ours.

The checks are those of PyTorch's test of all its modules: reference functions, error inputs,
representation, pickling, in-place safety, layouts, derivatives, moving between types.
"""

from __future__ import annotations

import copy
import io
import warnings
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.autograd import gradcheck, gradgradcheck
from torch.testing import assert_close
from torch.utils._pytree import tree_map

from tests.layers.table import CLASSES, SUBJECT

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # the import of torch's test machinery warns about itself
    from torch.testing._internal.common_modules import ModuleErrorEnum, module_db

INFOS = {info.module_cls.__name__: info for info in module_db
         if info.module_cls in {getattr(nn, cls) for cls in CLASSES}}  # fmt: skip
BATCH_FREE = ("no_batch_dim", "tracking_stats_no_batch_dim")


def test_every_class_has_inputs() -> None:
    assert set(INFOS) == set(CLASSES)


def _inputs(
    cls: str, training: bool, dtype: torch.dtype, requires_grad: bool = False
) -> Iterator[tuple[str, Any, Any]]:
    """Description, our module and PyTorch's ModuleInput, for each of a class's inputs."""
    info = INFOS[cls]
    torch.manual_seed(0)
    generated = info.module_inputs_func(
        info, device="cpu", dtype=dtype, requires_grad=requires_grad, training=training
    )
    for number, given in enumerate(generated):
        made = given.constructor_input
        kwargs = dict(made.kwargs, dtype=dtype)
        module = getattr(SUBJECT, cls)(*made.args, **kwargs).train(training)
        yield f"{number} {given.desc}", module, given


def _params(*, modes: bool = True) -> pytest.MarkDecorator:
    pairs = []
    for cls, info in sorted(INFOS.items()):
        for training in [True, False] if modes and info.train_and_eval_differ else [True]:
            for number in range(len(list(_inputs(cls, training, torch.float64)))):
                pairs.append((cls, training, number))
    ids = [f"{c}-{'train' if t else 'eval'}-{n}" for c, t, n in pairs]
    return pytest.mark.parametrize(("cls", "training", "number"), pairs, ids=ids)


def _pick(
    cls: str, training: bool, number: int, dtype: torch.dtype = torch.float64, grad: bool = False
) -> tuple[nn.Module, Any]:
    _, module, given = list(_inputs(cls, training, dtype, grad))[number]
    return module, given


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@_params()
def test_forward(cls: str, training: bool, number: int, dtype: torch.dtype) -> None:
    """Against PyTorch's reference function where it gives one, and against its module."""
    module, given = _pick(cls, training, number, dtype)
    theirs = getattr(nn, cls)(
        *given.constructor_input.args, **given.constructor_input.kwargs, dtype=dtype
    ).train(training)
    theirs.load_state_dict(module.state_dict())
    args = given.forward_input.args
    reference = copy.deepcopy(module)
    found = module(*copy.deepcopy(args))
    assert_close(found, theirs(*copy.deepcopy(args)))
    assert_close(dict(module.named_buffers()), dict(theirs.named_buffers()))
    if given.reference_fn is not None:
        expected = given.reference_fn(reference, *args)
        # RMSNorm's reference computes in float32 whatever the input.
        narrow = torch.float32 if cls == "RMSNorm" else dtype
        assert_close(found.to(narrow), expected.to(narrow))


@_params(modes=False)
def test_arguments_and_representation(cls: str, training: bool, number: int) -> None:
    module, given = _pick(cls, training, number)
    kwargs = given.constructor_input.kwargs
    text = repr(getattr(nn, cls)(*given.constructor_input.args, **kwargs))
    assert repr(module) == text
    for dtype in (torch.float32, torch.bfloat16):
        made = getattr(SUBJECT, cls)(*given.constructor_input.args, **kwargs, dtype=dtype)
        for value in (*made.parameters(), *made.buffers()):
            assert value.dtype in (dtype, torch.int64)
            assert value.device.type == "cpu"


@_params()
def test_pickling(cls: str, training: bool, number: int) -> None:
    module, given = _pick(cls, training, number)
    args = given.forward_input.args
    file = io.BytesIO()
    torch.save(module, file)
    file.seek(0)
    again = torch.load(file, weights_only=False)
    deep = copy.deepcopy(module)
    expected = module(*args)
    assert_close(again(*args), expected, rtol=0, atol=0)
    assert_close(deep(*args), expected, rtol=0, atol=0)
    assert_close(again.state_dict(), module.state_dict(), rtol=0, atol=0)


@_params()
def test_inputs_are_not_written(cls: str, training: bool, number: int) -> None:
    module, given = _pick(cls, training, number, grad=True)
    args = tree_map(lambda t: t.clone().detach().requires_grad_(), given.forward_input.args)
    versions = [t._version for t in args]
    y = module(*args)
    y.sum().backward()
    assert [t._version for t in args] == versions


def _strided(t: Tensor) -> Tensor:
    if t.numel() == 0 or t.ndim == 0:
        return t.detach().requires_grad_()
    wide = torch.repeat_interleave(t.detach(), 2, dim=-1)
    return wide[..., ::2].requires_grad_()


@_params()
def test_non_contiguous_tensors(cls: str, training: bool, number: int) -> None:
    """Non-contiguous input and cotangent: the same output, the same gradients."""
    module, given = _pick(cls, training, number)
    found = []
    for layout in (lambda t: t.detach().requires_grad_(), _strided):
        twin = copy.deepcopy(module)
        (x,) = (layout(t) for t in given.forward_input.args)
        y = twin(x)
        g = torch.linspace(-1, 2, y.numel(), dtype=y.dtype).reshape(y.shape)
        y.backward(_strided(g).detach() if layout is _strided else g)
        found.append((y.detach(), x.grad, [p.grad for p in twin.parameters()]))
    assert_close(found[1], found[0])


@_params()
def test_first_derivative(cls: str, training: bool, number: int) -> None:
    _derivative(gradcheck, cls, training, number)


@_params()
def test_second_derivative(cls: str, training: bool, number: int) -> None:
    _derivative(gradgradcheck, cls, training, number)


def _derivative(check: Any, cls: str, training: bool, number: int) -> None:
    module, given = _pick(cls, training, number, grad=True)
    (x,) = given.forward_input.args
    if x.shape[0] > 100:
        # PyTorch's large batches are there for its parallel kernels.
        x = x[:7].detach().requires_grad_()
    names, values = [*dict(module.named_parameters())], [*module.parameters()]

    def call(x: Tensor, *parameters: Tensor) -> Tensor:
        replaced = dict(zip(names, parameters, strict=True))
        return torch.func.functional_call(module, replaced, (x,))

    assert check(call, (x, *values), fast_mode=True)


@_params()
def test_memory_format(cls: str, training: bool, number: int) -> None:
    """Module and input in channels_last or not: the same values and gradients."""
    module, given = _pick(cls, training, number, torch.float32)
    (x,) = given.forward_input.args
    formats = {4: torch.channels_last, 5: torch.channels_last_3d}
    if x.ndim not in formats:
        return
    other = formats[x.ndim]
    weight = torch.linspace(-1, 1, x.numel()).reshape(x.shape)
    found = []
    for of_module in (torch.contiguous_format, other):
        for of_input in (torch.contiguous_format, other):
            twin = copy.deepcopy(module)
            if twin.__class__.__name__ not in ("LayerNorm", "RMSNorm"):
                twin = twin.to(memory_format=of_module)
            given_x = x.detach().contiguous(memory_format=of_input).requires_grad_()
            y = twin(given_x)
            (y * weight).sum().backward()
            found.append((y.detach(), given_x.grad, [p.grad for p in twin.parameters()]))
            if INFOS[cls].module_memformat_affects_out:
                assert y.is_contiguous(memory_format=of_input)
    for other_found in found[1:]:
        assert_close(other_found, found[0], rtol=1e-4, atol=1e-4)


@_params(modes=False)
def test_train_and_eval_differ_where_they_should(cls: str, training: bool, number: int) -> None:
    module, given = _pick(cls, True, number)
    args = given.forward_input.args
    tracking = getattr(module, "track_running_stats", False)
    if args[0].numel() == 0:
        return
    trained = copy.deepcopy(module).train()(*args)
    evaluated = copy.deepcopy(module).eval()(*args)
    assert torch.equal(trained, evaluated) != tracking


@_params()
def test_moving_between_types(cls: str, training: bool, number: int) -> None:
    module, given = _pick(cls, training, number, torch.float32)
    args = given.forward_input.args
    expected = copy.deepcopy(module)(*args)
    there_and_back = copy.deepcopy(module).double().float()
    assert_close(there_and_back(*args), expected)
    wide = copy.deepcopy(module).double()(*(t.double() for t in args))
    assert wide.dtype == torch.float64
    assert_close(wide.float(), expected, rtol=1e-4, atol=1e-5)
    empty = copy.deepcopy(module).to_empty(device="meta")
    assert all(p.is_meta for p in (*empty.parameters(), *empty.buffers()))


ERRORS = [
    (cls, error)
    for cls, info in sorted(INFOS.items())
    if info.module_error_inputs_func is not None
    for error in info.module_error_inputs_func(
        info, device="cpu", dtype=torch.float64, requires_grad=False, training=True
    )
]


@pytest.mark.parametrize(
    ("cls", "error"), ERRORS, ids=[f"{cls}-{n}" for n, (cls, _) in enumerate(ERRORS)]
)
def test_errors(cls: str, error: Any) -> None:
    given = error.module_error_input
    made = given.constructor_input
    if error.error_on == ModuleErrorEnum.CONSTRUCTION_ERROR:
        with pytest.raises(error.error_type, match=error.error_regex):
            getattr(SUBJECT, cls)(*made.args, **made.kwargs)
    else:
        module = getattr(SUBJECT, cls)(*made.args, **made.kwargs)
        with pytest.raises(error.error_type, match=error.error_regex):
            module(*given.forward_input.args)
