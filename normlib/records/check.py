"""Everything that can be wrong with the files of a store, found without training anything."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

from normlib.records import arrays
from normlib.records.record import Record, canonical
from normlib.records.schema import RecordError
from normlib.records.store import Problem, Store, Stored, repeatable, same_place

COMPANIONS = ("README.md", ".gitkeep", ".gitignore")


class Known(Protocol):
    """What is known of a data set, by split: how many images it has, and their content hash."""

    @property
    def sizes(self) -> Mapping[Any, int]:
        """Numbers of images."""

    @property
    def sha256(self) -> Mapping[Any, str]:
        """Content hashes of the official images and labels."""


def check(store: Store, known: Mapping[str, Known]) -> tuple[list[Stored], list[Problem]]:
    """Return the valid records of ``store`` and every problem with any of its files.

    Beyond what reading a record checks: sizes and content hashes of its data against what is
    ``known`` by the data sets' names, the arrays' files, files that are no records, and records of
    one experiment and one environment with other results.
    """
    found = store.stored()
    problems = list(store.problems)
    valid = []
    for stored in found:
        wrong = list(faults(stored.record, stored.path, known))
        problems += [Problem(stored.path, why) for why in wrong]
        if not wrong:
            valid.append(stored)
    problems += _foreign(store, found)
    problems += _contradictions(valid)
    return valid, problems


def faults(record: Record, path: Path, known: Mapping[str, Known]) -> Iterator[str]:
    """Yield what is wrong with one record in ``path``: its data, or not the arrays it claims.

    A run that diverged may have come to its end before a probe left anything.
    """
    if (data := known.get(record.experiment.dataset)) is not None:
        yield from _wrong_data(record, data)
    if record.arrays is None:
        return
    try:
        names = arrays.unpack(arrays.content(record.packed, path, record.arrays))
    except RecordError as error:
        yield str(error)
        return
    there = {array.partition("/")[0] for array in names}
    lacking = [probe for probe in record.probes if probe not in there]
    if lacking and record.status == "finished":
        yield f"its arrays lack those of probe {lacking[0]!r:.60}; compute it again"


def _wrong_data(record: Record, data: Known) -> Iterator[str]:
    run, images = record.experiment, data.sizes["train"]
    if (run.train_size or 1) > images - run.validation_size:
        yield (
            f"its train_size={run.train_size} and validation_size={run.validation_size} do not fit "
            f"into the {images} training images of {run.dataset}; no run computed it, so delete it"
        )
    for split, expected in data.sha256.items():
        sha256 = record.dataset[f"{split}_sha256"]
        if sha256 != expected:
            yield (
                f"it was computed on other {run.dataset} {split} data ({sha256[:16]}... instead of "
                f"{expected[:16]}...); compute it again on the official data"
            )


def _foreign(store: Store, found: list[Stored]) -> Iterator[Problem]:
    known = {stored.path for stored in found} | {problem.path for problem in store.problems}
    known |= {
        stored.path.with_name(stored.record.arrays["file"])
        for stored in found
        if stored.record.arrays
    }
    for folder in store.folders:
        for path in sorted(folder.rglob("*")):
            # What starts with a dot is being written by somebody at this moment.
            hidden = path.name.startswith(".") or path.name in COMPANIONS
            if not path.is_dir() and not hidden and path not in known:
                yield Problem(path, "it is no record of this store; move it elsewhere")


def _contradictions(valid: list[Stored]) -> Iterator[Problem]:
    first: dict[tuple[str, str], tuple[Path, str]] = {}
    for stored in valid:
        record = stored.record
        if not repeatable(record):
            continue  # within a tolerance only, which `normlib records verify` knows
        place = (record.key, canonical(same_place(record)))
        path, results = first.setdefault(place, (stored.path, canonical(record.results)))
        if results != canonical(record.results):
            yield Problem(
                stored.path,
                f"it contradicts {path.name}: same experiment and environment, other results; "
                "find out by `normlib records verify` which one to keep",
            )
