"""Source C's two layers on a CPU: runs per minute of our sweep against a plain script.

A network so small spends most of its time on what is around it: making batches, Python, the
optimizer's bookkeeping. Only training is counted, on both sides.
"""

import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from normlib.bench.contender import PEERS, ROUNDS, Contender, medians
from normlib.bench.result import Result, more_is_better
from normlib.bench.training import write_data
from normlib.records import Experiment
from normlib.sweep.plans import PLANS
from normlib.sweep.process import surroundings

WARMUP = 100
STEPS = 600
GOAL = 5.0
TRAINING_IMAGES = 60_000


def experiment() -> Experiment:
    """Return the experiment that is timed: the plan's network with BatchNorm under SGD."""
    return next(
        run
        for run in PLANS["mnist-optimizers"].experiments
        if (run.norm, run.optimizer) == ("batch", "sgd")
    )


def contenders(data: Path, warmup: int, steps: int) -> tuple[Contender, ...]:
    """Return our sweep, a plain script as a user would start it, and two of them side by side."""
    trained = experiment()
    length = ["--warmup", str(warmup), "--steps", str(steps)]
    ours = [sys.executable, "-m", "normlib.bench.engine_process", str(data), *length]
    ours += ["--network", "mlp"]
    script = [
        *(sys.executable, str(PEERS / "torch_script.py"), str(data), *length),
        *("--network", "mlp", "--batch-size", str(trained.batch_size)),
        *("--learning-rate", str(trained.learning_rate), "--momentum", str(trained.momentum)),
    ]
    alone = [*script, "--threads", "1", "--workers", "0"]
    return (
        Contender("our sweep, two workers", [ours, ours], surroundings(threads=1)),
        Contender("PyTorch script, DataLoader with two workers", [script], os.environ),
        Contender("two PyTorch scripts of one thread each", [alone, alone], os.environ),
    )


def runs_per_minute(contender: Contender) -> float:
    """Return how many runs of the plan's epochs the contender trains in a minute."""
    trained = experiment()
    return 60 * contender.rate(trained.batch_size) / (TRAINING_IMAGES * trained.epochs)


def compare(
    report: Callable[[str], None],
    *,
    warmup: int = WARMUP,
    steps: int = STEPS,
    rounds: int = ROUNDS,
) -> list[Result]:
    """Time every contender ``rounds`` times, in turn, and compare the medians."""
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "images.npz"
        write_data(data, (warmup + steps) * experiment().batch_size)
        chosen = contenders(data, warmup, steps)
        ours, *peers = medians(
            chosen,
            runs_per_minute,
            rounds,
            lambda name, found: report(f"two layers, {name}: {found:.2f} runs/min"),
        )
    # Two scripts side by side are what a person can do at best: reported.
    goals = (GOAL, None)
    return [
        more_is_better(
            f"training two layers, {chosen[0].name}", "runs/min", ours, peer, one.name, goal
        )
        for one, peer, goal in zip(chosen[1:], peers, goals, strict=True)
    ]
