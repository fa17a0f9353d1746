"""The tests themselves are tested: each known mistake, planted, makes at least one of them fail."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import SimpleNamespace

import pytest
from torch import nn

from tests.layers import mistakes, test_parity, test_precision, test_properties, test_state
from tests.layers.table import CASES, CLASSES

LAYERS = ["BatchNorm2d", "BatchNorm2d-momentum", "GroupNorm-2d", "GroupNorm-1d"]


def _checks(cls: str) -> Iterator[Callable[[], None]]:
    """Tests of the suite, called as pytest calls them."""
    for case in (c for c in CASES if c.name in LAYERS and c.cls == cls):
        for training in (True, False):
            yield lambda c=case, t=training: test_parity.test_same_as_the_framework(
                c, "contiguous", t
            )
        yield lambda c=case: test_state.test_same_arguments_same_text(c)
        if cls == "BatchNorm2d":
            yield lambda c=case: test_parity.test_running_statistics_over_many_batches(c)
            yield lambda c=case: test_state.test_no_buffer_ever_holds_a_graph(c)
            for gradients in (True, False):
                yield (
                    lambda c=case, g=gradients: (
                        test_state.test_the_mode_is_training_and_not_whether_gradients_are_enabled(
                            c, g
                        )
                    )
                )
    yield lambda: test_state.test_unknown_arguments_are_refused(cls)
    yield lambda: test_properties.test_hard_float32_inputs.hypothesis.inner_test(
        cls, 3000.0, 0.01, 0, 17
    )


def _caught_by(monkeypatch: pytest.MonkeyPatch, cls: str, layer: object) -> int:
    subject = SimpleNamespace(**{name: getattr(nn, name) for name in CLASSES})
    setattr(subject, cls, layer)
    for module in (test_parity, test_precision, test_properties, test_state):
        monkeypatch.setattr(module, "SUBJECT", subject)
    caught = 0
    for check in _checks(cls):
        try:
            check()
        except (AssertionError, RuntimeError, ValueError, pytest.fail.Exception):
            caught += 1
    return caught


PLANTED = [("BatchNorm2d", name, layer) for name, layer in mistakes.BATCH_MISTAKES.items()]
PLANTED += [("GroupNorm", name, layer) for name, layer in mistakes.GROUP_MISTAKES.items()]


@pytest.mark.parametrize(("cls", "name", "layer"), PLANTED, ids=[name for _, name, _ in PLANTED])
def test_planted_mistake_is_caught(
    monkeypatch: pytest.MonkeyPatch, cls: str, name: str, layer: object
) -> None:
    assert _caught_by(monkeypatch, cls, layer) > 0


@pytest.mark.parametrize(
    ("cls", "layer"),
    [("BatchNorm2d", mistakes.PlainBatchNorm), ("GroupNorm", mistakes.PlainGroupNorm)],
)
def test_without_a_mistake_nothing_is_caught(
    monkeypatch: pytest.MonkeyPatch, cls: str, layer: object
) -> None:
    """Else the catches above would mean nothing."""
    assert _caught_by(monkeypatch, cls, _renamed(layer, cls)) == 0


def _renamed(layer: type, name: str) -> type:
    return type(name, (layer,), {})
