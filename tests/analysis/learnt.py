"""Invented runs of source C's two layers, with arrays, for tests of what reads them."""

import dataclasses

import numpy as np

from normlib.records import Experiment, Record
from normlib.records.arrays import described, pack
from normlib.sweep.plans import PLANS
from tests.fakes import fake_record

PLAN = PLANS["mnist-optimizers"]
RATES = PLANS["mnist-rates"]
UNITS, STEPS = 64, 40
#: Test accuracy, autocorrelation and noisy units that runs are made with, by norm.
LEVELS = {
    "none": (92.0, 0.5, 4),
    "batch": (95.0, 0.2, 0),
    "layer": (94.5, 0.25, 1),
    "group": (94.0, 0.25, 1),
    "weight": (92.5, 0.55, 4),
}


def fake_run(run: Experiment) -> Record:
    """A valid record of one experiment, near its norm's levels, without arrays."""
    level, _, _ = LEVELS[run.norm]
    lead = 0.5 if run.optimizer == "adam" else 1.0
    shown = 90 + lead * (level - 90)
    plain = fake_record("none", run.seed, level=shown, epochs=run.epochs, dataset=run.dataset)
    history = dict(plain.history)
    if run.validation_size:
        history["validation_accuracy"] = history["test_accuracy"]
    return dataclasses.replace(plain, experiment=run, history=history, key="")


def fake_learnt(run: Experiment) -> Record:
    """The same with the arrays of both probes."""
    plain = fake_run(run)
    packed = pack(fake_arrays(run))
    arrays = described(run, packed, ["first-layer", "steps"])
    return dataclasses.replace(plain, arrays=arrays, packed=packed)


def fake_arrays(run: Experiment) -> dict[str, np.ndarray]:
    """Units with the level's autocorrelation, the first of them noise."""
    chance = np.random.default_rng([run.seed, len(run.norm), len(run.optimizer)])
    _, correlation, noisy = LEVELS[run.norm]
    rows = np.linspace(0, correlation, run.epochs + 1)[:, None]
    found = rows + 0.01 * chance.normal(size=(run.epochs + 1, UNITS))
    p = np.full(UNITS, 0.0005)
    p[:noisy] = 0.6
    loss = np.linspace(2.3, 0.5, STEPS) + 0.05 * chance.normal(size=STEPS)
    return {
        "first-layer/autocorrelation": found.astype(np.float32),
        "first-layer/roughness": (1 - found).astype(np.float32),
        "first-layer/low_frequencies": (found / 2).astype(np.float32),
        "first-layer/moved": np.abs(found).astype(np.float32),
        "first-layer/p": p,
        "first-layer/image": chance.integers(-127, 128, (UNITS, 1, 28, 28)).astype(np.int8),
        "first-layer/scale": np.full(UNITS, 0.1, np.float32),
        "steps/loss": loss.astype(np.float32),
        "steps/accuracy": np.linspace(0.1, 0.8, STEPS).astype(np.float32),
    }


def all_runs(seeds: int = 10) -> list[Record]:
    """Every run of both plans up to so many seeds."""
    main = [fake_learnt(run) for run in PLAN.experiments if run.seed < seeds]
    return main + [fake_run(run) for run in RATES.experiments if run.seed < seeds]
