"""Runs that take turns on a GPU against a plain script there: runs per hour, the whole table."""

import json
import os
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from normlib.bench import processes, resnets
from normlib.bench.result import Result, less_is_better, more_is_better
from normlib.bench.timing import joint_rate
from normlib.datasets import INFO
from normlib.engine.portions import REEVALUATED
from normlib.records import Experiment
from normlib.records.choices import RESNETS
from normlib.sweep.plans import PLANS
from normlib.sweep.replicas import REPLICAS
from normlib.sweep.resnets import METHODS

BATCH_SIZES = (20, 50)
WARMUP = 10
STEPS = 200

Cell = tuple[str, int]
"""A network and a batch size."""


@dataclass(frozen=True)
class Rates:
    """Images per second in training: of all replicas together, and of the plain script."""

    ours: float
    peer: float


def images(experiment: Experiment) -> float:
    """Return what a run costs, in images trained on; to evaluate one takes a third of that."""
    sizes = INFO[experiment.dataset].sizes
    return experiment.epochs * (sizes["train"] + (REEVALUATED + sizes["test"]) / 3)


def measure(
    network: str,
    batch_size: int,
    data: Path,
    *,
    replicas: int = REPLICAS,
    warmup: int = WARMUP,
    steps: int = STEPS,
    device: str = "cuda",
) -> Rates | None:
    """Return both rates, each by a fresh process; None if there is no such device."""
    job = {
        **{"network": network, "norms": METHODS, "batch_size": batch_size},
        **{"replicas": replicas, "warmup": warmup, "steps": steps, "device": device},
    }
    ours = [sys.executable, "-m", "normlib.bench.replicas_process", json.dumps(job)]
    (together,) = processes.run([ours], os.environ)
    if together is None:
        return None
    length = ["--warmup", str(warmup), "--steps", str(steps), "--device", device]
    script = resnets.script(network, data, length, batch_size)
    (answer,) = processes.run([script], os.environ, meet=True)
    return Rates(together, joint_rate([answer["stamps"]], batch_size))


def results(rates: Mapping[Cell, Rates], replicas: int = REPLICAS) -> list[Result]:
    """Return runs per hour in each cell, and the hours of all runs of the cells' table."""
    table = PLANS["resnet-ablation"].experiments
    peer = "PyTorch script, DataLoader"
    found, hours = [], Rates(0.0, 0.0)
    for (network, batch_size), rate in rates.items():
        runs = [run for run in table if (run.model, run.batch_size) == (network, batch_size)]
        cost = images(runs[0])
        per_hour = Rates(3600 * rate.ours / cost, 3600 * rate.peer / cost)
        name = f"{network} at batch {batch_size}, {replicas} replicas"
        found.append(more_is_better(name, "runs/h", per_hour.ours, per_hour.peer, peer))
        hours = Rates(
            hours.ours + len(runs) / per_hour.ours, hours.peer + len(runs) / per_hour.peer
        )
    whole = f"projected for the {len(rates)} cells of resnet-ablation"
    return [*found, less_is_better(whole, "h", hours.ours, hours.peer, peer)] if found else []


def compare(
    report: Callable[[str], None],
    *,
    networks: Sequence[str] = RESNETS,
    batch_sizes: Sequence[int] = BATCH_SIZES,
    device: str = "cuda",
    replicas: int = REPLICAS,
    warmup: int = WARMUP,
    steps: int = STEPS,
) -> list[Result]:
    """Measure every cell of source E's table on a GPU; nothing, with a word, where there is none.

    The script trains with ``batch`` alone, the replicas with all four methods.
    """
    rates: dict[Cell, Rates] = {}
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "images.npz"
        resnets.write_data(data, (warmup + steps) * max(batch_sizes))
        for network in networks:
            for size in batch_sizes:
                rate = measure(
                    network,
                    size,
                    data,
                    replicas=replicas,
                    warmup=warmup,
                    steps=steps,
                    device=device,
                )
                if rate is None:
                    report(f"no {device}: replicas are left out")
                    return []
                rates[network, size] = rate
                report(
                    f"{network} at batch {size}: {rate.ours:.0f} images/s, script {rate.peer:.0f}"
                )
    return results(rates, replicas)
