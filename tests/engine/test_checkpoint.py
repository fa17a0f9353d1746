"""Checkpoints: the same arrays back, nothing executed, nothing half written."""

import json
import pickle
from pathlib import Path

import numpy as np
import pytest

from normlib import atomic
from normlib.engine import checkpoint
from normlib.engine.recording import History
from normlib.records import Experiment

EXPERIMENT = Experiment(dataset="synthetic-gray")
ENGINE = {"torch": "1", "threads": 1}
ARRAYS = {"weight": np.arange(6, dtype=np.float32).reshape(2, 3), "count": np.array(3)}


def saved(folder: Path) -> Path:
    path = folder / "state.npz"
    history = History({"epoch": [1], "loss": [None]})
    checkpoint.save(path, EXPERIMENT, ENGINE, ARRAYS, history, "2026-01-01T00:00:00+00:00")
    return path


def test_it_comes_back_as_it_was(tmp_path: Path) -> None:
    found = checkpoint.load(saved(tmp_path), EXPERIMENT, ENGINE)
    assert found is not None
    assert found.history.columns == {"epoch": [1], "loss": [None]}
    assert found.started == "2026-01-01T00:00:00+00:00"
    assert found.arrays.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(found.arrays[name], array, strict=True)
    assert [path.name for path in tmp_path.iterdir()] == ["state.npz"]


def test_none_yet_is_silent(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert checkpoint.load(tmp_path / "state.npz", EXPERIMENT, ENGINE) is None
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("experiment", "engine"),
    [(EXPERIMENT.replace(seed=1), ENGINE), (EXPERIMENT, ENGINE | {"torch": "2"})],
    ids=["experiment", "engine"],
)
def test_another_runs_state_is_ignored_with_a_warning(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    experiment: Experiment,
    engine: dict[str, object],
) -> None:
    assert checkpoint.load(saved(tmp_path), experiment, engine) is None
    said = capsys.readouterr().err
    assert said.startswith("warning: state.npz is ignored, it belongs to")
    assert said.count("\n") == 1


class Hostile:
    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (Path("executed"),)


def test_who_asks_is_told_what_is_brought_and_what_is_ignored(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told: list[tuple[int, str]] = []
    path = saved(tmp_path)
    for engine in (ENGINE, ENGINE | {"cpu": "another"}):
        checkpoint.load(path, EXPERIMENT, engine, lambda *what: told.append(what))
    checkpoint.load(None, EXPERIMENT, ENGINE, lambda *what: told.append(what))
    assert [epochs for epochs, _ in told] == [1, 0, 0]
    assert [ignored == "" for _, ignored in told] == [True, False, True]
    assert "cpu None then, another now; the run starts over" in told[1][1]
    assert capsys.readouterr().err == ""


def damaged(kind: str, whole: bytes) -> bytes:
    if kind == "pickle":
        return pickle.dumps(Hostile())
    return {
        "empty": b"",
        "text": b"no archive",
        "cut": whole[:-40],
        "flipped": whole[:200] + bytes(b ^ 255 for b in whole[200:260]) + whole[260:],
    }[kind]


@pytest.mark.parametrize("kind", ["empty", "text", "cut", "flipped", "pickle"])
def test_a_damaged_file_is_ignored_with_a_warning(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.chdir(tmp_path)
    path = saved(tmp_path)
    path.write_bytes(damaged(kind, path.read_bytes()))
    assert checkpoint.load(path, EXPERIMENT, ENGINE) is None
    assert capsys.readouterr().err.startswith("warning: state.npz is ignored, it cannot be read")
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize(
    "meta",
    [
        *("[]", "{}", '{"key": 1, "engine": 2, "history": 3}', "\x00"),
        '{"format": 3, "key": 1, "engine": 2, "history": {}, "started": ""}',
    ],
)
def test_damaged_notes_are_ignored_too(tmp_path: Path, meta: str) -> None:
    path = saved(tmp_path)
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files}
    arrays["__meta__"] = np.frombuffer(meta.encode(), np.uint8)
    np.savez(path, **arrays)
    assert checkpoint.load(path, EXPERIMENT, ENGINE) is None


def test_a_folder_that_cannot_be_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text(json.dumps({}))
    with pytest.raises(atomic.WriteError, match="cannot write"):
        saved(tmp_path / "file")
