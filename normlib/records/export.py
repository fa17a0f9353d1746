"""Records as one file for other programs."""

import base64
import csv
import dataclasses
import io
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from normlib import atomic
from normlib.records.experiment import Experiment
from normlib.records.record import Record
from normlib.records.schema import OPTIONAL, REQUIRED
from normlib.records.store import Store, StoreError

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


def export(records: Iterable[Record], path: Path, store: Store | None = None) -> int:
    """Write ``records`` to ``path`` and return how many rows it has.

    ``.csv``: tidy, a row per run and epoch, empty where there is no value. ``.jsonl``: a record
    per line with everything, which ``adopt`` reads again, the arrays of probes too (in base 64)
    if the ``store`` that has them is given.
    """
    if path.suffix == ".csv":
        content, rows = _csv(records)
    elif path.suffix == ".jsonl":
        lines = [json.dumps(_everything(one, store), allow_nan=False) for one in records]
        content, rows = "".join(line + "\n" for line in lines), len(lines)
    else:
        raise StoreError(f"cannot export to {path.name!r:.60}; choose a .csv or .jsonl name")
    atomic.write(path, content.encode())
    return rows


def _everything(record: Record, store: Store | None) -> dict[str, Any]:
    if store is None or record.arrays is None:
        return record.to_dict()
    return {**record.to_dict(), PACKED: base64.b64encode(store.packed_of(record)).decode()}


def _csv(records: Iterable[Record]) -> tuple[str, int]:
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
    return out.getvalue(), rows
