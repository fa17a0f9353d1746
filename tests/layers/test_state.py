"""Drop-in manners: state, copies, pickles, isinstance checks, modes; no buffer holds a graph."""

from __future__ import annotations

import copy
import io
import pickle

import pytest
import torch
from torch import nn

from tests.layers.measure import assert_same, observe
from tests.layers.table import BY_NAME, CASES, CLASSES, SUBJECT, Case

TRACKING = [c for c in CASES if "tracking" in c.name or c.cls.startswith("BatchNorm")]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_state_dict_goes_both_ways(case: Case) -> None:
    x = case.input()
    for source, target in ((SUBJECT, nn), (nn, SUBJECT)):
        trained = case.build(source)
        trained(x)
        state = trained.state_dict()
        fresh = getattr(target, case.cls)(*case.args, **case.kwargs).double()
        assert list(fresh.state_dict()) == list(state)
        assert fresh.state_dict()._metadata[""] == state._metadata[""]
        assert str(fresh.load_state_dict(state)) == "<All keys matched successfully>"
        assert_same(observe(fresh.eval(), x), observe(trained.eval(), x))


@pytest.mark.parametrize("case", CASES, ids=str)
def test_copies_and_pickles_compute_the_same(case: Case) -> None:
    module = case.build(SUBJECT)
    module(case.input())
    whole = io.BytesIO()
    torch.save(module, whole)
    whole.seek(0)
    copies = [
        copy.copy(module),
        copy.deepcopy(module),
        pickle.loads(pickle.dumps(module)),
        torch.load(whole, weights_only=False),
    ]
    expected = observe(copy.deepcopy(module), case.input(seed=1))
    for twin in copies[1:]:
        assert type(twin) is type(module)
        assert_same(observe(twin, case.input(seed=1)), expected)


@pytest.mark.parametrize("cls", CLASSES)
def test_class_relations(cls: str) -> None:
    ours, theirs = getattr(SUBJECT, cls), getattr(nn, cls)
    assert issubclass(ours, theirs)
    assert ours.__name__ == cls
    assert ours.__doc__
    assert "Example" in ours.__doc__ or "Shape" in ours.__doc__


@pytest.mark.parametrize("case", CASES, ids=str)
def test_same_arguments_same_text(case: Case) -> None:
    ours, theirs = (getattr(lib, case.cls)(*case.args, **case.kwargs) for lib in (SUBJECT, nn))
    assert repr(ours) == repr(theirs)
    assert {k: v.shape for k, v in ours.named_parameters()} == {
        k: v.shape for k, v in theirs.named_parameters()
    }
    for (name, a), (_, b) in zip(
        ours.state_dict().items(), theirs.state_dict().items(), strict=True
    ):
        assert torch.equal(a, b), f"{name} starts at other values"


@pytest.mark.parametrize("cls", CLASSES)
def test_unknown_arguments_are_refused(cls: str) -> None:
    args = next(c.args for c in CASES if c.cls == cls)
    with pytest.raises(TypeError, match="unexpected keyword argument"):
        getattr(SUBJECT, cls)(*args, epsilon=1e-3)


@pytest.mark.parametrize("cls", CLASSES)
def test_device_and_dtype_arguments(cls: str) -> None:
    args = next(c.args for c in CASES if c.cls == cls)
    layer = getattr(SUBJECT, cls)(*args, device="meta", dtype=torch.bfloat16)
    for value in (*layer.parameters(), *layer.buffers()):
        assert value.device.type == "meta"
        assert value.dtype in (torch.bfloat16, torch.int64)


@pytest.mark.parametrize("cls", CLASSES)
def test_meta_tensors_give_shapes_without_values(cls: str) -> None:
    case = next(c for c in CASES if c.cls == cls)
    layer = case.build(SUBJECT, dtype=torch.float32).to("meta")
    assert layer(torch.empty(case.shape, device="meta")).shape == case.shape


