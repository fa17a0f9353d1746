"""What is recorded, and when it is replayed; a stand-in plays the part of the GPU."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor

from normlib.engine import captured, training
from normlib.engine.captured import WARM, Captured
from normlib.engine.probes import Probes
from normlib.records import Experiment


class Graph:
    """Like a CUDA graph, it does again what was done while it was recorded."""

    def __init__(self) -> None:
        self.recorded: list[Callable[[], None]] = []

    def replay(self) -> None:
        for act in self.recorded:
            act()


class Updates:
    """Counts what it is called with; while recording it executes nothing, as a GPU does not."""

    def __init__(self) -> None:
        self.seen: list[list[int]] = []
        self.recording: Graph | None = None
        self.called = 0

    def __call__(self, chosen: Tensor) -> None:
        self.called += 1
        if self.recording is None:
            self.seen.append(chosen.tolist())
        else:
            self.recording.recorded.append(lambda: self.seen.append(chosen.tolist()))


@pytest.fixture
def updates(monkeypatch: pytest.MonkeyPatch) -> Updates:
    found = Updates()

    @contextlib.contextmanager
    def recording(graph: Graph, stream: Any) -> Iterator[None]:
        found.recording = graph
        yield
        found.recording = None

    monkeypatch.setattr(captured.torch.cuda, "CUDAGraph", Graph)
    monkeypatch.setattr(captured.torch.cuda, "graph", recording)
    monkeypatch.setattr(captured.torch.cuda, "current_stream", lambda: None)
    return found


def test_every_update_is_made_once_and_in_order(updates: Updates) -> None:
    update = Captured(updates, size=2)
    batches = [[2 * i, 2 * i + 1] for i in range(WARM + 5)]
    batches.insert(WARM + 2, [99])  # an epoch's last
    for batch in batches:
        update(torch.tensor(batch))
    assert updates.seen == batches
    assert updates.called == WARM + 2, "to warm up, the short batch, and once to record"


def test_a_run_of_short_batches_records_nothing(updates: Updates) -> None:
    update = Captured(updates, size=3)
    for _ in range(2 * WARM):
        update(torch.tensor([1, 2]))
    assert len(updates.seen) == updates.called == 2 * WARM


@pytest.mark.parametrize(
    ("norm", "probes", "mode"),
    [("batch", (), "captured"), ("batch", ("steps",), "eager"), ("decorrelated", (), "eager")],
)
def test_what_waits_for_the_device_is_not_recorded(
    norm: str, probes: tuple[str, ...], mode: str
) -> None:
    run = Experiment(norm=norm)
    assert training._mode(run, torch.device("cuda"), False, Probes(probes, run)) == mode
    assert training._mode(run, torch.device("cpu"), False, Probes(probes, run)) == "eager"


def test_the_callers_indices_are_not_kept(updates: Updates) -> None:
    update = Captured(updates, size=1)
    for number in range(WARM + 2):
        chosen = torch.tensor([number])
        update(chosen)
        chosen.fill_(-1)
    assert updates.seen == [[number] for number in range(WARM + 2)]
