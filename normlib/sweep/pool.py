"""Processes of a Dask worker that rest between two runs, since a framework takes long to import."""

import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from normlib.sweep.place import Event
from normlib.sweep.process import Process

REST = 60.0
"""Seconds after which a resting process leaves; it holds memory, perhaps of a GPU."""


@dataclass(frozen=True)
class Kind:
    """What is decided when a process starts, so that only runs of one kind can share it."""

    framework: str
    threads: int
    trainer: str | None
    code: str  # sha256 of the source
    device: str


@dataclass(eq=False)
class Member:
    """A process, and what it reports."""

    kind: Kind
    process: Process
    events: "queue.Queue[Event]"
    timer: threading.Timer | None = field(default=None)


class Pool:
    """The processes of one Dask worker that have nothing to do."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._resting: list[Member] = []

    def take(self, kind: Kind) -> Member:
        """Return a process of this ``kind``, a new one if none rests here."""
        member = self._pop(lambda one: one.kind == kind and one.process.alive)
        if member is not None:
            return member
        other = self._pop(lambda one: True)
        if other is not None:  # it would keep its memory from the new one
            other.process.close()
        events: queue.Queue[Event] = queue.Queue()
        return Member(kind, Process(kind.framework, kind.threads, kind.trainer, events), events)

    def rest(self, member: Member) -> None:
        """Keep the process of a ``member`` for the next run, for a while."""
        member.timer = threading.Timer(REST, self._dismiss, [member])
        member.timer.daemon = True
        with self._lock:
            self._resting.append(member)
        member.timer.start()

    def empty(self) -> None:
        """Let all of them go."""
        while (member := self._pop(lambda one: True)) is not None:
            member.process.close()

    def _pop(self, wanted: Callable[[Member], bool]) -> Member | None:
        with self._lock:
            member = next(filter(wanted, self._resting), None)
            if member is not None:
                self._resting.remove(member)
        if member is not None and member.timer is not None:
            member.timer.cancel()
        return member

    def _dismiss(self, member: Member) -> None:
        if self._pop(lambda one: one is member) is not None:
            member.process.close()
