"""Which runs of a plan are there: how many of each cell, to which epoch, computed on what."""

from collections import Counter
from collections.abc import Iterable

import pandas as pd

from normlib.records import Experiment, Record

COLUMNS = (
    "model",
    "batch_size",
    "epochs",
    "norm",
    "planned",
    "recorded",
    "seeds",
    "diverged",
    "devices",
)


def coverage(experiments: Iterable[Experiment], records: Iterable[Record]) -> pd.DataFrame:
    """Return one row per model, batch size, number of epochs and norm of ``experiments``.

    ``planned`` and ``recorded`` count runs, ``seeds`` are those recorded, ``diverged`` counts the
    runs that stopped early since they diverged, ``devices`` counts runs by what computed them. A
    record of another experiment does not count; a longer run is another experiment.
    """
    found = {record.key: record for record in records}
    rows: dict[tuple[str, int, int, str], list[Experiment]] = {}
    for run in dict.fromkeys(experiments):
        cell = (run.model, run.batch_size, run.epochs, run.norm)
        rows.setdefault(cell, []).append(run)
    made = []
    for cell, planned in rows.items():
        there = [found[run.key] for run in planned if run.key in found]
        made.append(
            (
                *cell,
                len(planned),
                len(there),
                tuple(sorted(record.experiment.seed for record in there)),
                sum(record.status == "diverged" for record in there),
                dict(Counter(device(record) for record in there)),
            )
        )
    return pd.DataFrame(made, columns=list(COLUMNS))


def device(record: Record) -> str:
    """Return what computed a record: a GPU's name, or the processor's with its threads."""
    environment = record.environment
    if environment["device"] != "cpu":
        return str(environment["device"])
    threads = environment["threads"]
    return f"{environment['cpu']}, {threads} {'thread' if threads == 1 else 'threads'}"
