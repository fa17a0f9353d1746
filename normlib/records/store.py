"""Several folders of records, read as one."""

import hashlib
import os
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from normlib import atomic, paths
from normlib.errors import NormlibError
from normlib.records import arrays
from normlib.records.experiment import Experiment
from normlib.records.fingerprint import place
from normlib.records.record import Record, canonical
from normlib.records.schema import RecordError
from normlib.records.strictjson import MOST_BYTES


class StoreError(NormlibError):
    """A store that cannot be read or written as asked."""


@dataclass(frozen=True)
class Problem:
    """A file that is not a valid record, and why."""

    path: Path
    reason: str

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}"


@dataclass(frozen=True)
class Stored:
    """A valid record and the file that holds it."""

    path: Path
    record: Record


class Store:
    """Reads every record in ``folders``; writes new ones to ``write_to``.

    A damaged or foreign file is a Problem with a name and a reason, and hides no other record.
    Of several records of one key a plan takes the first by this rule: finished before diverged,
    with arrays of probes before without, computed on a CPU before any other device, the earliest
    ``finished`` time, the file's name. For a plan that needs probes, a record without their arrays
    is as if it were not there.
    """

    def __init__(self, folders: Sequence[Path], write_to: Path) -> None:
        self.folders = tuple(dict.fromkeys(Path(folder) for folder in (*folders, write_to)))
        self.write_to = Path(write_to)
        self.problems: list[Problem] = []

    @classmethod
    def default(cls, *, adopt: bool = False) -> Self:
        """Return the store of committed, local and ``$NORMLIB_RUNS`` records.

        New records go to ``data/local/runs``, or to ``data/runs`` if ``adopt``.
        """
        committed, own = paths.data() / "runs", paths.local() / "runs"
        named = [
            Path(name) for name in os.environ.get("NORMLIB_RUNS", "").split(os.pathsep) if name
        ]
        return cls([committed, own, *named], write_to=committed if adopt else own)

    def stored(self) -> list[Stored]:
        """Return every valid record with its file, and list the others in ``problems``."""
        self.problems = []
        found = []
        for path in self._files("*/*/*.json"):
            one = read(path)
            if isinstance(one, Problem):
                self.problems.append(one)
            else:
                found.append(Stored(path, one))
        return found

    def scan(self, probes: Collection[str] = ()) -> tuple[list[Record], list[Problem]]:
        """Return the record to take of every key, sorted by key, and all problems.

        For a plan that needs ``probes``, of those records that have their arrays.
        """
        taken: dict[str, Stored] = {}
        for stored in sorted(self.stored(), key=_rank):
            if set(probes) <= set(stored.record.probes):
                taken.setdefault(stored.record.key, stored)
        return [taken[key].record for key in sorted(taken)], list(self.problems)

    def recorded(self, probes: Collection[str] = ()) -> set[str]:
        """Return the keys of the experiments with a record that has the arrays of ``probes``."""
        return keys((stored.record for stored in self.stored()), probes)

    def find(self, experiment: Experiment, probes: Collection[str] = ()) -> Record | None:
        """Return the record of ``experiment`` that a plan takes, or None.

        For a plan that needs ``probes``, one that has their arrays.
        """
        folder = f"{experiment.dataset}/{experiment.model}"
        found = []
        for path in self._files(f"{folder}/*-{experiment.key}*.json"):
            one = read(path)
            if not isinstance(one, Record) or one.key != experiment.key:
                continue
            if set(probes) <= set(one.probes):
                found.append(Stored(path, one))
        return min(found, key=_rank).record if found else None

    def save(self, record: Record) -> Path:
        """Write ``record`` and return its file; what is there already is never overwritten.

        The same results from the same environment are kept once. Another record of the same key
        gets a file of its own, whose name ends in a hash of its content. Arrays that the record
        brings along are written before it: who finds the record finds them.
        """
        path = self.path_for(record)
        if not holds(path, record):
            if record.packed is not None and record.arrays is not None:
                atomic.write(path.with_name(record.arrays["file"]), record.packed)
            atomic.write(path, record.to_json().encode())
        return path

    def arrays_of(self, record: Record) -> arrays.Arrays:
        """Return the arrays that probes left beside ``record``; empty if none did.

        Raises RecordError if they are not there, or damaged.
        """
        return {} if record.arrays is None else arrays.unpack(self.packed_of(record))

    def measured_by(self, probe: str, record: Record) -> arrays.Arrays:
        """Return those of `arrays_of` that one probe left, by its own names for them."""
        start = f"{probe}/"
        found = self.arrays_of(record)
        return {name.removeprefix(start): found[name] for name in found if name.startswith(start)}

    def packed_of(self, record: Record) -> bytes:
        """Return the content of the file of arrays that ``record`` names, like `arrays_of`."""
        assert record.arrays is not None, "it names no arrays"
        why = RecordError(f"its arrays {record.arrays['file']} are in no folder of this store")
        for folder in self.folders:
            path = folder / file_name(record)
            try:
                return arrays.read(path, record.arrays)
            except RecordError as error:
                if path.with_name(record.arrays["file"]).exists():
                    why = error
        raise why

    def path_for(self, record: Record) -> Path:
        """Return the file that holds ``record`` or that it would be written to."""
        path = self.write_to / file_name(record)
        there = sorted(path.parent.glob(f"{path.stem}*.json"))
        free = path if path not in there else self.write_to / file_name(record, distinct=True)
        return next((one for one in there if holds(one, record)), free)

    def _files(self, pattern: str) -> Iterator[Path]:
        for folder in self.folders:
            # A name that starts with a dot is a file still being written.
            yield from sorted(p for p in folder.glob(pattern) if not p.name.startswith("."))


