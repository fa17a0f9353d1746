"""Every method beside its NumPy formula; derivatives, types, manners of those torch has not."""

from __future__ import annotations

import copy
import pickle
import re
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.autograd import gradcheck, gradgradcheck
from torch.func import functional_call, vmap

from tests.layers.layouts import LAYOUTS
from tests.layers.measure import Named, observe, relative_error, seeded
from tests.layers.methods.case import SEED, MethodCase
from tests.layers.methods.core import CORE
from tests.layers.methods.gathered import CASES
from tests.layers.methods.measured import rows
from tests.layers.methods.worst import table
from tests.layers.test_operators import FORBIDDEN, Called, Dispatched
from tests.layers.test_transforms import COMPILER

BOUND = 1e-10
"""Between two ways to the same value, in float64, as a part of the largest."""
EACH = pytest.mark.parametrize("case", CASES, ids=str)


def _has_state(case: MethodCase) -> bool:
    return bool(list(case.make().buffers()))


def _differs(case: MethodCase) -> bool:
    """Whether evaluation is anything but training once more."""
    return _has_state(case) or case.random


def _name(value: MethodCase | bool) -> str:
    return ("train" if value else "eval") if isinstance(value, bool) else str(value)


BOTH = pytest.mark.parametrize(
    ("case", "training"),
    [(case, mode) for case in CASES for mode in (True, False) if mode or _differs(case)],
    ids=_name,
)
"""Every case in training, and in evaluation where that is another computation."""


def _observe(module: nn.Module, x: Tensor, layout: str = "contiguous") -> Named:
    torch.manual_seed(SEED)
    return observe(module, x, second=False, layout=layout)


def _assert_close(found: Named, expected: Named, bound: float) -> None:
    assert set(found) == set(expected)
    for name, value in expected.items():
        error = relative_error(found[name], value)
        assert error <= bound, f"{name}: {error:.1e} of the largest value, bound {bound:.0e}"


# Formula


@pytest.mark.parametrize("case", [*CORE, *CASES], ids=str)
def test_formula(case: MethodCase) -> None:
    """Output, running statistics, and gradients: of the formula's derivative or as stated."""
    for found in rows(case):
        assert found.within, found


def test_the_table_shows_what_is_wrong() -> None:
    """`python -m tests.layers.methods` prints this table of all methods."""
    case = CASES[0]
    wrong = copy.copy(case)
    object.__setattr__(wrong, "reference", lambda *args: case.reference(*args) * (1 + 1e-6))
    right, last = table(rows(case)).splitlines()[-2:]
    assert right.split()[:4] == [case.method, "1", "8", "0"]
    assert "8 comparisons of 1 cases of 1 methods, 0 out of bounds" in last
    *_, line, last = table(rows(wrong)).splitlines()
    assert line.split()[3] == "6"
    assert line.split()[4] == line.split()[6] == line.split()[7] == "1.0e-06"
    assert "6 out of bounds" in last


@pytest.mark.parametrize(
    "wrong",
    [
        lambda y, x: y.detach() + 0 * y,
        lambda y, x: (2 * y).detach() - y,
        lambda y, x: y + 1e-6 * (x - x.detach()),
    ],
    ids=["zero", "sign", "a millionth"],
)
def test_a_wrong_backward_is_seen(wrong: Callable[[Tensor, Tensor], Tensor]) -> None:
    """Of a layer whose output is right: the derivative is that of NumPy's formula."""
    case = next(c for c in CORE if c.name == "layer-channels")
    make = case.make

    def broken() -> nn.Module:
        module = make()
        inner = module.forward
        module.forward = lambda x: wrong(inner(x), x)  # type: ignore[method-assign]
        return module

    changed = copy.copy(case)
    object.__setattr__(changed, "make", broken)
    failed = {row.quantity for row in rows(changed) if not row.within}
    assert "d input" in failed
    assert "output" not in failed


# Derivatives


