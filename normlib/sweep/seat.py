"""A share of a Dask worker, in which one run at a time is computed."""

import json
import threading
import uuid
from collections.abc import Mapping, Sequence
from queue import Queue
from typing import Any

from normlib.records import Experiment
from normlib.sweep import unit
from normlib.sweep.link import Link, gathered
from normlib.sweep.place import Event
from normlib.sweep.process import framework_of


class Seat:
    """One place at the worker with this ``address``.

    Every run that it begins has a ``token``; an event with another one comes from a former run.
    """

    def __init__(self, address: str, link: Link, events: "Queue[Event]") -> None:
        self.address = address
        self.experiment: Experiment | None = None
        self.framework: str | None = None
        self.token = ""
        self.begun = False
        self._link = link
        self._events = events
        self._future: Any = None

    @property
    def tail(self) -> Sequence[str]:
        """The last lines of a process there come with its end."""
        return ()

    def begin(
        self, experiment: Experiment, job: Mapping[str, Any], needs: Mapping[str, int]
    ) -> None:
        """Have it compute a run; ``experiment`` stays set until the sweep concludes it."""
        self.experiment, self.framework = experiment, framework_of(experiment)
        self.token, self.begun = uuid.uuid4().hex, False
        message = json.dumps({**job, "experiment": experiment.to_dict(), "token": self.token})
        future = self._link.submit(unit.compute, message, at=self.address, needs=needs)
        self._future = future
        threading.Thread(target=self._collect, args=(future, self.token), daemon=True).start()

    def send(self, do: str, **values: Any) -> None:
        """Ask it to stop; a run that waits for its worker need not even begin."""
        assert do == "stop", "a seat understands nothing else"
        if self.experiment is not None:
            self._link.tell(unit.stop, self.token, workers=[self.address])
            if not self.begun:
                self._future.release()

    def close(self, *, wait: float = 5.0) -> None:
        """Let it go; what it computes is no longer waited for."""
        if self._future is not None:
            self._future.release()

    def _collect(self, future: Any, token: str) -> None:
        values = gathered(future)
        self._events.put(Event(self, values.pop("event"), {**values, "token": token}))
