"""From the values of each epoch to a Record; shared by all frameworks, so it imports none."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from numpy.typing import NDArray

from normlib.datasets import ImageSet
from normlib.records import Experiment, Record
from normlib.records.arrays import described, pack
from normlib.records.fingerprint import code_state

Value = float | int | None


class History:
    """The values of each finished epoch: one list per name, all of the same length.

    ``append`` turns what is not finite into None and remembers that the run has diverged.
    """

    def __init__(self, columns: Mapping[str, Sequence[Value]] | None = None) -> None:
        self.columns: dict[str, list[Value]] = {k: list(v) for k, v in (columns or {}).items()}

    @property
    def epochs(self) -> int:
        """How many epochs are finished."""
        return len(self.columns.get("epoch", ()))

    @property
    def diverged(self) -> bool:
        """Whether any value so far was not finite."""
        return any(value is None for column in self.columns.values() for value in column)

    def append(self, **values: float) -> dict[str, Value]:
        """Add the values of the next epoch, counted from 1, and return them with ``epoch``.

        Raises ValueError if the names differ from those of the epochs before.
        """
        row: dict[str, Value] = {"epoch": self.epochs + 1}
        row |= {k: float(v) if math.isfinite(v) else None for k, v in values.items()}
        if self.columns and row.keys() != self.columns.keys():
            raise ValueError(f"history holds {sorted(self.columns)}, not {sorted(row)}")
        for name, value in row.items():
            self.columns.setdefault(name, []).append(value)
        return row


def named(part: str, values: tuple[float, float]) -> dict[str, float]:
    """Return loss and accuracy over a ``part`` of the images, under their names in a history."""
    return {f"{part}_loss": values[0], f"{part}_accuracy": values[1]}


def clock(device: str, threads: int) -> Callable[[], float]:
    """Return the clock for an epoch's ``seconds``.

    One thread of a CPU is timed by the processor's time that it was given, so that a run that
    had to share its core with others is not called slow; anything else by the wall clock.
    """
    return time.process_time if device == "cpu" and threads == 1 else time.perf_counter


def now() -> str:
    """Return the time in UTC, ISO 8601, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def finish(
    experiment: Experiment,
    history: History,
    environment: Mapping[str, Any],
    started: str,
    *,
    data: tuple[ImageSet, ImageSet],
    probes: Sequence[str] = (),
    arrays: Mapping[str, NDArray[Any]] | None = None,
) -> Record:
    """Return the record of a run that has ended.

    ``data`` are the training and the test set; ``started`` comes from ``now``; ``arrays`` are what
    ``probes`` left.
    """
    training, test = data
    packed = pack(arrays or {}) if probes else None
    return Record(
        schema=1,
        key=experiment.key,
        status="diverged" if history.diverged else "finished",
        experiment=experiment,
        history={name: list(column) for name, column in history.columns.items()},
        dataset={
            "name": training.name,
            "train_sha256": training.sha256,
            "test_sha256": test.sha256,
        },
        environment=dict(environment),
        code=code_state(),
        started=started,
        finished=now(),
        arrays=None if packed is None else described(experiment, packed, probes),
        packed=packed,
    )