def _as_function(
    case: MethodCase, training: bool, x_needs: bool = True
) -> tuple[Callable[..., Tensor], tuple[Tensor, ...]]:
    """The module as a function of input and parameters, each call from the same state."""
    module = case.build(training=training)
    buffers = {name: buffer.clone() for name, buffer in module.named_buffers()}
    names = [name for name, _ in module.named_parameters()]
    values = [p.detach().clone().requires_grad_() for p in module.parameters()]

    def call(x: Tensor, *parameters: Tensor) -> Tensor:
        torch.manual_seed(SEED)
        held = {name: buffer.clone() for name, buffer in buffers.items()}
        return functional_call(module, held | dict(zip(names, parameters, strict=True)), (x,))

    return call, (case.input().requires_grad_(x_needs), *values)


@BOTH
def test_first_derivative(case: MethodCase, training: bool) -> None:
    """By finite differences; where the gradient by x is a stated one, the parameters' only."""
    function, inputs = _as_function(case, training, x_needs=not case.stated(training))
    if any(t.requires_grad for t in inputs):
        # Each entry in training; one random direction is enough for what is left.
        assert gradcheck(function, inputs, check_batched_grad=True, fast_mode=not training)


@BOTH
def test_second_derivative(case: MethodCase, training: bool) -> None:
    if case.second and not case.stated(training):
        function, inputs = _as_function(case, training)
        assert gradgradcheck(function, inputs, fast_mode=True)


# Types and memory


@pytest.mark.parametrize(
    ("dtype", "parameters"),
    [
        (torch.float32, torch.float32),
        (torch.bfloat16, torch.float32),
        (torch.float16, torch.float32),
        (torch.bfloat16, torch.bfloat16),
        (torch.float16, torch.float16),
    ],
    ids=str,
)
@BOTH
def test_narrow_types(
    case: MethodCase, training: bool, dtype: torch.dtype, parameters: torch.dtype
) -> None:
    """Beside float64 at the same rounded values: the output is rounded once, nothing else is."""
    if case.random and training:
        return  # other noise is drawn in another type
    module = case.build(dtype=parameters, training=training)
    exact = copy.deepcopy(module).double()
    x = case.input().to(dtype).requires_grad_()
    y, y_exact = module(x), exact(z := x.detach().double().requires_grad_())
    assert y.dtype == dtype
    w = seeded(y, 11)
    found = torch.autograd.grad(y, [x, *module.parameters()], w)
    expected = torch.autograd.grad(y_exact, [z, *exact.parameters()], w.double())
    unit = torch.finfo(dtype).eps
    # 1e-5: what float32 loses in the statistics of so few entries.
    assert relative_error(y.double(), y_exact) <= 0.51 * unit + 1e-5
    for ours, theirs, at in zip(found, expected, [x, *module.parameters()], strict=True):
        assert ours.dtype == at.dtype
        assert relative_error(ours.double(), theirs) <= torch.finfo(at.dtype).eps + unit + 1e-5
    for (name, buffer), truth in zip(module.named_buffers(), exact.buffers(), strict=True):
        if buffer.is_floating_point():
            bound = 2 * torch.finfo(parameters).eps + 1e-5
            assert buffer.dtype == parameters, name
            assert relative_error(buffer.double(), truth) <= bound, name
        else:
            assert torch.equal(buffer, truth), name


@pytest.mark.parametrize("layout", [name for name in LAYOUTS if name != "contiguous"])
@BOTH
def test_layouts(case: MethodCase, training: bool, layout: str) -> None:
    x = LAYOUTS[layout](case.input())
    if x is None:
        return  # no such layout of this shape
    # The gradient that arrives is laid out likewise; expanded it would be another one.
    arriving = "contiguous" if layout == "expanded" else layout
    found = _observe(case.build(training=training), x, arriving)
    expected = _observe(case.build(training=training), x.contiguous())
    _assert_close(found, expected, BOUND)


@BOTH
def test_autocast_changes_nothing(case: MethodCase, training: bool) -> None:
    """Statistics and running averages of float32 inputs stay in float32."""
    found = []
    for enabled in (True, False):
        torch.manual_seed(0)
        module = case.build(training=training).float()
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=enabled):
            found.append({"output": module(case.input().float()), **dict(module.named_buffers())})
    for name, value in found[0].items():
        assert torch.equal(value, found[1][name]), name


# Transformations


