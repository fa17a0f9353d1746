from pathlib import Path

import numpy as np
import pytest

from normlib.bench import replicas, replicas_process, resnets, step_process
from normlib.bench.replicas import Rates


@pytest.fixture
def data(tmp_path: Path) -> Path:
    resnets.write_data(tmp_path / "images.npz", 150)
    return tmp_path / "images.npz"


def test_what_is_timed_is_source_es(data: Path) -> None:
    timed = resnets.experiment("resnet50")
    assert (timed.model, timed.norm, timed.batch_size) == ("resnet50", "batch", 50)
    assert (timed.optimizer, timed.learning_rate) == ("adam", 0.001)
    with np.load(data) as arrays:
        assert arrays["images"].shape == (150, 3, 32, 32)


def test_two_workers_of_one_thread_against_the_users_own_environment(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    ours, peer = resnets.contenders("resnet18", data, 1, 2)
    assert len(ours.commands) == 2
    assert len(peer.commands) == 1
    assert ours.environment["OMP_NUM_THREADS"] == "1"
    assert peer.environment["OMP_NUM_THREADS"] == "7"


@pytest.mark.parametrize("which", [0, 1], ids=["ours", "script"])
def test_each_way_to_train_gives_a_rate(which: int, data: Path) -> None:
    assert resnets.contenders("resnet18", data, 1, 2)[which].rate(50) > 0


def test_the_engines_step_is_timed_beside_a_bare_one() -> None:
    taken = step_process.measure("resnet18", pairs=1)
    assert taken.keys() == {"ours", "bare"}
    assert min(taken.values()) > 0


def test_replicas_take_turns_on_a_cpu_too() -> None:
    rate = replicas_process.measure("resnet18", ["batch", "none"], 20, 2, 1, 1, "cpu")
    assert rate is not None
    assert rate > 0


def test_without_a_gpu_there_is_a_word_and_no_row() -> None:
    said: list[str] = []
    assert replicas.compare(said.append, networks=["resnet18"], device="cuda:99") == []
    assert said == ["no cuda:99: replicas are left out"]


def test_the_whole_table_is_projected_from_its_cells() -> None:
    """A run is 15 epochs of 50,000 images, and 20,000 evaluated at a third of the cost."""
    per_run = 15 * (50_000 + 20_000 / 3)
    rates = {
        ("resnet18", 20): Rates(per_run / 36, per_run / 360),
        ("resnet101", 50): Rates(per_run / 72, per_run / 360),
    }
    found = replicas.results(rates)
    assert [round(one.ours) for one in found[:2]] == [100, 50]
    assert [round(one.ratio) for one in found[:2]] == [10, 5]
    assert found[2].ours == pytest.approx(16 / 100 + 16 / 50)
    assert found[2].peer == pytest.approx(32 / 10)
    assert replicas.results({}) == []
