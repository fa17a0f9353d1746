"""A trainer without a framework, with the engine's contract, for tests of everything around it."""

import hashlib
import json
import os
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from normlib import atomic
from normlib.datasets import INFO
from normlib.engine.interrupted import Interrupted
from normlib.errors import NormlibError
from normlib.records import Experiment, Record, fingerprint
from normlib.records.arrays import described, pack
from normlib.sweep.plans import PLANS

NAMES = (
    "train_loss",
    "train_accuracy",
    "train_loss_running",
    "train_accuracy_running",
    "test_loss",
    "test_accuracy",
)
PAUSE = float(os.environ.get("FAKE_PAUSE", "0.02"))


def train(
    experiment: Experiment,
    *,
    device="cpu",
    threads=1,
    checkpoint=None,
    on_begin=None,
    on_epoch=None,
    on_step=None,
    should_stop=None,
    data=None,
    probes=(),
) -> Record:
    """A chain of hashes: each epoch depends on all before it, as weights do."""
    print("chatter on stdout that must not break the protocol")
    os.write(1, b"chatter below Python\n")
    state, history = experiment.key, {"epoch": [], **{name: [] for name in NAMES}, "seconds": []}
    started = datetime.now(UTC).isoformat()
    if checkpoint is not None and checkpoint.exists():
        state, history, started = json.loads(checkpoint.read_text())
    if on_begin:
        on_begin(len(history["epoch"]), "")
    for epoch in range(len(history["epoch"]) + 1, experiment.epochs + 1):
        for step in range(4):
            time.sleep(PAUSE / 4)
            if on_step:
                on_step(step + 1, 4)
        state = hashlib.sha256(f"{state}/{epoch}".encode()).hexdigest()
        history["epoch"].append(epoch)
        for at, name in enumerate(NAMES):
            history[name].append(int(state[8 * at : 8 * at + 8], 16) / 2**32)
        history["seconds"].append(PAUSE)
        if checkpoint is not None:
            atomic.write(checkpoint, json.dumps([state, history, started]).encode())
        if on_epoch:
            on_epoch(epoch, {name: values[-1] for name, values in history.items()})
        if should_stop and should_stop() and epoch < experiment.epochs:
            raise Interrupted("stopped at the end of an epoch; run it again to go on")
    found = record(experiment, history, started)
    if not probes:
        return found
    packed = pack({f"{probe}/chain": np.frombuffer(state.encode(), np.uint8) for probe in probes})
    return replace(found, arrays=described(experiment, packed, probes), packed=packed)


def record(experiment: Experiment, history=None, started="2026-01-01T00:00:00+00:00") -> Record:
    """A valid record with made-up results."""
    if history is None:
        count = experiment.epochs
        history = {"epoch": list(range(1, count + 1))}
        history |= {name: [0.5] * count for name in NAMES} | {"seconds": [1.0] * count}
    return Record(
        experiment=experiment,
        history=history,
        dataset={
            "name": experiment.dataset,
            **{f"{split}_sha256": sha for split, sha in INFO[experiment.dataset].sha256.items()},
        },
        environment=fingerprint.environment({"fake": "1"}, "cpu", 1, "fake"),
        code=fingerprint.code_state(),
        started=started,
        finished=datetime.now(UTC).isoformat(),
    )


def crash(experiment: Experiment, **options) -> Record:
    """Dies on some runs as a segmentation fault would, and works on the others."""
    if experiment.norm == "layer":
        print("the last words of a worker", file=sys.stderr, flush=True)
        os._exit(139)
    if experiment.norm == "weight":
        raise ZeroDivisionError("an honest bug")
    return train(experiment, **options)


def logged(experiment: Experiment, **options) -> Record:
    """Notes each run that is begun in ``$FAKE_LOG``, with the process that computes it."""
    with Path(os.environ["FAKE_LOG"]).open("a", encoding="utf-8") as log:
        log.write(f"{experiment.name} {os.getpid()}\n")
    return train(experiment, **options)


def altered(experiment: Experiment, **options) -> Record:
    """Another result from the same environment: what verification must notice."""
    found = train(experiment, **options)
    history = found.history | {"test_loss": [value / 2 for value in found.history["test_loss"]]}
    return Record.from_dict(found.to_dict() | {"history": history})


def unavailable(experiment: Experiment, **options) -> Record:
    """Fails as every run does when the data are missing."""
    raise NormlibError("fashion-mnist train not found; get it with `make data`")


def oddly_unavailable(experiment: Experiment, **options) -> Record:
    """Fails for a reason of its own at first."""
    if experiment == PLANS["smoke"].experiments[0]:
        raise NormlibError("something odd")
    return unavailable(experiment, **options)


def sighted(experiment: Experiment, **options) -> Record:
    """Writes into ``$FAKE_LOG`` which GPUs its process sees."""
    Path(os.environ["FAKE_LOG"]).write_text(os.environ["CUDA_VISIBLE_DEVICES"])
    return train(experiment, **options)
