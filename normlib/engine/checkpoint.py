"""A run's state between epochs: one npz, written as temporary file, fsync, rename; no pickle."""

import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from normlib import atomic
from normlib.engine.recording import History
from normlib.records import Experiment
from normlib.records.fingerprint import changes

_META = "__meta__"
_FORMAT = 3
"""Raised when what is in it changes its meaning; a state of another format is not resumed."""


@dataclass(frozen=True)
class Checkpoint:
    """All that the rest of a run depends on: the state's arrays, the history, the start."""

    arrays: dict[str, NDArray[Any]]
    history: History
    started: str


def save(
    path: Path,
    experiment: Experiment,
    engine: Mapping[str, Any],
    arrays: Mapping[str, NDArray[Any]],
    history: History,
    started: str,
) -> None:
    """Write the state after the epochs in ``history``, so that a reader sees the old or the new.

    ``engine`` is what the bits depend on: versions, processor, device, threads, mode, and what
    probes measure. Another one does not resume it.
    Raises `normlib.atomic.WriteError` if the disk is full or the folder not writable.
    """
    meta = {
        "format": _FORMAT,
        "key": experiment.key,
        "engine": dict(engine),
        "history": history.columns,
        "started": started,
    }
    packed = {_META: np.frombuffer(json.dumps(meta).encode(), np.uint8)}
    with atomic.replacing(path) as temporary, temporary.open("wb") as file:
        np.savez(file, allow_pickle=False, **packed, **arrays)


def load(
    path: Path | None,
    experiment: Experiment,
    engine: Mapping[str, Any],
    on_begin: Callable[[int, str], None] | None = None,
) -> Checkpoint | None:
    """Return the state to go on from; None if there is no file, or one that does not fit.

    ``on_begin`` is told how many epochs the state brings, and why a file is ignored ("" if none
    is); without it a line on stderr says why.
    """
    found, ignored = None, ""
    if path is not None and path.exists():
        try:
            found = _fitting(path, experiment, engine)
        except ValueError as error:
            ignored = f"{path.name} is ignored, it {error}; the run starts over"
    if on_begin:
        on_begin(found.history.epochs if found else 0, ignored)
    elif ignored:
        print(f"warning: {ignored}", file=sys.stderr)
    return found


def _fitting(path: Path, experiment: Experiment, engine: Mapping[str, Any]) -> Checkpoint:
    """Return what ``path`` holds; ValueError, with a reason, if it is damaged or another's."""
    try:
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        meta = json.loads(arrays.pop(_META).tobytes())
        run = (meta.get("format"), meta["key"])
        place = dict(meta["engine"]) if run[0] == _FORMAT else {}
        state = Checkpoint(arrays, History(meta["history"]), str(meta["started"]))
    except Exception as error:  # a damaged archive can raise nearly anything
        raise ValueError(f"cannot be read ({error})") from None
    if run != (_FORMAT, experiment.key):
        raise ValueError(f"belongs to format and run {run}, not {(_FORMAT, experiment.key)}")
    if place != engine:
        raise ValueError(f"belongs to another environment: {changes(place, engine)}")
    return state
