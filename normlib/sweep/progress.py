"""What a sweep tells a person while it runs."""

import sys
import time
from typing import Any, TextIO

from tqdm import tqdm

from normlib.records import Experiment
from normlib.sweep.cost import Costs, duration


class Progress:
    """A bar of epochs done over epochs to do, weighted by their cost, with the time left.

    Where the output is no terminal there is a plain line per finished run instead.
    """

    def __init__(self, costs: Costs, stream: TextIO | None = None) -> None:
        self._costs = costs
        self._stream = stream or sys.stderr
        self._bar: tqdm[Any] | None = None
        self._started = time.monotonic()
        self._todo = self._done = 0.0
        self._runs = self._finished = 0
        self._at: dict[str, float] = {}  # epochs of each run that were counted as done

    def start(self, experiments: list[Experiment]) -> None:
        """Begin with these runs to do."""
        self._runs = len(experiments)
        self._todo = sum(map(self._costs.run, experiments))
        if self._stream.isatty():
            bar: tqdm[Any] = tqdm(
                total=round(self._todo, 3),
                file=self._stream,
                bar_format="{percentage:3.0f}% |{bar}| {desc} [{elapsed}<{remaining}]",
                smoothing=0.05,
            )
            bar.set_description_str(f"0/{self._runs} runs")
            self._bar = bar

    def resumed(self, experiment: Experiment, epochs: int) -> None:
        """Note that a checkpoint brought ``epochs`` of the run: they are no longer to do."""
        gained = epochs - self._at.get(experiment.key, 0.0)
        if gained > 0:
            self._at[experiment.key] = float(epochs)
            self._todo -= gained * self._costs.epoch(experiment)
            if self._bar is not None:
                self._bar.total = round(self._todo, 3)

    def reached(self, experiment: Experiment, epochs: float) -> None:
        """Note that ``epochs`` of the run are done, with a fraction for the current one."""
        gained = epochs - self._at.get(experiment.key, 0.0)
        if gained > 0:
            self._at[experiment.key] = epochs
            self._add(gained * self._costs.epoch(experiment))

    def ended(self, experiment: Experiment, what: str) -> None:
        """Note that the run is over, with ``what`` came of it."""
        self._finished += 1
        rest = experiment.epochs - self._at.get(experiment.key, 0.0)
        self._at[experiment.key] = float(experiment.epochs)
        self._add(rest * self._costs.epoch(experiment))
        if self._bar is not None:
            self._bar.set_description_str(f"{self._finished}/{self._runs} runs")
        left = "" if self._bar is not None else f", {self._left()}"
        self.say(f"[{self._finished}/{self._runs}] {experiment.name}: {what}{left}")

    def say(self, line: str) -> None:
        """Print a line above the bar."""
        if self._bar is not None:
            self._bar.write(line, file=self._stream)
        else:
            print(line, file=self._stream, flush=True)

    def close(self) -> None:
        """Leave the bar as it stands."""
        if self._bar is not None:
            self._bar.close()

    def _add(self, cost: float) -> None:
        self._done += cost
        if self._bar is not None:
            self._bar.update(min(cost, (self._bar.total or 0) - self._bar.n))

    def _left(self) -> str:
        if self._done <= 0:
            return "time left unknown"
        rate = (time.monotonic() - self._started) / self._done
        return f"{duration(max(0.0, self._todo - self._done) * rate)} left"
