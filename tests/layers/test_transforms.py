"""torch.compile, torch.func and the framework's own tools that know normalization layers."""

from __future__ import annotations

import copy
import math
import shutil

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, jacrev, jvp, vmap

from tests.layers.measure import assert_same, differentiate, observe
from tests.layers.table import BY_NAME, CASES, SUBJECT, Case

STATELESS = [
    c
    for c in CASES
    if c.cls in ("LayerNorm", "GroupNorm", "RMSNorm")
    or (c.cls.startswith("InstanceNorm") and "tracking" not in c.name)
    or "batchstats" in c.name
]
NAMED = [
    BY_NAME[n]
    for n in ("BatchNorm2d", "BatchNorm2d-cumulative", "LayerNorm-image", "GroupNorm-2d",
              "InstanceNorm2d-affine", "InstanceNorm2d-tracking", "RMSNorm-last")
]  # fmt: skip


COMPILER = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning",  # torch's own compiler uses what torch has deprecated
    "ignore::FutureWarning",
)


@COMPILER
@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
@pytest.mark.parametrize("case", NAMED, ids=str)
def test_traced_as_one_graph(case: Case, training: bool) -> None:
    """fullgraph=True fails on any graph break; the eager backend keeps the comparison exact."""
    if training and case.kwargs.get("momentum", 0.1) is None:
        pytest.skip("1 / number of batches is a value, not a shape: torch.nn cannot do it either")
    torch.compiler.reset()
    module = case.build(SUBJECT, training=training)
    compiled = torch.compile(copy.deepcopy(module), fullgraph=True, backend="aot_eager")
    x = case.input()
    found = observe(compiled, x, second=False)
    expected = observe(module, x, second=False)
    assert_same({k.replace("_orig_mod.", ""): v for k, v in found.items()}, expected)


GROWING = {
    "BatchNorm2d": ((4,), lambda n: (3, 4, n, n)),
    "GroupNorm": ((2, 4), lambda n: (3, 4, n, n)),
    "InstanceNorm2d": ((4,), lambda n: (3, 4, n, n)),
    "LayerNorm": ((6,), lambda n: (3, n, 6)),
    "RMSNorm": ((6,), lambda n: (3, n, 6)),
}


@COMPILER
@pytest.mark.parametrize("dynamic", [None, True], ids=["found out", "said"])
@pytest.mark.parametrize("cls", GROWING)
def test_inputs_of_several_sizes_in_one_graph(cls: str, dynamic: bool | None) -> None:
    """Where sizes are symbols so are strides, which a compiler cannot sort."""
    torch.compiler.reset()
    args, shape = GROWING[cls]
    module = getattr(SUBJECT, cls)(*args)
    compiled = torch.compile(module, fullgraph=True, backend="aot_eager", dynamic=dynamic)
    for size in (5, 7):
        x = torch.linspace(-1, 3, math.prod(shape(size))).sin().reshape(shape(size))
        torch.testing.assert_close(compiled(x), module(x))


@COMPILER
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile on a CPU needs g++")
@pytest.mark.parametrize("case", [BY_NAME["BatchNorm2d"], BY_NAME["GroupNorm-2d"]], ids=str)
def test_compiled_to_machine_code(case: Case) -> None:
    torch.compiler.reset()
    module = case.build(SUBJECT)
    compiled = torch.compile(copy.deepcopy(module), fullgraph=True)
    found = observe(compiled, case.input(), second=False)
    expected = observe(module, case.input(), second=False)
    assert_same({k.replace("_orig_mod.", ""): v for k, v in found.items()}, expected)


@pytest.mark.parametrize("case", STATELESS, ids=str)
def test_vmap_over_inputs(case: Case) -> None:
    module = case.build(SUBJECT)
    x = torch.stack([case.input(seed=seed) for seed in range(3)])
    expected = torch.stack([module(row) for row in x])
    torch.testing.assert_close(vmap(module)(x), expected, rtol=1e-12, atol=1e-12)
    moved = x.movedim(0, -1)
    torch.testing.assert_close(
        vmap(module, in_dims=-1, out_dims=-1)(moved),
        expected.movedim(0, -1),
        rtol=1e-12,
        atol=1e-12,
    )


