"""Weight normalization as a parametrization, against torch's, and its geometry."""

from __future__ import annotations

import copy
import pickle

import pytest
import torch
from torch import Tensor, nn
from torch.autograd import gradcheck, gradgradcheck
from torch.nn.utils import parametrizations, parametrize

import normlib
from normlib.errors import NormlibError
from tests.layers.measure import Named, assert_same, observe, seeded
from tests.layers.test_operators import FORBIDDEN, Called, Dispatched
from tests.layers.test_transforms import COMPILER

LAYERS = {
    "linear": (lambda: nn.Linear(5, 4), (3, 5)),
    "linear without bias": (lambda: nn.Linear(5, 4, bias=False), (3, 5)),
    "linear of one output": (lambda: nn.Linear(5, 1), (3, 5)),
    "conv1d": (lambda: nn.Conv1d(3, 4, 2), (2, 3, 5)),
    "conv2d": (lambda: nn.Conv2d(3, 4, 2), (2, 3, 4, 4)),
    "grouped conv2d": (lambda: nn.Conv2d(4, 4, 3, groups=2), (2, 4, 4, 4)),
    "conv3d": (lambda: nn.Conv3d(2, 3, 2), (2, 2, 3, 3, 3)),
    "transposed conv2d": (lambda: nn.ConvTranspose2d(3, 4, 2), (2, 3, 3, 3)),
}
# torch takes -1 for None, and so do we, since state_dicts depend on it.
DIMS = {"linear": [0, 1, -1, None], "conv2d": [0, 1, 3, -1, None], "transposed conv2d": [0, 1]}
PAIRS = [(name, dim) for name in LAYERS for dim in DIMS.get(name, [0])]
EACH = pytest.mark.parametrize(("name", "dim"), PAIRS, ids=[f"{n}-{d}" for n, d in PAIRS])


def _pair(name: str, dim: int | None, dtype: torch.dtype = torch.float64) -> tuple[nn.Module, ...]:
    torch.manual_seed(0)
    plain = LAYERS[name][0]().to(dtype)
    ours = normlib.weight_norm(copy.deepcopy(plain), dim=dim)
    theirs = parametrizations.weight_norm(copy.deepcopy(plain), dim=dim)
    with torch.no_grad():  # g away from norm(v), v away from unit length
        for module in (ours, theirs):
            for p in module.parameters():
                p.mul_(1.5).add_(seeded(p, p.numel()), alpha=0.1)
    return plain, ours, theirs


def _input(name: str, dtype: torch.dtype = torch.float64) -> Tensor:
    return seeded(torch.empty(LAYERS[name][1], dtype=dtype), 3)


class Composed(nn.Module):
    """g v / norm(v) in elementary operations. torch's fused operator is right to first order
    only: its second derivative by v fails gradgradcheck (torch 2.13, CPU)."""

    def __init__(self, dim: int | None) -> None:
        super().__init__()
        self.dim = None if dim == -1 else dim

    def forward(self, g: Tensor, v: Tensor) -> Tensor:
        others = [i for i in range(v.ndim) if i != self.dim]
        return g * v / (v * v).sum(others, keepdim=True).sqrt()


@EACH
def test_same_as_the_framework(name: str, dim: int | None) -> None:
    _, ours, theirs = _pair(name, dim)
    x = _input(name)
    found, expected = _by_weight(ours, x), _by_weight(theirs, x)
    first = [name for name in expected if not name.startswith("dd")]
    assert_same({k: found[k] for k in first}, {k: expected[k] for k in first})
    theirs.parametrizations.weight[0] = Composed(dim)
    assert_same(found, _by_weight(theirs, x))


def _by_weight(module: nn.Module, x: Tensor) -> Named:
    return observe(module, x) | {"output weight": module.weight.detach()}


@EACH
def test_nothing_changes_when_it_is_put_on(name: str, dim: int | None) -> None:
    torch.manual_seed(0)
    plain = LAYERS[name][0]().double()
    before = plain.weight.detach().clone()
    module = normlib.weight_norm(plain, dim=dim)
    assert module is plain
    torch.testing.assert_close(module.weight.detach(), before, rtol=1e-14, atol=1e-15)


@EACH
def test_parameters_and_state(name: str, dim: int | None) -> None:
    _, ours, theirs = _pair(name, dim)
    assert {k: v.shape for k, v in ours.named_parameters()} == {
        k: v.shape for k, v in theirs.named_parameters()
    }
    state = {k: v + 0.25 for k, v in theirs.state_dict().items()}
    for module in (ours, theirs):
        assert str(module.load_state_dict(state)) == "<All keys matched successfully>"
    x = _input(name)
    expected = observe(theirs, x, second=False)
    assert_same(observe(ours, x, second=False), expected)
    assert_same(observe(copy.deepcopy(ours), x, second=False), expected)


