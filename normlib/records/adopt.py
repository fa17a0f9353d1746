"""Records moved from where they were computed to where they are committed."""

import base64
import dataclasses
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from normlib import atomic
from normlib.errors import NormlibError
from normlib.records import arrays, strictjson
from normlib.records.check import Known, faults
from normlib.records.export import PACKED
from normlib.records.record import Record
from normlib.records.schema import RecordError
from normlib.records.store import Problem, Store, StoreError, holds, read
from normlib.records.strictjson import MOST_BYTES


@dataclass
class Adopted:
    """Files of the records taken over, how many were there already, and what was refused."""

    paths: list[Path] = field(default_factory=list)
    already: int = 0
    problems: list[Problem] = field(default_factory=list)


def adopt(source: Path, store: Store, known: Mapping[str, Known], *, move: bool) -> Adopted:
    """Save in ``store`` every valid record of ``source``: a folder, a record, or an export.

    Valid is what `check` finds nothing wrong with, given what is ``known`` of the data sets.
    Nothing there is overwritten: another record of the same key gets a file of its own. With
    ``move`` each record file is removed once its record is safe. Raises StoreError if ``source``
    does not exist.
    """
    if not source.exists():
        raise StoreError(f"{source} does not exist; name a folder of records, or one file of them")
    done = Adopted()
    if source.suffix == ".jsonl":
        for number, line in enumerate(_lines(source), start=1):
            try:
                _save(_exported(line), None, store, known, done)
            except NormlibError as error:
                done.problems.append(Problem(source, f"line {number}: {error}"))
        return done
    files = sorted(source.rglob("*.json")) if source.is_dir() else [source]
    every = [(path, read(path)) for path in files if not path.name.startswith(".")]
    # Two records may have the same arrays, computed in two places: the last takes them along.
    uses = Counter(_arrays_of(path, found) for path, found in every if isinstance(found, Record))
    for path, found in every:
        if isinstance(found, Problem):
            done.problems.append(found)
            continue
        try:
            kept = _save(found, path, store, known, done)
        except (StoreError, RecordError) as error:
            done.problems.append(Problem(path, str(error)))
            continue
        if move and not kept.samefile(path):
            path.unlink()
            spent = _arrays_of(path, found)
            uses[spent] -= 1
            if spent is not None and not uses[spent]:
                spent.unlink()
    return done


def _exported(line: bytes) -> Record:
    """Return the record in a line of an export, with the arrays that came along."""
    try:
        # In base 64 arrays are a third longer, and the record itself is beside them.
        found = strictjson.parse(line, 2 * arrays.MOST_BYTES)
        packed = found.pop(PACKED, None) if isinstance(found, dict) else None
        content = None if packed is None else base64.b64decode(packed, validate=True)
    except (ValueError, TypeError) as error:
        raise RecordError(f"it {error}") from None
    return dataclasses.replace(Record.from_dict(found), packed=content)


def _arrays_of(path: Path, record: Record) -> Path | None:
    return path.with_name(record.arrays["file"]) if record.arrays else None


def _save(
    record: Record, path: Path | None, store: Store, known: Mapping[str, Known], done: Adopted
) -> Path:
    target = store.path_for(record)
    # An export without its arrays serves where they have arrived before.
    for wrong in faults(record, path or target, known):
        raise StoreError(wrong)
    if record.arrays is not None:
        _save_arrays(record, path or target, target.parent)
    if holds(target, record):
        done.already += 1
    else:
        done.paths.append(store.save(record))
    return target


def _save_arrays(record: Record, path: Path, folder: Path) -> None:
    """Bring the arrays along before the record that names them."""
    assert record.arrays is not None
    content = arrays.content(record.packed, path, record.arrays)
    there = folder / record.arrays["file"]
    if there.exists() and there.read_bytes() != content:
        raise StoreError(f"other arrays are already in {there}; rename yours")
    if not there.exists():
        atomic.write(there, content)


def _lines(source: Path) -> list[bytes]:
    try:
        with source.open("rb") as stream:
            content = stream.read(64 * MOST_BYTES + 1)
    except OSError as error:
        raise StoreError(f"{source} cannot be read: {error.strerror}") from None
    if len(content) > 64 * MOST_BYTES:
        raise StoreError(f"{source} is larger than {64 * MOST_BYTES // 2**30} GiB; split it")
    return [line for line in content.splitlines() if line.strip()]