@COMPILER
@BOTH
def test_traced_as_one_graph(case: MethodCase, training: bool) -> None:
    """fullgraph=True fails on any graph break; the eager backend keeps the comparison exact."""
    torch.compiler.reset()
    module = case.build(training=training)
    compiled = torch.compile(copy.deepcopy(module), fullgraph=True, backend="aot_eager")
    found = _observe(compiled, case.input())
    found = {name.replace("_orig_mod.", ""): value for name, value in found.items()}
    _assert_close(found, _observe(module, case.input()), BOUND)


@BOTH
def test_vmap_over_inputs(case: MethodCase, training: bool) -> None:
    """Where a state stands against it, the error is torch's own; never another result."""
    x = torch.stack([case.input(seed=seed) for seed in range(3)])
    try:
        found = vmap(case.build(training=training))(x)
    except RuntimeError:
        assert training, "evaluation has no state that could stand against vmap"
        assert not case.vmap
        return
    expected = torch.stack([case.build(training=training)(one) for one in x])
    assert relative_error(found, expected) <= BOUND


def test_no_normalization_operator_of_torch() -> None:
    forbidden = re.compile(FORBIDDEN.pattern + "|local_response")
    for case in CASES:
        for training in (True, False):
            module = case.build(training=training)
            with Called() as called, Dispatched() as dispatched:
                _observe(module, case.input())
            names = called.names | dispatched.names
            assert not {n for n in names if forbidden.search(n)}, f"{case}"


# State


@EACH
def test_copies_pickles_and_state_dicts_compute_the_same(case: MethodCase) -> None:
    module = case.build()
    torch.manual_seed(SEED)
    module(case.input())
    fresh = case.make().double()
    state = module.state_dict()
    assert str(fresh.load_state_dict(state)) == "<All keys matched successfully>"
    for twin in (copy.deepcopy(module), pickle.loads(pickle.dumps(module)), fresh):
        for training in (True, False):
            x = case.input(seed=1)
            found = _observe(copy.deepcopy(twin).train(training), x)
            _assert_close(found, _observe(copy.deepcopy(module).train(training), x), 0.0)


@EACH
def test_buffers_are_updated_in_place_and_hold_no_graph(case: MethodCase) -> None:
    module = case.build()
    held = dict(module.named_buffers())
    before = {name: buffer.clone() for name, buffer in held.items()}
    x = case.input().requires_grad_()
    for _ in range(2):
        y = module(x)
        for name, buffer in module.named_buffers():
            assert buffer is held[name], name
            assert not buffer.requires_grad, name
            assert buffer.grad_fn is None, name
        (y**2).sum().backward()  # the second fails if a buffer held the first one's graph
    assert x._version == 0, "the input was written"
    if "num_batches_tracked" in held:
        assert held["num_batches_tracked"] == before["num_batches_tracked"] + 2


@EACH
def test_the_mode_is_training_and_not_whether_gradients_are_enabled(case: MethodCase) -> None:
    for training in (True, False):
        found = []
        for gradients in (True, False):
            module = case.build(training=training)
            with torch.set_grad_enabled(gradients):
                torch.manual_seed(SEED)
                y = module(case.input())
            found.append({"output": y.detach()} | dict(module.named_buffers()))
        _assert_close(*found, 1e-14)  # without a graph, products may be overwritten in place


@EACH
def test_arguments(case: MethodCase, monkeypatch: pytest.MonkeyPatch) -> None:
    """Unknown ones are refused; device and dtype arrive at every parameter and buffer."""
    cls = type(case.make())
    init = cls.__init__

    def give(**more: object) -> None:
        monkeypatch.setattr(cls, "__init__", lambda self, *a, **k: init(self, *a, **k, **more))

    give(epsilon=1e-3)
    with pytest.raises(TypeError, match="unexpected keyword argument"):
        case.make()
    monkeypatch.undo()
    if list(case.make().state_dict()):
        give(device="meta", dtype=torch.bfloat16)
        for name, value in case.make().state_dict().items():
            assert value.device.type == "meta", name
            assert value.dtype in (torch.bfloat16, torch.int64, torch.bool), name


@EACH
def test_documented(case: MethodCase) -> None:
    module = case.make()
    documentation = type(module).__doc__ or ""
    for part in ("Shape:", "Source:", "http"):
        assert part in documentation
    assert module.extra_repr() in repr(module)
    assert module.extra_repr()