@pytest.mark.parametrize("case", TRACKING, ids=str)
def test_no_buffer_ever_holds_a_graph(case: Case) -> None:
    module = case.build(SUBJECT)
    x = case.input().requires_grad_()
    for _ in range(2):
        y = module(x)
        for name, buffer in module.named_buffers():
            assert not buffer.requires_grad, name
            assert buffer.grad_fn is None, name
        # A graph kept in a buffer would make the second of these fail.
        (g,) = torch.autograd.grad((y**2).sum(), x, create_graph=True)
        g.square().sum().backward(retain_graph=True)
    for name, buffer in module.named_buffers():
        assert buffer.grad_fn is None, name


@pytest.mark.parametrize("case", TRACKING, ids=str)
def test_buffers_are_updated_in_place(case: Case) -> None:
    """Whoever holds the buffers (a data-parallel wrapper, a shared module) sees the update."""
    module = case.build(SUBJECT)
    held = dict(module.named_buffers())
    before = {name: value.clone() for name, value in held.items()}
    module(case.input())
    for name, value in module.named_buffers():
        assert value is held[name]
        counted = case.cls.startswith("BatchNorm") or name != "num_batches_tracked"
        # torch's InstanceNorm never counts its batches; ours copies that.
        assert torch.equal(value, before[name]) != counted, name


@pytest.mark.parametrize("case", TRACKING, ids=str)
@pytest.mark.parametrize("gradients", [True, False])
def test_the_mode_is_training_and_not_whether_gradients_are_enabled(
    case: Case, gradients: bool
) -> None:
    """Attacks take gradients in eval mode; recalibration runs without them in train mode."""
    module, twin = case.build(SUBJECT), case.build(nn)
    with torch.set_grad_enabled(gradients):
        for training in (True, False):
            before = copy.deepcopy(module.state_dict())
            x = case.input(seed=3)
            y, expected = module.train(training)(x), twin.train(training)(x)
            torch.testing.assert_close(y, expected, rtol=1e-12, atol=1e-12)
            changed = any(not torch.equal(v, before[k]) for k, v in module.state_dict().items())
            assert changed == (training and bool(before) and "running_mean" in before)


def test_inference_mode() -> None:
    for case in CASES:
        module, x = case.build(SUBJECT, training=False), case.input()
        with torch.inference_mode():
            found = module(x)
        assert torch.equal(found, module(x).detach())


@pytest.mark.parametrize("case", TRACKING, ids=str)
def test_reset(case: Case) -> None:
    module = case.build(SUBJECT)
    module(case.input())
    module.reset_parameters()
    fresh = getattr(nn, case.cls)(*case.args, **case.kwargs).double()
    for name, value in module.state_dict().items():
        assert torch.equal(value, fresh.state_dict()[name]), name


def test_tracking_can_be_switched_off_and_momentum_changed() -> None:
    """Attributes are read at each call, as torch.nn reads them."""
    case = BY_NAME["BatchNorm2d"]
    changes = [
        {"momentum": 0.5}, {"momentum": None}, {"track_running_stats": False}, {"eps": 0.1},
        {"running_mean": None, "running_var": None},
    ]  # fmt: skip
    for change in changes:
        for training in (True, False):
            found = []
            for lib in (SUBJECT, nn):
                module = case.build(lib, training=training)
                for name, value in change.items():
                    setattr(module, name, value)
                try:
                    found.append(observe(module, case.input(), second=False))
                except (RuntimeError, ValueError, TypeError):
                    found.append(None)
            if found[1] is not None:
                assert_same(found[0], found[1])


def test_old_state_without_the_batch_counter_loads() -> None:
    state = nn.BatchNorm2d(4).state_dict()
    del state["num_batches_tracked"]
    state._metadata[""]["version"] = 1
    layer = SUBJECT.BatchNorm2d(4)
    layer.load_state_dict(state)
    assert layer.num_batches_tracked.item() == 0
