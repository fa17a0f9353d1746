"""What every sweep does until it is done, wherever its runs are computed."""

import contextlib
import queue
import signal
import threading
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any, Generic, TypeVar

from normlib.records import Experiment, Store
from normlib.sweep.cost import Costs, duration
from normlib.sweep.place import Event, Place
from normlib.sweep.progress import Progress
from normlib.sweep.queueing import Waiting

ALIKE = 3
"""So many failures in a row for the same reason, and nothing done since, end a sweep."""

SomePlace = TypeVar("SomePlace", bound=Place)


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


class Sweep(ABC, Generic[SomePlace]):
    """Runs handed to places, and what becomes of them; a budget and Ctrl-C stop it cleanly."""

    def __init__(self, todo: list[Experiment], store: Store, costs: Costs) -> None:
        self.outcome = Outcome()
        self.store = store
        self.waiting = Waiting(todo)
        self.progress = Progress(costs)
        self.places: list[SomePlace] = []
        self.events: queue.Queue[Event] = queue.Queue()
        self._todo = todo
        self._epochs: dict[str, int] = {}
        self._signals = 0
        self._reasons: deque[str] = deque(maxlen=ALIKE)  # of the last failures

    @abstractmethod
    def fill(self) -> None:
        """Hand waiting runs to places that are free."""

    def watch(self) -> None:
        """Look after the places; called several times a second."""

    def tidy(self) -> None:
        """Clear away at the end, whatever happened."""

    def run(self, budget: float | None) -> None:
        """Compute until nothing is left to do, or until it is to stop."""
        deadline = None if budget is None else time.monotonic() + budget
        self.progress.start(self._todo)
        try:
            with self._interruptible():
                while True:
                    if not self.outcome.stopped:
                        self._consider_stopping(deadline, budget)
                    self.watch()
                    if not self.outcome.stopped:
                        self.fill()
                    busy = any(place.experiment for place in self.places)
                    if not busy and (self.outcome.stopped or not self.waiting):
                        break
                    if self.hurried:
                        break
                    with contextlib.suppress(queue.Empty):
                        self.handle(self.events.get(timeout=0.2))
        finally:
            self.outcome.left += [p.experiment for p in self.places if p.experiment]
            self.outcome.left += list(self.waiting)
            for place in self.places:
                place.close(wait=0.0 if self.hurried else 5.0)
            self.progress.close()
            self.tidy()

    @property
    def hurried(self) -> bool:
        """Whether a person has asked a second time to stop."""
        return self._signals > 1

    def stop(self, why: str) -> None:
        """Begin no more runs, and end those that run at the end of their epoch."""
        self.outcome.stopped = why
        if any(place.experiment for place in self.places):
            self.progress.say(f"{why}: the current epochs are finished first")
        for place in self.places:
            place.send("stop")

    def drop(self, place: Place) -> None:
        """Do without ``place`` from now on."""
        rest = [one for one in self.places if one is not place]
        if len(rest) < len(self.places):
            self.places = rest
            place.close()

    def handle(self, event: Event) -> None:
        """Note what a place reported."""
        run, values = event.place.experiment, event.values
        if run is None or event.kind == "ready":
            return
        if event.kind == "resumed":
            self._epochs[run.key] = values["epochs"]
            self.progress.resumed(run, values["epochs"])
            if values["ignored"]:
                self.progress.say(f"{run.name}: {values['ignored']}")
        elif event.kind == "step":
            done = self._epochs.get(run.key, 0)
            self.progress.reached(run, done + values["step"] / max(values["steps"], 1))
        elif event.kind == "epoch":
            self._epochs[run.key] = values["epoch"]
            self.progress.reached(run, values["epoch"])
        else:
            event.place.experiment = None
            self.conclude(run, event.kind, values, event.place)

    def conclude(self, run: Experiment, kind: str, values: dict[str, Any], place: Place) -> None:
        """Note how a run ended."""
        if kind == "saved":
            self._reasons.clear()
            self.outcome.recorded.append(Path(values["path"]))
            self.progress.ended(run, f"{values['status']}, {duration(values['seconds'])}")
        elif kind == "present":
            self.progress.ended(run, "recorded by another sweep meanwhile")
        elif kind == "busy":
            self.waiting.again(run, after=2.0)
        elif kind == "interrupted":
            self.outcome.left.append(run)
        else:
            error = values.get("error") or f"its worker died with exit code {values['code']}"
            # A worker that is gone could not say why: what it wrote last is all there is.
            failure = Failure(run, error, tuple(values.get("tail", place.tail)))
            self._reasons.append(error)
            self.outcome.failures.append(failure)
            self.progress.ended(run, "failed")
            self.progress.say(str(failure))

    def _consider_stopping(self, deadline: float | None, budget: float | None) -> None:
        if self._signals:
            self.stop("interrupted")
        elif deadline is not None and time.monotonic() >= deadline:
            self.stop(f"the budget of {duration(budget or 0)} is used up")
        elif len(self._reasons) == ALIKE and len(set(self._reasons)) == 1:
            self.stop(f"{ALIKE} runs failed alike")

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