@pytest.mark.parametrize("case", NAMED, ids=str)
def test_vmap_over_parameters(case: Case) -> None:
    """An ensemble: every member's gradient at once, in eval mode so that no buffer is written."""
    members = [case.build(SUBJECT, training=False) for _ in range(3)]
    for i, member in enumerate(members):
        for p in member.parameters():
            p.data += i
    stacked, buffers = torch.func.stack_module_state(members)
    x = case.input()

    def loss(parameters: dict[str, Tensor], buffers: dict[str, Tensor]) -> Tensor:
        return functional_call(members[0], (parameters, buffers), (x,)).pow(3).sum()

    grads = vmap(grad(loss))(stacked, buffers)
    for i, member in enumerate(members):
        member(x).pow(3).sum().backward()
        for name, p in member.named_parameters():
            torch.testing.assert_close(grads[name][i], p.grad, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("case", STATELESS, ids=str)
def test_jacrev(case: Case) -> None:
    module, x = case.build(SUBJECT), case.input()
    expected = torch.autograd.functional.jacobian(case.build(nn), x)
    torch.testing.assert_close(jacrev(module)(x), expected, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize(
    "case", [c for c in STATELESS if c.name.endswith(("last", "plain"))], ids=str
)
def test_hessian_by_reverse_over_reverse(case: Case) -> None:
    def loss(module: nn.Module, x: Tensor) -> Tensor:
        return module(x).pow(3).sum()

    x = case.input()[:2]
    ours, theirs = case.build(SUBJECT), case.build(nn)
    found = jacrev(jacrev(lambda x: loss(ours, x)))(x)
    expected = torch.autograd.functional.hessian(lambda x: loss(theirs, x), x)
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("case", NAMED, ids=str)
def test_functional_call_leaves_the_module_alone(case: Case) -> None:
    module, twin = case.build(SUBJECT), case.build(nn)
    before = copy.deepcopy(module.state_dict())
    x = case.input()
    values = {k: v.detach().clone() + 0.5 for k, v in module.named_parameters()}
    buffers = {k: v.clone() for k, v in module.named_buffers()}
    theirs = {k: v.clone() for k, v in buffers.items()}
    for v in values.values():
        v.requires_grad_()
    ours = differentiate(lambda x: functional_call(module, (values, buffers), (x,)), x, values)
    expected = differentiate(lambda x: functional_call(twin, (values, theirs), (x,)), x, values)
    assert_same(ours, expected)
    for name, value in module.state_dict().items():
        assert torch.equal(value, before[name]), f"{name} was written"
    for name, value in buffers.items():
        torch.testing.assert_close(value, theirs[name], rtol=1e-12, atol=1e-12)


@COMPILER  # torch.func.jvp compiles decompositions on its first use
@pytest.mark.parametrize("case", NAMED, ids=str)
def test_forward_mode_says_that_it_is_not_there(case: Case) -> None:
    module, x = case.build(SUBJECT), case.input()
    with pytest.raises((RuntimeError, NotImplementedError), match=r"(?i)forward|jvp"):
        jvp(module, (x,), (torch.ones_like(x),))


def test_functorch_finds_our_batch_norm() -> None:
    """``replace_all_batch_norm_modules_`` looks for torch's class; vmap then works in training."""
    net = nn.Sequential(BY_NAME["BatchNorm2d"].build(SUBJECT), nn.ReLU())
    torch.func.replace_all_batch_norm_modules_(net)
    assert net[0].running_mean is None
    x = torch.stack([BY_NAME["BatchNorm2d"].input(seed=seed) for seed in range(3)])
    expected = torch.stack([net(row) for row in x])
    torch.testing.assert_close(vmap(net)(x), expected, rtol=1e-12, atol=1e-12)


def test_weight_averaging_recomputes_our_statistics() -> None:
    """``update_bn`` resets and accumulates the layers that it recognizes."""
    case = BY_NAME["BatchNorm2d"]
    batches = [case.input(seed=seed) for seed in range(4)]
    nets = [nn.Sequential(case.build(lib)) for lib in (SUBJECT, nn)]
    for net in nets:
        torch.optim.swa_utils.update_bn(batches, net)
    ours, theirs = (observe(net.eval(), batches[0]) for net in nets)
    assert_same(ours, theirs)


def test_fused_with_a_convolution() -> None:
    case = BY_NAME["BatchNorm2d"]
    conv = nn.Conv2d(3, 4, 3, dtype=torch.float64).eval()
    norm = case.build(SUBJECT, training=False)
    x = torch.linspace(-1, 1, 150, dtype=torch.float64).reshape(2, 3, 5, 5)
    fused = nn.utils.fuse_conv_bn_eval(conv, norm)
    torch.testing.assert_close(fused(x), norm(conv(x)), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("case", NAMED, ids=str)
def test_checkpointing_recomputes_the_same(case: Case) -> None:
    from torch.utils.checkpoint import checkpoint

    module, x = case.build(SUBJECT, training=False), case.input()
    parameters = dict(module.named_parameters())
    found = differentiate(
        lambda x: checkpoint(module, x, use_reentrant=False), x, parameters, second=False
    )
    assert_same(found, differentiate(module, x, parameters, second=False))
