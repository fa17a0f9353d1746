"""Records as one file for other programs."""

import base64
import csv
import dataclasses
import io
import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from normlib import atomic
from normlib.records.experiment import Experiment
from normlib.records.record import Record
from normlib.records.schema import OPTIONAL, REQUIRED, RecordError
from normlib.records.store import Problem, Store, Stored, StoreError

COLUMNS = (
    "key",
    "name",
    "status",
    *(field.name for field in dataclasses.fields(Experiment)),
    *REQUIRED,
    *OPTIONAL,
    "device",
    "cpu",
    "commit",
)

PACKED = "packed"
"""Beside a record's own fields: the content of its file of arrays."""


@dataclass(frozen=True)
class Exported:
    """How many records and rows a file got, and which records it did not get."""

    records: int
    rows: int
    problems: tuple[Problem, ...] = ()


def export(store: Store, path: Path, among: Collection[str] | None = None) -> Exported:
    """Write the records of ``store`` to ``path``, or only those with a key ``among`` these.

    ``.csv``: tidy, a row per run and epoch, empty where there is no value; of several records of
    one run that which a plan takes. ``.jsonl``: every record, on a line of its own with everything,
    the arrays of probes too (in base 64), which ``adopt`` reads again; one whose arrays are lost or
    damaged is left out. Raises StoreError for another name.
    """
    if path.suffix == ".csv":
        content, done = _csv([one for one in store.scan()[0] if _wanted(one, among)])
    elif path.suffix == ".jsonl":
        content, done = _jsonl([one for one in store.stored() if _wanted(one.record, among)], store)
    else:
        raise StoreError(f"cannot export to {path.name!r:.60}; choose a .csv or .jsonl name")
    atomic.write(path, content.encode())
    return done


def _wanted(record: Record, among: Collection[str] | None) -> bool:
    return among is None or record.key in among


def _jsonl(found: Iterable[Stored], store: Store) -> tuple[str, Exported]:
    lines, problems = [], []
    for one in found:
        try:
            lines.append(json.dumps(_everything(one.record, store), allow_nan=False) + "\n")
        except RecordError as error:
            problems.append(Problem(one.path, f"it is left out: {error}"))
    return "".join(lines), Exported(len(lines), len(lines), tuple(problems))


def _everything(record: Record, store: Store) -> dict[str, Any]:
    if record.arrays is None:
        return record.to_dict()
    return {**record.to_dict(), PACKED: base64.b64encode(store.packed_of(record)).decode()}


def _csv(records: Sequence[Record]) -> tuple[str, Exported]:
    out = io.StringIO(newline="")
    table = csv.DictWriter(out, COLUMNS, lineterminator="\n", restval="")
    table.writeheader()
    rows = 0
    for record in records:
        fixed = {
            "key": record.key,
            "name": record.experiment.name,
            "status": record.status,
            **record.experiment.to_dict(),
            "device": record.environment["device"],
            "cpu": record.environment["cpu"],
            "commit": record.code["commit"],
        }
        for at in range(len(record.history["epoch"])):
            table.writerow(fixed | {name: values[at] for name, values in record.history.items()})
            rows += 1
    return out.getvalue(), Exported(len(records), rows)
