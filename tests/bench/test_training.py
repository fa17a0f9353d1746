import importlib.util
from pathlib import Path

import numpy as np
import pytest

from normlib.bench import training
from normlib.datasets import MissingDatasetError

NAMES = {key: key for key in ("ours", "compiled", "script", "keras", "scripts")}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    training.write_data(tmp_path / "images.npz", 500)
    return tmp_path / "images.npz"


def test_the_plans_network_with_batch_norm_is_timed() -> None:
    timed = training.experiment()
    assert (timed.model, timed.norm, timed.batch_size, timed.precision) == (
        "cnn",
        "batch",
        100,
        "float32",
    )


def test_data_of_any_size_can_be_had(data: Path) -> None:
    with np.load(data) as arrays:
        assert arrays["images"].shape == (500, 28, 28)
        assert arrays["images"].dtype == arrays["labels"].dtype == np.uint8
        assert set(arrays["labels"]) == set(range(10))


def test_without_the_data_set_random_images_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(*_: object) -> None:
        raise MissingDatasetError("none")

    monkeypatch.setattr(training, "load", missing)
    assert training.write_data(tmp_path / "x.npz", 30).startswith("random images")
    with np.load(tmp_path / "x.npz") as arrays:
        assert arrays["images"].shape == (30, 28, 28)


def test_goals_stand_on_what_is_compared_without_a_compiler() -> None:
    rates = {"ours": 8000.0, "compiled": 9000.0, "script": 3000.0, "keras": 3500.0, "scripts": 4e3}
    found = training.results(rates, NAMES)
    assert {(r.name.split()[-1], r.peer_name): r.goal for r in found} == {
        ("ours", "script"): 2.0,
        ("ours", "keras"): 2.0,
        ("ours", "scripts"): None,
        ("compiled", "script"): None,
        ("compiled", "keras"): None,
        ("compiled", "scripts"): None,
    }
    assert found[0].ratio == pytest.approx(8 / 3)


def test_without_a_compiler_there_is_no_compiled_row() -> None:
    found = training.results({"ours": 2.0, "script": 1.0, "keras": 1.0, "scripts": 1.0}, NAMES)
    assert len(found) == 3


def test_workers_have_one_thread_and_peers_the_users_own_environment(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    chosen = training.contenders(data, 1, 2)
    assert chosen["ours"].environment["OMP_NUM_THREADS"] == "1"
    assert "OMP_NUM_THREADS" not in chosen["script"].environment
    assert not any(name.startswith("MALLOC_") for name in chosen["keras"].environment)
    assert [len(chosen[key].commands) for key in ("ours", "script", "keras", "scripts")] == [
        2,
        1,
        1,
        2,
    ]


@pytest.mark.parametrize("contender", ["ours", "script", "keras"])
def test_each_way_to_train_gives_a_rate(
    contender: str, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if contender == "keras" and importlib.util.find_spec("tensorflow") is None:
        pytest.skip("TensorFlow is not installed; it has no build for this Python")
    assert training.contenders(data, 2, 3)[contender].rate(50) > 0
