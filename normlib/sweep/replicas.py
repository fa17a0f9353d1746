"""Runs that take turns in this process and share its device, for a GPU that one leaves idle."""

import contextlib
import gc
import time
import traceback
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from normlib import locks
from normlib.datasets import ImageSet, load
from normlib.engine.interrupted import Interrupted
from normlib.errors import NormlibError
from normlib.records import Experiment, Store, fingerprint
from normlib.sweep import checkpoints
from normlib.sweep.cost import Costs
from normlib.sweep.loop import Outcome, Sweep
from normlib.sweep.place import Event
from normlib.sweep.probing import probes_of
from normlib.sweep.process import framework_of
from normlib.sweep.todo import prepared

if TYPE_CHECKING:
    import torch

    from normlib.engine.lane import Lane

REPLICAS = 8
"""Unless told otherwise; more run side by side on a large GPU, each a little slower."""
TURN = 0.5
"""Seconds for which updates are made before the sweep looks at its clock and at Ctrl-C."""
CHECKPOINT_EVERY = 60.0
"""Seconds; after every epoch it would take longer than the epochs of a small network."""


def compute(
    experiments: Iterable[Experiment],
    store: Store,
    *,
    replicas: int = REPLICAS,
    device: str = "cuda",
    threads: int = 1,
    budget: float | None = None,
    waiting: Path | None = None,
    probes: Sequence[str] = (),
) -> Outcome:
    """Compute what ``store`` lacks of ``experiments``, ``replicas`` at a time, in this process.

    As `sweep.local.compute`, but the runs take turns, update by update. Each gives the bits that
    it would have given alone (on a GPU but for kernels whose sums have no order). An epoch's
    ``seconds`` are its share of the time that it took, but for its run's own evaluation.

    Raises NormlibError if there is no such device, or a run's norm is another framework's.
    """
    waiting = waiting or checkpoints.folder()
    todo = prepared(experiments, store, probes, waiting)
    foreign = [run.norm for run in todo.runs if framework_of(run) != "torch"]
    if foreign:
        raise NormlibError(
            f"norm {foreign[0]!r} is computed by TensorFlow, not by replicas; choose other runs, "
            "as by --only '^(?!tensorflow)'"
        )
    if not todo.runs:
        return Outcome()
    import torch  # takes seconds, and a sweep with nothing to do needs none

    from normlib.engine.device import usable
    from normlib.engine.processor import processor

    fingerprint.code_state()  # now, before anybody edits the source that is about to run
    where = usable(device)
    sweep = _Replicas(
        todo.runs, store, Costs(todo.records, device), waiting, threads, where, replicas, probes
    )
    with processor(threads, where), torch.random.fork_rng():
        sweep.run(budget)
    return sweep.outcome


