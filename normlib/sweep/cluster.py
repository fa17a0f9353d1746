"""Runs computed by the workers of a Dask cluster, their records gathered here."""

import contextlib
import queue
import signal
import time
import uuid
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from normlib.records import Experiment, Store, fingerprint
from normlib.sweep import unit
from normlib.sweep.cost import Costs, duration
from normlib.sweep.gathering import gather
from normlib.sweep.link import ClusterError, Link, LostLinkError, Offer
from normlib.sweep.loop import Outcome, Sweep
from normlib.sweep.place import Event, Place
from normlib.sweep.probing import probes_of
from normlib.sweep.seat import Seat
from normlib.sweep.todo import prepared

__all__ = ["ClusterError", "compute"]

LIVES = 6
"""So many deaths of its worker make a run a failure: it may be what kills them."""
LOOK = 1.0
"""Seconds between two looks at the cluster."""
_KILLED = (-signal.SIGKILL, -signal.SIGTERM)  # by somebody, or for its memory: not its own fault


def compute(
    experiments: Iterable[Experiment],
    store: Store,
    *,
    scheduler: str,
    workers: int | None = None,
    threads: int = 1,
    device: str = "cpu",
    budget: float | None = None,
    trainer: str | None = None,
    patience: float = 600.0,
    probes: Sequence[str] = (),
) -> Outcome:
    """Compute what ``store`` lacks of ``experiments`` on the cluster of a Dask ``scheduler``.

    As many runs at a time (at most ``workers``) as the workers have threads, ``threads`` of them
    for each; on ``device`` "cuda" as many as they offer of the resource GPU. A run whose worker
    dies is computed by another one. Records are saved here, as they are finished. A scheduler that
    is lost is waited for, with ``patience`` in seconds. Otherwise like `normlib.sweep.compute`.
    Raises ClusterError if Dask is not installed or no scheduler answers.
    """
    todo = prepared(experiments, store, probes)
    if not todo.runs:
        return Outcome()
    sweep = _Clustered(
        todo.runs,
        store,
        Costs(todo.records, device),
        scheduler=scheduler,
        most=workers or len(todo.runs),
        patience=patience,
        job={"threads": threads, "device": device, "trainer": trainer},
        done=todo.done,
        probes=probes,
    )
    sweep.run(budget)
    return sweep.outcome


