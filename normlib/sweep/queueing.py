"""Which run comes next."""

import time
from collections.abc import Iterable, Iterator

from normlib.records import Experiment
from normlib.sweep.ordering import ranks, setting
from normlib.sweep.process import framework_of


class Waiting:
    """Runs not yet begun: setting after setting as they were given, and there the lowest seed.

    Of one setting and seed those of a worker's framework come first.
    """

    def __init__(self, experiments: Iterable[Experiment]) -> None:
        self._runs = list(experiments)
        self._rank = ranks(self._runs)
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
        first = min(map(self._place, ready))
        there = [run for run in ready if self._place(run) == first]
        chosen = next((run for run in there if framework_of(run) == framework), there[0])
        self._runs.remove(chosen)
        return chosen

    def again(self, experiment: Experiment, after: float) -> None:
        """Put a run back, not to be taken for ``after`` seconds."""
        self._not_before[experiment.key] = time.monotonic() + after
        self._runs.append(experiment)

    def _place(self, experiment: Experiment) -> tuple[int, int]:
        return self._rank[setting(experiment)], experiment.seed