class Shared:
    """A clock of which each of the runs at work has its share."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._last = clock()
        self._total = 0.0
        self._among = 1

    def divide(self, among: int) -> None:
        """Divide the time from now on ``among`` so many runs."""
        self()
        self._among = max(among, 1)

    def __call__(self) -> float:
        """Return the seconds counted until now."""
        now = self._clock()
        self._total += (now - self._last) / self._among
        self._last = now
        return self._total


class Replica:
    """A run that takes turns with others; a `Place`."""

    def __init__(self, experiment: Experiment) -> None:
        self.experiment: Experiment | None = experiment
        self.lane: Lane | None = None
        self.lock = contextlib.ExitStack()
        self.stopping = False
        self.reached = {"step": 0, "steps": 1}

    @property
    def tail(self) -> Sequence[str]:
        """Nothing: it has no process of its own."""
        return ()

    def send(self, do: str, **values: Any) -> None:
        """Ask it to stop at the end of its epoch."""
        assert do == "stop", "a replica understands nothing else"
        self.stopping = True

    def close(self, *, wait: float = 5.0) -> None:
        """Give the run up, if it has not ended, and let go of its lock."""
        if self.lane is not None:
            self.lane.close()
        self.lock.close()


class _Replicas(Sweep[Replica]):
    def __init__(
        self,
        todo: list[Experiment],
        store: Store,
        costs: Costs,
        folder: Path,
        threads: int,
        where: "torch.device",
        count: int,
        probes: Sequence[str],
    ) -> None:
        from normlib.engine.recording import clock

        super().__init__(todo, store, costs)
        self._folder = folder
        self._threads = threads
        self._where = where
        self._count = count
        self._probes = probes
        self._clock = Shared(clock(where.type, threads))
        self._data: dict[str, tuple[ImageSet, ImageSet]] = {}

    def fill(self) -> None:
        while len(self.places) < self._count:
            run = self.waiting.next("torch")
            if run is None:
                return
            replica = Replica(run)
            self.places.append(replica)
            held = replica.lock.enter_context(
                locks.holding(checkpoints.lock_of(run.key, self._folder))
            )
            if not held:
                self.events.put(Event(replica, "busy", {}))
            elif self.store.find(run, probes_of(run, self._probes)) is not None:
                self.events.put(Event(replica, "present", {}))
            else:
                self._ending(replica, self._begin)

    def watch(self) -> None:
        """Let all runs make updates in turn for a while, then say how far they are."""
        if not self.events.empty():  # which may free a place
            return
        until = time.monotonic() + TURN
        at_work = [replica for replica in self.places if replica.lane is not None]
        while at_work and time.monotonic() < until and not self.hurried:
            self._clock.divide(len(at_work))
            for replica in at_work:
                self._ending(replica, self._advance)
            at_work = [replica for replica in at_work if replica.lane is not None]
        for replica in at_work:
            self.events.put(Event(replica, "step", dict(replica.reached)))

    def handle(self, event: Event) -> None:
        super().handle(event)
        if event.place.experiment is None:
            self.drop(event.place)

    def tidy(self) -> None:
        checkpoints.sweep_out(self._folder)

    def _begin(self, replica: Replica) -> None:
        from normlib.engine.lane import Lane
        from normlib.engine.probes import Probes
        from normlib.engine.training import steps

        run = replica.experiment
        assert run is not None
        if run.dataset not in self._data:  # once, so that it is on the device once
            self._data[run.dataset] = load(run.dataset, "train"), load(run.dataset, "test")
        generator = steps(
            run,
            self._where,
            threads=self._threads,
            checkpoint=checkpoints.path_of(run.key, self._folder),
            checkpoint_every=CHECKPOINT_EVERY,
            on_begin=lambda epochs, ignored: self.events.put(
                Event(replica, "resumed", {"epochs": epochs, "ignored": ignored})
            ),
            on_epoch=lambda epoch, values: self.events.put(
                Event(replica, "epoch", {"epoch": epoch, "values": values})
            ),
            on_step=lambda step, of: replica.reached.update(step=step, steps=of),
            should_stop=lambda: replica.stopping,
            data=self._data[run.dataset],
            probes=Probes(probes_of(run, self._probes), run),
            seconds=self._clock,
        )
        replica.lane = Lane(generator, self._where)

    def _advance(self, replica: Replica) -> None:
        assert replica.lane is not None
        assert replica.experiment is not None
        record = replica.lane.advance()
        if record is None:
            return
        path = self.store.save(record)
        checkpoints.remove(replica.experiment.key, self._folder)
        replica.lane = None
        gc.collect()  # a network held by its own circles would lie beside the next run's
        values = {"path": str(path), "status": record.status, "seconds": record.seconds}
        self.events.put(Event(replica, "saved", values))

    def _ending(self, replica: Replica, act: Callable[[Replica], None]) -> None:
        """Do something for a run, and say how it ended if that ended it."""
        try:
            act(replica)
            return
        except Interrupted:
            event = Event(replica, "interrupted", {})
        except NormlibError as error:
            event = Event(replica, "failed", {"error": str(error), "tail": []})
        except Exception as error:
            words = traceback.format_exc().splitlines()
            values = {"error": f"{type(error).__name__}: {error}", "tail": words}
            event = Event(replica, "failed", values)
        replica.lane = None
        self.events.put(event)
