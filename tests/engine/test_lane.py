"""Runs that take turns: each has the bits that it has alone, and its own random numbers."""

from pathlib import Path

import numpy as np
import pytest
import torch

from normlib.datasets import load
from normlib.engine import Interrupted, train
from normlib.engine.lane import Lane
from normlib.engine.processor import processor
from normlib.engine.recording import clock
from normlib.engine.resident import Resident
from normlib.engine.training import steps
from normlib.records import Experiment, Record

TINY = Experiment(dataset="synthetic-gray", width=8, hidden=16, epochs=2, batch_size=50)
RESNET18 = Experiment(
    dataset="synthetic-color",
    model="resnet18",
    initialization="torchvision",
    optimizer="adam",
    learning_rate=0.001,
    epochs=2,
    batch_size=20,
    train_size=50,
)
TOGETHER = (
    TINY.replace(norm="batch"),
    TINY.replace(norm="noisy"),  # these two draw random numbers all the time
    TINY.replace(norm="noisy", seed=1, epochs=3),
    RESNET18.replace(norm="batch-minus"),
)
CPU = torch.device("cpu")


def results(record: Record) -> dict[str, list[float | int | None]]:
    return {name: column for name, column in record.history.items() if name != "seconds"}


def saved(path: Path) -> dict[str, np.ndarray]:
    with np.load(path, allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files if name != "__meta__"}


def equal(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> bool:
    return one.keys() == other.keys() and all(
        a.dtype == other[name].dtype and a.tobytes() == other[name].tobytes()
        for name, a in one.items()
    )


def in_turn(lanes: list[Lane]) -> list[Record | None]:
    """Advance them in turn until all have ended; None for one that was interrupted."""
    ended: dict[int, Record | None] = {}
    while len(ended) < len(lanes):
        for number, lane in enumerate(lanes):
            if number in ended:
                continue
            try:
                record = lane.advance()
            except Interrupted:
                ended[number] = None
            else:
                if record is not None:
                    ended[number] = record
    return [ended[number] for number in range(len(lanes))]


def together(
    folder: Path, every: float = 0.0, stop_after: int | None = None
) -> list[Record | None]:
    with processor(1), torch.random.fork_rng():
        lanes = []
        for run in TOGETHER:
            done: list[int] = []
            generator = steps(
                run,
                CPU,
                checkpoint=folder / f"{run.key}.npz",
                checkpoint_every=every,
                on_epoch=lambda epoch, values, done=done: done.append(epoch),
                should_stop=lambda done=done: len(done) == stop_after,
            )
            lanes.append(Lane(generator, CPU))
        return in_turn(lanes)


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Record], Path]:
    folder = tmp_path_factory.mktemp("alone")
    return [train(run, checkpoint=folder / f"{run.key}.npz") for run in TOGETHER], folder


def test_taking_turns_changes_no_bit(alone: tuple[list[Record], Path], tmp_path: Path) -> None:
    """Neither of the histories nor of parameters, running averages and the optimizer's tensors."""
    records, folder = alone
    for whole, found in zip(records, together(tmp_path), strict=True):
        assert found is not None
        assert results(found) == results(whole)
        assert found.environment == whole.environment
        file = f"{whole.key}.npz"
        assert equal(saved(tmp_path / file), saved(folder / file))


def test_interrupted_in_turn_and_resumed_in_turn(
    alone: tuple[list[Record], Path], tmp_path: Path
) -> None:
    """At a stop a checkpoint is saved, however long ago the last one was due."""
    records, folder = alone
    assert together(tmp_path, every=1e9, stop_after=1) == [None] * len(TOGETHER)
    for whole, found in zip(records, together(tmp_path), strict=True):
        assert found is not None
        assert results(found) == results(whole)
        file = f"{whole.key}.npz"
        assert equal(saved(tmp_path / file), saved(folder / file))


def test_no_checkpoint_before_it_is_due(tmp_path: Path) -> None:
    with processor(1), torch.random.fork_rng():
        generator = steps(TINY, CPU, checkpoint=tmp_path / "run.npz", checkpoint_every=1e9)
        assert in_turn([Lane(generator, CPU)])[0] is not None
    assert list(tmp_path.iterdir()) == []


def test_a_run_that_is_given_up_leaves_the_others_alone() -> None:
    alone = train(TINY.replace(norm="noisy"))
    with processor(1), torch.random.fork_rng():
        lanes = [Lane(steps(TINY.replace(norm="noisy", seed=s), CPU), CPU) for s in (0, 1)]
        for _ in range(3):
            assert [lane.advance() for lane in lanes] == [None, None]
        lanes[1].close()
        record = in_turn(lanes[:1])[0]
    assert record is not None
    assert results(record) == results(alone)


def test_a_data_set_is_on_a_device_once_and_mapped_images_are_not_copied() -> None:
    data = load("synthetic-gray", "train")
    first, second = (Resident(data, CPU, TINY.replace(seed=seed)) for seed in (0, 1))
    assert first.images.data_ptr() == second.images.data_ptr() == data.images.ctypes.data
    assert first.labels is second.labels


def test_an_epochs_seconds_come_from_the_given_clock() -> None:
    ticks = iter(range(100))
    with processor(1), torch.random.fork_rng():
        generator = steps(TINY, CPU, seconds=lambda: float(next(ticks)))
        record = in_turn([Lane(generator, CPU)])[0]
    assert record is not None
    assert record.history["seconds"] == [1.0, 1.0]
    assert clock("cpu", 1)() >= 0


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
def test_on_a_gpu_runs_side_by_side_agree_with_runs_alone() -> None:
    experiment = RESNET18.replace(train_size=200, epochs=3)
    runs = [
        experiment.replace(norm=norm, seed=seed) for norm in ("batch", "none") for seed in (0, 1)
    ]
    cuda = torch.device("cuda")
    alone = [train(run, device="cuda") for run in runs]
    with processor(1, cuda), torch.random.fork_rng():
        found = in_turn([Lane(steps(run, cuda), cuda) for run in runs])
    for whole, record in zip(alone, found, strict=True):
        assert record is not None
        assert record.environment["mode"] == "captured"
        losses = [r.history["train_loss_running"] for r in (whole, record)]
        np.testing.assert_allclose(*losses, rtol=0.05)
