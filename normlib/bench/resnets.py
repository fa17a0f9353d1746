"""Source E's networks on a CPU: our sweep against a plain script, and what the engine adds."""

import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from normlib.bench import processes
from normlib.bench.contender import PEERS, ROUNDS, Contender, medians
from normlib.bench.images import CIFAR, drawn
from normlib.bench.result import Result, less_is_better, more_is_better
from normlib.records import Experiment
from normlib.sweep.plans import PLANS
from normlib.sweep.process import surroundings

NETWORKS = ("resnet18", "resnet50")
BATCH_SIZE = 50
WARMUP = 3
STEPS = 20
PAIRS = 40
GOAL = 1.25
OVERHEAD = 1 / 1.03
"""The engine adds at most 3% to the bare step."""


def experiment(network: str, norm: str = "batch", batch_size: int = BATCH_SIZE) -> Experiment:
    """Return the experiment that is timed: the first of source E's main table with these."""
    wanted = (network, norm, batch_size)
    return next(
        run
        for run in PLANS["resnet-ablation"].experiments
        if (run.model, run.norm, run.batch_size) == wanted
    )


def write_data(file: Path, count: int) -> None:
    """Write ``count`` random images of CIFAR-10's shape."""
    images, labels = drawn(count, CIFAR)
    np.savez(file, images=images, labels=labels)


def contenders(network: str, data: Path, warmup: int, steps: int) -> tuple[Contender, Contender]:
    """Return our sweep and a plain script on all cores, with the same images."""
    length = ["--warmup", str(warmup), "--steps", str(steps)]
    ours = [sys.executable, "-m", "normlib.bench.engine_process", str(data), *length]
    ours += ["--network", network]
    return (
        Contender("our sweep, two workers", [ours, ours], surroundings(threads=1)),
        Contender(
            "PyTorch script, DataLoader, all cores", [script(network, data, length)], os.environ
        ),
    )


def script(
    network: str, data: Path, length: Sequence[str], batch_size: int = BATCH_SIZE
) -> list[str]:
    """Return the command of the plain script."""
    trained = experiment(network, batch_size=batch_size)
    return [
        *(sys.executable, str(PEERS / "resnet_script.py"), str(data), *length),
        *("--network", network, "--batch-size", str(batch_size)),
        *("--learning-rate", str(trained.learning_rate)),
    ]


def overhead(network: str, pairs: int = PAIRS) -> Result:
    """Return the engine's step beside the same forward, backward and update without it."""
    command = [sys.executable, "-m", "normlib.bench.step_process", network, "--pairs", str(pairs)]
    (answer,) = processes.run([command], surroundings(threads=1))
    return less_is_better(
        f"engine, step of {network} at batch {BATCH_SIZE}",
        "ms",
        1e3 * answer["ours"],
        1e3 * answer["bare"],
        "forward, backward and update alone",
        OVERHEAD,
    )


def beside_script(
    report: Callable[[str], None],
    network: str,
    data: Path,
    *,
    warmup: int,
    steps: int,
    rounds: int,
) -> Result:
    """Return our sweep's rate beside the plain script's."""
    ours, peer = contenders(network, data, warmup, steps)
    us, them = medians(
        (ours, peer),
        lambda contender: contender.rate(BATCH_SIZE),
        rounds,
        lambda name, found: report(f"{network}, {name}: {found:.0f} images/s"),
    )
    name = f"training {network} at batch {BATCH_SIZE}, {ours.name}"
    return more_is_better(name, "images/s", us, them, peer.name, GOAL)


def compare(
    report: Callable[[str], None],
    *,
    networks: Sequence[str] = NETWORKS,
    warmup: int = WARMUP,
    steps: int = STEPS,
    rounds: int = ROUNDS,
    pairs: int = PAIRS,
) -> list[Result]:
    """Time both ways to train each network, then the engine around its step."""
    found = []
    length = {"warmup": warmup, "steps": steps, "rounds": rounds}
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "images.npz"
        write_data(data, (warmup + steps) * BATCH_SIZE)
        for network in networks:
            found.append(beside_script(report, network, data, **length))
            found.append(overhead(network, pairs))
            report(f"{network}, engine: {found[-1].ours:.1f} ms, bare {found[-1].peer:.1f} ms")
    return found
