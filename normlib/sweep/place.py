"""Where a sweep has a run computed, and what it hears from there."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from normlib.records import Experiment


class Place(Protocol):
    """Computes one run at a time: a process of this machine, or a share of a Dask worker."""

    experiment: Experiment | None

    @property
    def tail(self) -> Sequence[str]:
        """The last lines that a process there wrote to stderr."""

    def send(self, do: str, **values: Any) -> None:
        """Send it a message, such as "stop"; one that is gone does not get it."""

    def close(self, *, wait: float = 5.0) -> None:
        """Let it go."""


@dataclass(frozen=True)
class Event:
    """Something a place reported; ``kind`` is "exit" when its process is gone."""

    place: Place
    kind: str
    values: dict[str, Any]
