"""Runs computed by processes of this machine."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from normlib.records import Experiment, Store
from normlib.sweep import checkpoints
from normlib.sweep.cost import Costs
from normlib.sweep.loop import Outcome, Sweep
from normlib.sweep.place import Event
from normlib.sweep.probing import probes_of
from normlib.sweep.process import Process, framework_of
from normlib.sweep.todo import prepared


def compute(
    experiments: Iterable[Experiment],
    store: Store,
    *,
    workers: int | None = None,
    threads: int = 1,
    device: str = "cpu",
    budget: float | None = None,
    trainer: str | None = None,
    waiting: Path | None = None,
    reuse: bool = True,
    probes: Sequence[str] = (),
) -> Outcome:
    """Compute what ``store`` lacks of ``experiments`` and save each record as it is finished.

    A record without the arrays of ``probes`` is lacking; what any plan wants measured is measured.

    ``workers`` processes (default: one per core) of ``threads`` threads each. After ``budget``
    seconds, or at Ctrl-C, the runs stop at the end of their epoch and keep a checkpoint, from
    which the next sweep goes on. A run that fails is reported and the others go on. ``trainer``
    ("module:function") replaces the engine, for tests; ``waiting`` is the folder of checkpoints;
    without ``reuse`` every run has a process of its own.
    """
    waiting = waiting or checkpoints.folder()
    todo = prepared(experiments, store, probes, waiting)
    count = max(1, min(workers or os.cpu_count() or 1, len(todo.runs)))
    costs = Costs(todo.records, device)
    sweep = _Local(todo.runs, store, costs, waiting, threads, device, trainer, reuse, count, probes)
    if todo.runs:
        sweep.run(budget)
    return sweep.outcome


class _Local(Sweep[Process]):
    def __init__(
        self,
        todo: list[Experiment],
        store: Store,
        costs: Costs,
        folder: Path,
        threads: int,
        device: str,
        trainer: str | None,
        reuse: bool,
        count: int,
        probes: Sequence[str],
    ) -> None:
        super().__init__(todo, store, costs)
        self._folder = folder
        self._threads = threads
        self._device = device
        self._trainer = trainer
        self._reuse = reuse
        self._count = count
        self._probes = probes

    def fill(self) -> None:
        idle = [process for process in self.places if process.experiment is None]
        while self.waiting and (idle or len(self.places) < self._count):
            process = idle.pop() if idle else None
            run = self.waiting.next(process.framework if process else None)
            if run is None:
                return
            if process is not None and process.framework != framework_of(run):
                self.drop(process)
                process = None
            if process is None:
                process = Process(framework_of(run), self._threads, self._trainer, self.events)
                self.places.append(process)
            process.begin(
                run,
                folders=[str(folder.resolve()) for folder in self.store.folders],
                write_to=str(self.store.write_to.resolve()),
                checkpoints=str(self._folder.resolve()),
                device=self._device,
                threads=self._threads,
                probes=probes_of(run, self._probes),
            )

    def handle(self, event: Event) -> None:
        if event.kind == "exit":
            self.drop(event.place)
        super().handle(event)
        if not self._reuse and event.place.experiment is None:
            self.drop(event.place)

    def tidy(self) -> None:
        checkpoints.sweep_out(self._folder)  # what crashed workers left
