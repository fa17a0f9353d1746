from pathlib import Path

import pytest

from normlib.bench import training, two_layers


@pytest.fixture
def data(tmp_path: Path) -> Path:
    training.write_data(tmp_path / "images.npz", 500)
    return tmp_path / "images.npz"


def test_what_is_timed_is_source_cs() -> None:
    timed = two_layers.experiment()
    assert (timed.model, timed.norm, timed.optimizer, timed.hidden) == ("mlp", "batch", "sgd", 64)


@pytest.mark.parametrize("which", [0, 1], ids=["ours", "script"])
def test_each_way_to_train_gives_a_rate(which: int, data: Path) -> None:
    assert two_layers.runs_per_minute(two_layers.contenders(data, 2, 4)[which]) > 0


def test_the_goal_is_against_the_script_as_a_user_starts_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    speeds = {"our sweep, two workers": 12.0, "PyTorch script, DataLoader with two workers": 2.0}
    monkeypatch.setattr(two_layers, "runs_per_minute", lambda one: speeds.get(one.name, 4.0))
    found = two_layers.compare(lambda line: None, warmup=1, steps=1, rounds=2)
    assert [(one.ratio, one.goal) for one in found] == [(6.0, 5.0), (3.0, None)]
