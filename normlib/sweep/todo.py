"""What a sweep has to do: the runs that its store lacks."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from normlib import atomic
from normlib.records import Experiment, Record, Store
from normlib.records.store import keys
from normlib.sweep import checkpoints
from normlib.sweep.probing import probes_of


@dataclass(frozen=True)
class Todo:
    """Runs to compute, keys of those that no plan misses, and all records, for what runs cost."""

    runs: list[Experiment]
    done: list[str]
    records: Sequence[Record]


def missing(
    experiments: Iterable[Experiment], store: Store, probes: Sequence[str] = ()
) -> list[Experiment]:
    """Return the experiments without a record in ``store``, each once, in their order.

    A record that lacks the arrays of one of the ``probes`` is none.
    """
    return _lacking(experiments, store.recorded(probes))


def prepared(
    experiments: Iterable[Experiment],
    store: Store,
    probes: Sequence[str],
    waiting: Path | None = None,
) -> Todo:
    """Return what is to be done, after removing what killed sweeps have left.

    That is files half written, and in the folder ``waiting`` checkpoints of runs that no plan
    misses: a run that is recorded for one plan may be computed again for another one's probes.
    """
    chosen = list(dict.fromkeys(experiments))
    records = [stored.record for stored in store.stored()]
    settled = _settled(records, probes)
    if waiting:
        checkpoints.sweep_out(waiting, settled)
    for folder in store.folders:
        atomic.remove_orphans(folder)
    done = [run.key for run in chosen if run.key in settled]
    return Todo(_lacking(chosen, keys(records, probes)), done, records)


def _lacking(experiments: Iterable[Experiment], recorded: Collection[str]) -> list[Experiment]:
    return [run for run in dict.fromkeys(experiments) if run.key not in recorded]


def _settled(records: Iterable[Record], probes: Sequence[str]) -> set[str]:
    """Return the keys of runs with a record that has all that is ever measured in them."""
    return {
        record.key
        for record in records
        if set(probes_of(record.experiment, probes)) <= set(record.probes)
    }
