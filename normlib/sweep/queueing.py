"""Which run comes next."""

import time
from collections.abc import Iterable, Iterator

from normlib.records import Experiment
from normlib.sweep.process import framework_of


class Waiting:
    """Runs not yet begun. Of the lowest seed first, and there those of a worker's framework."""

    def __init__(self, experiments: Iterable[Experiment]) -> None:
        self._runs = list(experiments)
        self._not_before: dict[str, float] = {}

    def __len__(self) -> int:
        return len(self._runs)

    def __iter__(self) -> Iterator[Experiment]:
        return iter(self._runs)

    def next(self, framework: str | None) -> Experiment | None:
        """Take the next run for a worker that has imported ``framework``, or None for now."""
        now = time.monotonic()
        ready = [run for run in self._runs if self._not_before.get(run.key, 0.0) <= now]
        if not ready:
            return None
        seed = min(run.seed for run in ready)
        lowest = [run for run in ready if run.seed == seed]
        chosen = next((run for run in lowest if framework_of(run) == framework), lowest[0])
        self._runs.remove(chosen)
        return chosen

    def again(self, experiment: Experiment, after: float) -> None:
        """Put a run back, not to be taken for ``after`` seconds."""
        self._not_before[experiment.key] = time.monotonic() + after
        self._runs.append(experiment)
