"""Runs computed by processes of this machine."""

import contextlib
import os
import queue
import signal
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

from normlib import atomic
from normlib.records import Experiment, Store
from normlib.sweep import checkpoints
from normlib.sweep.cost import Costs, duration
from normlib.sweep.process import Event, Process, framework_of
from normlib.sweep.progress import Progress
from normlib.sweep.queueing import Waiting

ALIKE = 3
"""So many failures with the same reason, and nothing done since, end a sweep."""


@dataclass(frozen=True)
class Failure:
    """A run that could not be computed, why, and the worker's last words."""

    experiment: Experiment
    error: str
    tail: tuple[str, ...] = ()

    def __str__(self) -> str:
        lines = [f"{self.experiment.name}: {self.error}", *(f"  | {line}" for line in self.tail)]
        return "\n".join(lines)


@dataclass
class Outcome:
    """What a sweep has done: files of new records, failures, and what is left to do."""

    recorded: list[Path] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    left: list[Experiment] = field(default_factory=list)
    stopped: str = ""


def missing(experiments: Iterable[Experiment], store: Store) -> list[Experiment]:
    """Return the experiments without a record in ``store``, each once, in their order."""
    recorded = {record.key for record in store.scan()[0]}
    return [run for run in dict.fromkeys(experiments) if run.key not in recorded]


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
) -> Outcome:
    """Compute what ``store`` lacks of ``experiments`` and save each record as it is finished.

    ``workers`` processes (default: one per core) of ``threads`` threads each. After ``budget``
    seconds, or at Ctrl-C, the runs stop at the end of their epoch and keep a checkpoint, from
    which the next sweep goes on. A run that fails is reported and the others go on. ``trainer``
    ("module:function") replaces the engine, for tests; ``waiting`` is the folder of checkpoints;
    without ``reuse`` every run has a process of its own.
    """
    waiting = waiting or checkpoints.folder()
    records, _ = store.scan()
    recorded = {record.key for record in records}
    checkpoints.sweep_out(waiting, recorded)
    for folder in store.folders:
        atomic.remove_orphans(folder)
    todo = [run for run in dict.fromkeys(experiments) if run.key not in recorded]
    sweep = _Sweep(todo, store, Costs(records), waiting, threads, device, trainer, reuse)
    if todo:
        count = max(1, min(workers or os.cpu_count() or 1, len(todo)))
        sweep.run(count, budget)
    return sweep.outcome


class _Sweep:
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
    ) -> None:
        self.outcome = Outcome()
        self._folder = folder
        self._reuse = reuse
        self._waiting = Waiting(todo)
        self._todo = todo
        self._store = store
        self._progress = Progress(costs)
        self._threads = threads
        self._device = device
        self._trainer = trainer
        self._events: queue.Queue[Event] = queue.Queue()
        self._processes: list[Process] = []
        self._epochs: dict[str, int] = {}
        self._signals = 0
        self._alike: list[str] = []

    def run(self, count: int, budget: float | None) -> None:
        deadline = None if budget is None else time.monotonic() + budget
        self._progress.start(self._todo)
        try:
            with self._interruptible():
                while True:
                    if not self.outcome.stopped:
                        self._consider_stopping(deadline, budget)
                    if not self.outcome.stopped:
                        self._fill(count)
                    busy = any(process.experiment for process in self._processes)
                    if not busy and (self.outcome.stopped or not self._waiting):
                        break
                    if self._signals > 1:
                        break
                    with contextlib.suppress(queue.Empty):
                        self._handle(self._events.get(timeout=0.2))
        finally:
            self.outcome.left += [p.experiment for p in self._processes if p.experiment]
            self.outcome.left += list(self._waiting)
            for process in self._processes:
                process.close(wait=0.0 if self._signals > 1 else 5.0)
            self._progress.close()
            checkpoints.sweep_out(self._folder)  # what crashed workers left

    def _consider_stopping(self, deadline: float | None, budget: float | None) -> None:
        if self._signals:
            self._stop("interrupted")
        elif deadline is not None and time.monotonic() >= deadline:
            self._stop(f"the budget of {duration(budget or 0)} is used up")
        elif len(self._alike) >= ALIKE and len(set(self._alike)) == 1:
            self._stop(f"{ALIKE} runs failed alike")

    def _stop(self, why: str) -> None:
        self.outcome.stopped = why
        if any(process.experiment for process in self._processes):
            self._progress.say(f"{why}: the current epochs are finished first")
        for process in self._processes:
            process.send("stop")

    def _fill(self, count: int) -> None:
        idle = [process for process in self._processes if process.experiment is None]
        while self._waiting and (idle or len(self._processes) < count):
            process = idle.pop() if idle else None
            run = self._waiting.next(process.framework if process else None)
            if run is None:
                return
            if process is not None and process.framework != framework_of(run):
                self._processes.remove(process)
                process.close()
                process = None
            if process is None:
                process = Process(framework_of(run), self._threads, self._trainer, self._events)
                self._processes.append(process)
            process.begin(
                run,
                folders=[str(folder.resolve()) for folder in self._store.folders],
                write_to=str(self._store.write_to.resolve()),
                checkpoints=str(self._folder.resolve()),
                device=self._device,
                threads=self._threads,
            )

    def _handle(self, event: Event) -> None:
        process, run, values = event.process, event.process.experiment, event.values
        if event.kind == "exit" and process in self._processes:
            self._processes.remove(process)
            process.close()
        if run is None or event.kind == "ready":
            return
        if event.kind == "step":
            done = self._epochs.get(run.key, 0)
            self._progress.reached(run, done + values["step"] / max(values["steps"], 1))
        elif event.kind == "epoch":
            self._epochs[run.key] = values["epoch"]
            self._progress.reached(run, values["epoch"])
        else:
            process.experiment = None
            if not self._reuse and process in self._processes:
                self._processes.remove(process)
                process.close()
            self._conclude(run, event.kind, values, process)

    def _conclude(
        self, run: Experiment, kind: str, values: dict[str, Any], process: Process
    ) -> None:
        if kind == "saved":
            self._alike.clear()
            self.outcome.recorded.append(Path(values["path"]))
            self._progress.ended(run, f"{values['status']}, {duration(values['seconds'])}")
        elif kind == "present":
            self._progress.ended(run, "recorded by another sweep meanwhile")
        elif kind == "busy":
            self._waiting.again(run, after=2.0)
        elif kind == "interrupted":
            self.outcome.left.append(run)
        else:
            error = values.get("error") or f"its worker died with exit code {values['code']}"
            # A worker that is gone could not say why: what it wrote last is all there is.
            failure = Failure(run, error, tuple(values.get("tail", process.tail)))
            self._alike.append(error)
            self.outcome.failures.append(failure)
            self._progress.ended(run, "failed")
            self._progress.say(str(failure))

    @contextlib.contextmanager
    def _interruptible(self) -> Iterator[None]:
        """Count SIGINT and SIGTERM instead of dying: the first stops cleanly, the second now."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def note(number: int, frame: FrameType | None) -> None:
            self._signals += 1

        before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
