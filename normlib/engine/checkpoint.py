"""A run's state between epochs: one npz, written as temporary file, fsync, rename; no pickle."""

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from normlib import atomic
from normlib.engine.recording import History
from normlib.records import Experiment

_META = "__meta__"
_FORMAT = 2
"""Raised when the arrays change their meaning; a state of another format is not resumed."""


@dataclass(frozen=True)
class Checkpoint:
    """All that the rest of a run depends on: the state's arrays, the history, the start."""

    arrays: dict[str, NDArray[Any]]
    history: History
    started: str


def save(
    path: Path,
    experiment: Experiment,
    engine: str,
    arrays: Mapping[str, NDArray[Any]],
    history: History,
    started: str,
) -> None:
    """Write the state after the epochs in ``history``, so that a reader sees the old or the new.

    ``engine`` names the framework, version, threads and mode: another one does not resume it.
    Raises `normlib.atomic.WriteError` if the disk is full or the folder not writable.
    """
    meta = {
        "format": _FORMAT,
        "key": experiment.key,
        "engine": engine,
        "history": history.columns,
        "started": started,
    }
    packed = {_META: np.frombuffer(json.dumps(meta).encode(), np.uint8)}
    with atomic.replacing(path) as temporary, temporary.open("wb") as file:
        np.savez(file, allow_pickle=False, **packed, **arrays)


def load(path: Path, experiment: Experiment, engine: str) -> Checkpoint | None:
    """Return the state to go on from; None, with a line on stderr, if the file does not fit."""
    if not path.exists():
        return None
    try:
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        meta = json.loads(arrays.pop(_META).tobytes())
        found = (meta.get("format"), meta["key"], meta["engine"])
        history, started = History(meta["history"]), str(meta["started"])
    except Exception as error:  # a damaged archive can raise nearly anything
        _warn(path, f"it cannot be read ({error})")
        return None
    if found != (fitting := (_FORMAT, experiment.key, engine)):
        _warn(path, f"it belongs to {found}, not to {fitting}")
        return None
    return Checkpoint(arrays, history, started)


def _warn(path: Path, why: str) -> None:
    print(f"warning: {path.name} is ignored, {why}; the run starts over", file=sys.stderr)
