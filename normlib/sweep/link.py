"""The connection of a cluster sweep to its Dask scheduler."""

import asyncio
import contextlib
import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from normlib.errors import NormlibError

ANSWER = 10.0
"""Seconds within which a scheduler must answer."""


class ClusterError(NormlibError):
    """A cluster that cannot be used as asked."""


class LostLinkError(Exception):
    """The scheduler does not answer any more, or another one does in its place."""


@dataclass(frozen=True)
class Offer:
    """What a Dask worker has: threads, GPUs, and whether it takes new work."""

    threads: int
    gpus: int
    running: bool


class Link:
    """A client of the scheduler at an address, or at the one that a ``.json`` file names.

    ``heard`` gets every message that units send under ``topic``, in a thread of Dask's. Raises
    ClusterError if Dask is not installed or no scheduler answers.
    """

    def __init__(self, scheduler: str, topic: str, heard: Callable[[Any], None]) -> None:
        address = _address(scheduler)
        try:
            import distributed
        except ImportError:
            raise ClusterError(
                "--scheduler needs Dask's distributed, which is not installed; "
                "get it with `uv sync --inexact --group cluster`"
            ) from None
        try:
            self._client = distributed.Client(
                address, timeout=ANSWER, set_as_default=False, name="normlib"
            )
            self._id = self._identity()["id"]
        except (OSError, ValueError, LostLinkError):
            raise ClusterError(
                f"no Dask scheduler answers at {address!r:.80}; start one with `dask scheduler` "
                "and give the address that it prints, such as tcp://host:8786"
            ) from None
        self._client.subscribe_topic(topic, lambda event: heard(event[1]))

    def workers(self) -> dict[str, Offer]:
        """Return the workers by their addresses; raises LostLinkError."""
        identity = self._identity()
        if identity["id"] != self._id:
            raise LostLinkError
        return {
            address: Offer(
                int(worker["nthreads"]),
                int(worker["resources"].get("GPU", 0)),
                worker["status"] == "running",
            )
            for address, worker in identity["workers"].items()
        }

    def submit(self, function: Any, *values: str, at: str, needs: Mapping[str, int]) -> Any:
        """Have the worker ``at`` an address, and no other, call ``function``; return a future."""
        if self._client.status != "running":
            raise LostLinkError
        options = {"workers": [at], "allow_other_workers": False, "resources": dict(needs) or None}
        return self._client.submit(function, *values, pure=False, **options)

    def tell(
        self, function: Any, *values: Any, workers: list[str] | None = None, wait: float = 0.0
    ) -> None:
        """Have workers (all) call ``function`` now, beside their tasks; ``wait`` no longer."""

        def call() -> None:
            with contextlib.suppress(Exception):  # who is gone needs not be told
                self._client.run(function, *values, workers=workers, on_error="ignore")

        _within(wait, call)

    def close(self) -> None:
        """Take leave; what was submitted is forgotten."""

        def call() -> None:
            with contextlib.suppress(Exception):  # of a lost scheduler
                self._client.close(timeout=ANSWER / 2)

        _within(ANSWER / 2, call)

    def _identity(self) -> dict[str, Any]:
        try:
            found: dict[str, Any] = self._client.sync(
                self._client.scheduler.identity, n_workers=-1, callback_timeout=ANSWER
            )
        except (OSError, RuntimeError, AttributeError) as error:  # a closed client has no scheduler
            raise LostLinkError from error
        return found


def gathered(future: Any) -> dict[str, Any]:
    """Wait for a unit and return how it ended, as an event."""
    from distributed import KilledWorker

    try:
        return dict(future.result())
    except (Exception, asyncio.CancelledError) as error:
        if future.status != "error":  # the link failed, not the unit
            return {"event": "lost"}
        if isinstance(error, KilledWorker):
            return {"event": "died"}
        if isinstance(error, ImportError | AttributeError):
            words = f"it cannot import normlib ({error}); start it in the environment of normlib"
            return {"event": "unfit", "of": "", "error": words}
        return {"event": "failed", "error": f"{type(error).__name__}: {error}"}
    finally:
        future.release()


def _address(scheduler: str) -> str:
    if not scheduler.endswith(".json"):
        return scheduler
    try:
        return str(json.loads(Path(scheduler).read_text(encoding="utf-8"))["address"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ClusterError(
            f"scheduler file {scheduler!r:.80} cannot be read ({error}); write it with "
            "`dask scheduler --scheduler-file FILE.json`"
        ) from None


def _within(seconds: float, call: Callable[[], None]) -> None:
    thread = threading.Thread(target=call, daemon=True)
    thread.start()
    thread.join(seconds)
