"""Ways to train, each one or more processes side by side, timed in turn."""

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from normlib.bench import processes
from normlib.bench.timing import joint_rate

ROUNDS = 3
PEERS = Path(__file__).parent / "peers"
"""Where the scripts are that ours are compared with."""


@dataclass(frozen=True)
class Contender:
    """A way to train: what to run side by side, and with which environment."""

    name: str
    commands: Sequence[Sequence[str]]
    environment: Mapping[str, str]

    def rate(self, per_step: int) -> float:
        """Return what its processes do per second together; a step is worth ``per_step``.

        Raises:
            BenchError: a process failed, or took too long.
        """
        answers = processes.run(self.commands, self.environment, meet=True)
        return joint_rate([answer["stamps"] for answer in answers], per_step)


def medians(
    contenders: Sequence[Contender],
    rate: Callable[[Contender], float],
    rounds: int,
    report: Callable[[str, float], None],
) -> list[float]:
    """Return the median rate of each, measured in turn, so that all see the machine drift.

    ``report`` is told the name and the rate after each measurement.
    """
    rates: list[list[float]] = [[] for _ in contenders]
    for _ in range(rounds):
        for contender, found in zip(contenders, rates, strict=True):
            found.append(rate(contender))
            report(contender.name, found[-1])
    return [statistics.median(found) for found in rates]