def keys(records: Iterable[Record], probes: Collection[str] = ()) -> set[str]:
    """Return the keys of those ``records`` that have the arrays of ``probes``."""
    return {record.key for record in records if set(probes) <= set(record.probes)}


def file_name(record: Record, *, distinct: bool = False) -> Path:
    """Return ``<dataset>/<model>/<name>-<key>.json``, with a hash before the end if distinct."""
    experiment = record.experiment
    suffix = f"-{_digest(record)}" if distinct else ""
    name = f"{experiment.name}-{experiment.key}{suffix}.json"
    return Path(experiment.dataset, experiment.model, name)


def read(path: Path) -> Record | Problem:
    """Return the record in ``path``, or the Problem with it."""
    try:
        with path.open("rb") as stream:
            content = stream.read(MOST_BYTES + 1)
        record = Record.from_json(content)
    except OSError as error:
        return Problem(path, f"it cannot be read: {error.strerror or error}")
    except NormlibError as error:
        return Problem(path, str(error))
    expected = (file_name(record), file_name(record, distinct=True))
    if Path(*path.parts[-3:]) not in expected:
        return Problem(path, f"it belongs under the name {expected[0]}")
    return record


def _digest(record: Record) -> str:
    return hashlib.sha256(record.to_json().encode()).hexdigest()[:8]


def _rank(stored: Stored) -> tuple[bool, bool, bool, str, str]:
    record = stored.record
    return (
        record.status != "finished",
        not record.probes,
        record.environment["device"] != "cpu",
        record.finished,
        stored.path.name,
    )


def same_place(record: Record) -> dict[str, Any]:
    """Return the part of the environment on which the bits of a result depend."""
    return place(record.environment)


def repeatable(record: Record) -> bool:
    """Return whether a repetition in the same place must give its bits, not just nearly the same.

    It need not on a GPU, where some sums have no fixed order, nor in TensorFlow.
    """
    return record.experiment.framework != "tensorflow" and record.environment["device"] == "cpu"


def holds(path: Path, record: Record) -> bool:
    """Return whether ``path`` has this result, computed in the same place, and its arrays."""
    there = read(path) if path.exists() else None
    return (
        isinstance(there, Record)
        and canonical(same_place(there)) == canonical(same_place(record))
        and (record.arrays is None or canonical(there.arrays) == canonical(record.arrays))
        and all(
            canonical(getattr(there, field)) == canonical(getattr(record, field))
            for field in ("status", "results", "dataset")
        )
    )