class _Clustered(Sweep[Seat]):
    def __init__(
        self,
        todo: list[Experiment],
        store: Store,
        costs: Costs,
        *,
        scheduler: str,
        most: int,
        patience: float,
        job: dict[str, Any],
        done: list[str],
        probes: Sequence[str],
    ) -> None:
        super().__init__(todo, store, costs)
        self._scheduler = scheduler
        self._most = most
        self._patience = patience
        self._topic = f"normlib-{uuid.uuid4().hex}"
        self._job = {**job, "topic": self._topic}
        self._done = done
        self._probes = probes
        self._needs = {"GPU": 1} if job["device"] == "cuda" else {}
        self._offers: dict[str, Offer] = {}
        self._unfit: dict[tuple[str, str], str] = {}  # by address and data set or source
        self._source = ""
        self._deaths: Counter[str] = Counter()
        self._said = ""
        self._next_look = 0.0
        self._answered = time.monotonic()
        self._link: Link | None = self._connected()

    def fill(self) -> None:
        for seat in self.places:
            busy = sum(one.experiment is not None for one in self.places)
            if self._link is None or busy >= self._most:
                return
            if seat.experiment is not None:
                continue
            run = self.waiting.next(seat.framework)
            if run is None:
                return
            if self._why_unfit(seat.address, run) is None:
                self._begin(seat, run)
            elif all(reasons := [self._why_unfit(at, run) for at in sorted(self._offers)]):
                error = f"no worker can compute it, such as {sorted(self._offers)[0]}: {reasons[0]}"
                self.conclude(run, "failed", {"error": error}, seat)
            else:
                self.waiting.again(run, after=0.0)  # for another seat

    def watch(self) -> None:
        if time.monotonic() < self._next_look:
            return
        try:
            if self._link is None and not self.outcome.stopped:
                self._link = self._connected()
            if self._link is not None:
                self._seat(self._link.workers())
                self._answered = time.monotonic()
        except LostLinkError:
            self._lose()
        except ClusterError:
            if time.monotonic() - self._answered > self._patience:
                waited = duration(self._patience)
                self.stop(f"the scheduler at {self._scheduler} did not come back in {waited}")
        self._next_look = time.monotonic() + LOOK

    def handle(self, event: Event) -> None:
        seat, values = event.place, dict(event.values)
        assert isinstance(seat, Seat)
        if values.pop("token", seat.token) != seat.token:
            return  # of a run that it has lost since
        seat.begun = True
        if event.kind == "fetching" and seat.experiment is not None:
            self.progress.say(f"{seat.address} fetches {seat.experiment.dataset}")
        if event.kind not in ("begun", "fetching"):
            super().handle(Event(seat, event.kind, values))

    def conclude(self, run: Experiment, kind: str, values: dict[str, Any], place: Place) -> None:
        assert isinstance(place, Seat)
        if kind in ("saved", "present"):
            kind, values = gather(run, values["files"], self.store, self._measured(run))
            if kind != "failed":
                self._done.append(run.key)
            super().conclude(run, kind, values, place)
        elif kind == "unfit":
            self._unfit[place.address, values["of"]] = values["error"]
            self.progress.say(f"worker {place.address} is passed over: {values['error']}")
            self.waiting.again(run, after=0.0)
        elif kind == "died" or (kind == "exit" and values["code"] in _KILLED):
            self._bury(run, place)
        elif kind == "lost" or (kind == "interrupted" and not self.outcome.stopped):
            self.waiting.again(run, after=0.0)
        else:
            super().conclude(run, kind, values, place)

    def tidy(self) -> None:
        if self._link is None:
            return
        if not self.hurried:
            self._link.tell(unit.tidy, self._done, wait=5.0)
        self._link.close()

    def _connected(self) -> Link:
        return Link(self._scheduler, self._topic, self._hear)

    def _hear(self, message: dict[str, Any]) -> None:
        """Take what a unit tells on its way; called in a thread of Dask's."""
        values = dict(message)
        kind = values.pop("event")
        for seat in list(self.places):
            if seat.token == values["token"]:
                self.events.put(Event(seat, kind, values))

    def _seat(self, offers: dict[str, Offer]) -> None:
        """Have a seat for every share of every worker that is there, and none elsewhere."""
        assert self._link is not None
        self._offers = offers
        if self.waiting:  # as it is now: a shared checkout may be edited during a sweep
            self._source = fingerprint.source_sha256(fingerprint.PACKAGE)
        self._unfit = {of: why for of, why in self._unfit.items() if of[0] in offers}
        taken: Counter[str] = Counter()
        for seat in list(self.places):
            taken[seat.address] += 1
            gone = seat.address not in offers
            if gone and seat.experiment is not None:
                self.handle(Event(seat, "died", {}))
            if gone or not (seat.experiment is not None or offers[seat.address].running):
                self.drop(seat)
        for address, offer in offers.items():
            for _ in range(self._shares(offer) - taken[address] if offer.running else 0):
                self.places.append(Seat(address, self._link, self.events))
        if not self.places and not self.outcome.stopped:
            gpu = " --resources GPU=1" if self._needs else ""
            self._say_once(f"waiting for workers, as by: dask worker {self._scheduler}{gpu}")

    def _shares(self, offer: Offer) -> int:
        return offer.gpus if self._needs else max(1, offer.threads // self._job["threads"])

    def _begin(self, seat: Seat, run: Experiment) -> None:
        try:
            job = {**self._job, "code": self._source, "probes": self._measured(run)}
            seat.begin(run, job, self._needs)
        except LostLinkError:
            self._lose()

    def _measured(self, run: Experiment) -> tuple[str, ...]:
        return probes_of(run, self._probes)

    def _lose(self) -> None:
        """Take back what the lost scheduler's workers were to do."""
        with contextlib.suppress(queue.Empty):
            while True:  # what had reached us before
                self.handle(self.events.get_nowait())
        for seat in self.places:
            if seat.experiment is not None:
                self.waiting.again(seat.experiment, after=0.0)
                seat.experiment = None
            seat.close()
        self.places = []
        if self._link is not None:
            self._link.close()
            self._link = None
        self._said = ""
        self._say_once(f"lost the scheduler at {self._scheduler}; waiting for it to come back")

    def _why_unfit(self, address: str, run: Experiment) -> str | None:
        reasons = (self._unfit.get((address, of)) for of in ("", self._source, run.dataset))
        return next(filter(None, reasons), None)

    def _bury(self, run: Experiment, seat: Seat) -> None:
        self._deaths[run.key] += 1
        if self._deaths[run.key] >= LIVES:
            error = f"its worker died {LIVES} times; give workers more memory, then run it again"
            super().conclude(run, "failed", {"error": error}, seat)
        else:
            self.progress.say(f"{run.name}: lost with its worker {seat.address}")
            self.waiting.again(run, after=0.0)

    def _say_once(self, words: str) -> None:
        if words != self._said:
            self._said = words
            self.progress.say(words)
