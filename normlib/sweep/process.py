"""A worker process, seen from the sweep."""

import collections
import contextlib
import json
import os
import queue
import subprocess
import sys
import threading
from typing import Any

from normlib.records import Experiment
from normlib.records.fingerprint import PACKAGE
from normlib.sweep.place import Event

TRAINERS = {"torch": "normlib.engine:train", "tensorflow": "normlib.engine.keras:train"}
"""Who trains on which framework; a worker imports only one of them, since both at once crash."""

_LINES = 20


def framework_of(experiment: Experiment) -> str:
    """Return the framework that a worker must import for ``experiment``."""
    return "tensorflow" if experiment.framework == "tensorflow" else "torch"


def surroundings(threads: int) -> dict[str, str]:
    """Return the environment variables of a worker; they act only if set before it starts."""
    count = str(threads)
    source = [str(PACKAGE.parent), os.environ.get("PYTHONPATH", "")]
    tunables = [os.environ.get("GLIBC_TUNABLES", ""), "glibc.malloc.hugetlb=1"]
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(part for part in source if part),
        # Processes side by side, one thread each, beat one process with as many threads.
        "OMP_NUM_THREADS": count,
        "MKL_NUM_THREADS": count,
        "OPENBLAS_NUM_THREADS": count,
        "TF_NUM_INTRAOP_THREADS": count,
        "TF_NUM_INTEROP_THREADS": count,
        "TF_CPP_MIN_LOG_LEVEL": "2",
        # By default glibc gives every big tensor back to the system and page-faults it in again
        # at the next step, which takes nearly half of the time of a CNN's step.
        "MALLOC_MMAP_THRESHOLD_": str(2**32),
        "MALLOC_TRIM_THRESHOLD_": str(2**32),
        "MALLOC_TOP_PAD_": str(2**28),
        # Pages of 2 MiB instead of 4 KiB, where Linux has them: fewer misses in looking them up.
        "GLIBC_TUNABLES": ":".join(part for part in tunables if part),
    }


class Process:
    """A running worker. Its events arrive in ``events``; ``tail`` is the end of its stderr."""

    def __init__(
        self, framework: str, threads: int, trainer: str | None, events: "queue.Queue[Event]"
    ) -> None:
        self.framework = framework
        self.experiment: Experiment | None = None
        self._events = events
        self._stderr: collections.deque[str] = collections.deque(maxlen=_LINES)
        spec = trainer or TRAINERS[framework]
        self._popen = subprocess.Popen(
            [sys.executable, "-m", "normlib.sweep.worker", "--trainer", spec],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=surroundings(threads),
            encoding="utf-8",
            errors="replace",
            process_group=0,  # Ctrl-C is for the sweep, which stops its workers at a safe point
        )
        self._readers = [
            threading.Thread(target=self._read_stderr, daemon=True),
            threading.Thread(target=self._read_stdout, daemon=True),
        ]
        for reader in self._readers:
            reader.start()

    @property
    def pid(self) -> int:
        """The process's number."""
        return self._popen.pid

    @property
    def alive(self) -> bool:
        """Whether it has not ended."""
        return self._popen.poll() is None

    @property
    def tail(self) -> list[str]:
        """The last lines of its stderr."""
        return list(self._stderr)

    def begin(self, experiment: Experiment, **values: Any) -> None:
        """Send it a run to train; ``experiment`` stays set until the sweep concludes it."""
        self.experiment = experiment
        self._stderr.clear()
        self.send("train", experiment=experiment.to_dict(), **values)

    def send(self, do: str, **values: Any) -> None:
        """Send a message; a worker that is gone does not get it and reports its exit instead."""
        assert self._popen.stdin is not None
        with contextlib.suppress(OSError, ValueError):
            self._popen.stdin.write(json.dumps({"do": do, **values}) + "\n")
            self._popen.stdin.flush()

    def close(self, *, wait: float = 5.0) -> None:
        """Let it go: it leaves when its stdin closes, else it is killed."""
        assert self._popen.stdin is not None
        with contextlib.suppress(OSError, ValueError):
            self._popen.stdin.close()
        try:
            self._popen.wait(wait)
        except subprocess.TimeoutExpired:
            self._popen.kill()
            self._popen.wait()
        for reader in self._readers:
            reader.join(wait)

    def _read_stdout(self) -> None:
        assert self._popen.stdout is not None
        with self._popen.stdout as lines:
            for line in lines:
                values = json.loads(line)
                self._events.put(Event(self, values.pop("event"), values))
        code = self._popen.wait()
        self._readers[0].join(5)
        self._events.put(Event(self, "exit", {"code": code}))

    def _read_stderr(self) -> None:
        assert self._popen.stderr is not None
        with self._popen.stderr as lines:
            for line in lines:
                self._stderr.append(line.rstrip())
