"""What a sweep has to do: the runs that its store lacks."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from normlib import atomic
from normlib.records import Experiment, Record, Store
from normlib.sweep import checkpoints


@dataclass(frozen=True)
class Todo:
    """Runs to compute, those that are recorded already, and all records, for what runs cost."""

    runs: list[Experiment]
    done: list[Experiment]
    records: Sequence[Record]


def missing(
    experiments: Iterable[Experiment], store: Store, probes: Sequence[str] = ()
) -> list[Experiment]:
    """Return the experiments without a record in ``store``, each once, in their order.

    A record that lacks the arrays of one of the ``probes`` is none.
    """
    recorded = store.recorded(probes)
    return [run for run in dict.fromkeys(experiments) if run.key not in recorded]


def prepared(
    experiments: Iterable[Experiment],
    store: Store,
    probes: Sequence[str],
    waiting: Path | None = None,
) -> Todo:
    """Return what is to be done, after removing what killed sweeps have left.

    That is files half written, and in the folder ``waiting`` checkpoints of recorded runs.
    """
    recorded = store.recorded(probes)
    if waiting:
        checkpoints.sweep_out(waiting, recorded)
    for folder in store.folders:
        atomic.remove_orphans(folder)
    runs: list[Experiment] = []
    done: list[Experiment] = []
    for run in dict.fromkeys(experiments):
        (done if run.key in recorded else runs).append(run)
    return Todo(runs, done, store.scan()[0])