@EACH
def test_the_formula(name: str, dim: int | None) -> None:
    """w = g v / norm(v), the norm over everything but ``dim``."""
    _, module, _ = _pair(name, dim)
    originals = module.parametrizations.weight
    g, v = originals.original0, originals.original1
    if dim in (None, -1):
        norm = (v**2).sum().sqrt()
    else:
        others = [i for i in range(v.ndim) if i != dim]
        norm = (v**2).sum(others, keepdim=True).sqrt()
    torch.testing.assert_close(module.weight, g * v / norm, rtol=1e-13, atol=0)


@pytest.mark.parametrize(("name", "dim"), [("linear", 0), ("linear", 1), ("linear", None),
                                           ("conv2d", 0), ("conv2d", 1)])  # fmt: skip
def test_derivatives_by_finite_differences(name: str, dim: int | None) -> None:
    _, module, _ = _pair(name, dim)
    parametrization = module.parametrizations.weight[0]
    originals = module.parametrizations.weight
    inputs = [originals.original0, originals.original1]
    inputs = [t.detach().requires_grad_() for t in inputs]
    assert gradcheck(parametrization, inputs)
    assert gradgradcheck(parametrization, inputs)


@EACH
def test_the_gradient_is_tangent_and_shrinks_with_the_weight(name: str, dim: int | None) -> None:
    """<v, dL/dv> = 0 for every filter, and the gradient at a v is that at v over a."""
    _, module, _ = _pair(name, dim)
    x, v = _input(name), module.parametrizations.weight.original1

    def gradient() -> Tensor:
        return torch.autograd.grad(module(x).pow(3).sum(), v)[0]

    first = gradient()
    dims = [i for i in range(v.ndim) if dim in (None, -1) or i != dim]
    assert (first * v).sum(dims).abs().max() <= 1e-13 * first.abs().max() * v.norm()
    with torch.no_grad():
        v.mul_(4)
    torch.testing.assert_close(gradient() * 4, first, rtol=1e-12, atol=1e-14)


def test_no_operator_of_the_frameworks() -> None:
    for name, dim in PAIRS:
        _, module, theirs = _pair(name, dim)
        seen = []
        for layer in (module, theirs):
            with Called() as called, Dispatched() as dispatched:
                observe(layer, _input(name))
            kernels = {n for n in called.names | dispatched.names if "aten" in n or "._" in n}
            seen.append({n for n in kernels if FORBIDDEN.search(n) and "normlib" not in n})
        assert seen[0] == set()
        assert seen[1], "the framework's own is not recognized"


def test_a_weight_may_be_assigned_and_the_parametrization_removed() -> None:
    _, ours, theirs = _pair("conv2d", 0)
    new = torch.linspace(-1, 2, ours.weight.numel(), dtype=torch.float64).reshape(ours.weight.shape)
    for module in (ours, theirs):
        module.weight = new
    torch.testing.assert_close(ours.weight, new, rtol=1e-14, atol=1e-15)
    x = _input("conv2d")
    assert_same(observe(ours, x, second=False), observe(theirs, x, second=False))
    parametrize.remove_parametrizations(ours, "weight")
    assert isinstance(ours.weight, nn.Parameter)
    assert not parametrize.is_parametrized(ours)
    torch.testing.assert_close(ours.weight.detach(), new, rtol=1e-14, atol=1e-15)


def test_another_name() -> None:
    cell = normlib.weight_norm(nn.LSTMCell(3, 4), name="weight_hh")
    names = [name for name, _ in cell.named_parameters() if "weight_hh" in name]
    assert names == [f"parametrizations.weight_hh.original{i}" for i in (0, 1)]
    with pytest.raises(NormlibError, match="no_such"):
        normlib.weight_norm(nn.Linear(3, 4), name="no_such")


def test_a_vectors_entries_have_a_norm_each() -> None:
    ours, theirs = (
        lib(nn.Linear(3, 4), name="bias")
        for lib in (normlib.weight_norm, parametrizations.weight_norm)
    )
    theirs.load_state_dict(ours.state_dict())
    x = torch.ones(2, 3)
    found, expected = (
        torch.autograd.grad(m(x).square().sum(), list(m.parameters())) for m in (ours, theirs)
    )
    torch.testing.assert_close(ours(x), theirs(x))
    torch.testing.assert_close(found, expected)


def test_pickling_fails_as_torch_says_it_does() -> None:
    with pytest.raises(RuntimeError, match="parametriz"):
        pickle.dumps(normlib.weight_norm(nn.Linear(3, 4)))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16], ids=str)
def test_narrow_types(dtype: torch.dtype) -> None:
    _, ours, theirs = _pair("conv2d", 0, dtype)
    assert ours.weight.dtype == dtype
    torch.testing.assert_close(ours.weight, theirs.weight)


@COMPILER
def test_traced_as_one_graph_and_vmapped() -> None:
    torch.compiler.reset()
    _, module, _ = _pair("linear", 0)
    x = _input("linear")
    compiled = torch.compile(module, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(x), module(x), rtol=1e-13, atol=1e-13)
    torch.testing.assert_close(torch.func.vmap(module)(x), module(x), rtol=1e-13, atol=1e-13)
