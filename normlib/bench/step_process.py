"""Time the engine's step beside a bare one: ``python -m normlib.bench.step_process NETWORK``.

Prints one JSON object: the median seconds of a step of the engine (``ours``: the next images
chosen, gathered and scaled, forward, backward, update, running loss and accuracy), and of forward,
backward and update alone on images that are ready (``bare``), both in one thread.
"""

import argparse
import json
import statistics
from collections.abc import Callable

import torch
from torch.nn import functional as F

from normlib.bench import timing
from normlib.bench.images import CIFAR, as_set, drawn
from normlib.bench.resnets import BATCH_SIZE, experiment
from normlib.engine import initial_arrays
from normlib.engine.lane import Lane
from normlib.engine.optimizer import Optimizer
from normlib.engine.processor import processor
from normlib.engine.training import steps
from normlib.models import build
from normlib.records import Experiment

WARMUP = 2


class Bare:
    """Forward, backward and update on one batch, again and again."""

    def __init__(self, timed: Experiment) -> None:
        model = build(timed, initial_arrays(timed)).train()
        # torch's stubs have no overload of `to` with a memory format alone.
        self.model = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.optimizer = Optimizer(timed, self.model.parameters())
        x = torch.rand(BATCH_SIZE, *CIFAR)
        self.x = x.contiguous(memory_format=torch.channels_last)
        self.y = torch.arange(BATCH_SIZE) % 10

    def __call__(self) -> None:
        """Make a step."""
        self.optimizer.zero_grad()
        F.cross_entropy(self.model(self.x), self.y).backward()
        self.optimizer.step()


def measure(network: str, pairs: int) -> dict[str, float]:
    """Return what the module's docstring says."""
    timed = experiment(network)
    data = as_set(*drawn((pairs + WARMUP + 1) * BATCH_SIZE, CIFAR))  # its epoch does not end
    with processor(1), torch.random.fork_rng():
        lane = Lane(steps(timed, torch.device("cpu"), data=(data, data)), torch.device("cpu"))
        candidates: dict[str, Callable[[], object]] = {"ours": lane.advance, "bare": Bare(timed)}
        for _ in range(WARMUP):
            for step in candidates.values():
                step()
        taken = timing.interleaved(candidates, pairs)
    return {name: statistics.median(times) for name, times in taken.items()}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("network")
    parser.add_argument("--pairs", type=int, required=True)
    arguments = parser.parse_args()
    print(json.dumps(measure(arguments.network, arguments.pairs)))


if __name__ == "__main__":
    main()
