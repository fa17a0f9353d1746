"""Records as one file for other programs."""

import csv
import dataclasses
import io
import json
from collections.abc import Iterable
from pathlib import Path

from normlib import atomic
from normlib.records.experiment import Experiment
from normlib.records.record import Record
from normlib.records.schema import OPTIONAL, REQUIRED
from normlib.records.store import StoreError

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


def export(records: Iterable[Record], path: Path) -> int:
    """Write ``records`` to ``path`` and return how many rows it has.

    ``.csv``: tidy, a row per run and epoch, empty where there is no value. ``.jsonl``: a record
    per line with everything, which ``adopt`` reads again.
    """
    if path.suffix == ".csv":
        content, rows = _csv(records)
    elif path.suffix == ".jsonl":
        lines = [json.dumps(record.to_dict(), allow_nan=False) for record in records]
        content, rows = "".join(line + "\n" for line in lines), len(lines)
    else:
        raise StoreError(f"cannot export to {path.name!r:.60}; choose a .csv or .jsonl name")
    atomic.write(path, content.encode())
    return rows


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
