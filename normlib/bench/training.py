"""Our sweep against plain scripts: images per second in training the plan's CNN with BatchNorm."""

import os
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from normlib.bench import compiler
from normlib.bench.contender import PEERS, ROUNDS, Contender, medians
from normlib.bench.images import drawn
from normlib.bench.result import Result, more_is_better
from normlib.datasets import MissingDatasetError, load
from normlib.records import Experiment
from normlib.sweep.plans import PLANS
from normlib.sweep.process import surroundings

WARMUP = 100
STEPS = 300
GOAL = 2.0


def experiment() -> Experiment:
    """Return the experiment that is timed: the plan's CNN with BatchNorm."""
    return next(e for e in PLANS["fashion-mnist"].experiments if e.norm == "batch")


def write_data(file: Path, count: int) -> str:
    """Write ``count`` training images to ``file`` and say which; speed does not depend on them."""
    try:
        found = load("fashion-mnist", "train")
        images, labels, name = found.images[:, 0], found.labels, "Fashion-MNIST"
    except MissingDatasetError:
        images, labels = drawn(count, (28, 28))
        name = "random images of Fashion-MNIST's shape"
    chosen = np.arange(count) % len(labels)
    np.savez(file, images=images[chosen], labels=labels[chosen])
    return name


def contenders(data: Path, warmup: int, steps: int) -> dict[str, Contender]:
    """Return ours and its peers, by a short name, all with the same images and hyperparameters.

    Ours are workers as a sweep starts them; a peer's environment is the user's own.
    """
    trained = experiment()
    length = ["--warmup", str(warmup), "--steps", str(steps)]
    same = [
        *("--batch-size", str(trained.batch_size)),
        *("--learning-rate", str(trained.learning_rate)),
        *("--momentum", str(trained.momentum)),
    ]
    ours = [sys.executable, "-m", "normlib.bench.engine_process", str(data), *length]
    torch = [sys.executable, str(PEERS / "torch_script.py"), str(data), *length, *same]
    keras = [sys.executable, str(PEERS / "keras_script.py"), str(data), *length, *same]
    plain = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2"}
    found = {
        "ours": Contender("our sweep, two workers", [ours, ours], surroundings(threads=1)),
        "script": Contender("PyTorch script, DataLoader with two workers", [torch], plain),
        "keras": Contender("Keras on TensorFlow, fit", [keras], plain),
        "scripts": Contender(
            "two PyTorch scripts of one thread each",
            [[*torch, "--threads", "1", "--workers", "0"]] * 2,
            plain,
        ),
    }
    if compiler.found():
        compiled = [*ours, "--compiled"]
        found["compiled"] = Contender(
            "our sweep, compiled", [compiled, compiled], surroundings(threads=1)
        )
    return found


def results(rates: Mapping[str, float], names: Mapping[str, str]) -> list[Result]:
    """Return ours beside each peer, then, if measured, ours compiled beside each peer."""
    found = []
    for us, goal in (("ours", GOAL), ("compiled", None)):
        for peer in ("script", "keras", "scripts"):
            if us in rates and peer in rates:
                found.append(
                    more_is_better(
                        f"training, {names[us]}",
                        "images/s",
                        rates[us],
                        rates[peer],
                        names[peer],
                        # Two scripts side by side are what a person can do at best: reported.
                        None if peer == "scripts" else goal,
                    )
                )
    return found


def compare(
    report: Callable[[str], None],
    *,
    warmup: int = WARMUP,
    steps: int = STEPS,
    rounds: int = ROUNDS,
) -> list[Result]:
    """Measure every contender ``rounds`` times, in turn, and compare the medians."""
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "images.npz"
        name = write_data(data, (warmup + steps) * experiment().batch_size)
        report(f"training on {name}, {warmup} steps to warm up, {steps} timed")
        chosen = contenders(data, warmup, steps)
        batch_size = experiment().batch_size
        rates = medians(
            list(chosen.values()),
            lambda contender: contender.rate(batch_size),
            rounds,
            lambda name, found: report(f"{name}: {found:.0f} images/s"),
        )
    names = {key: contender.name for key, contender in chosen.items()}
    return results(dict(zip(chosen, rates, strict=True)), names)
