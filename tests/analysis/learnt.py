"""Invented runs of source C's two layers, with arrays, for tests of what reads them."""

import dataclasses

import numpy as np

from normlib.records import Experiment, Record
from normlib.records.arrays import described, pack
from normlib.sweep.plans import PLANS
from tests.fakes import fake_record

PLAN = PLANS["mnist-optimizers"]
RATES = PLANS["mnist-rates"]
CIFAR = PLANS["cifar-optimizers"]
CIFAR_RATES = PLANS["cifar-rates"]
UNITS, STEPS, STARTS = 64, 40, 4
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
    shown = (90 if run.model == "mlp" else 60) + lead * (level - 90)
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


def fake_images(run: Experiment) -> dict[str, np.ndarray]:
    """Arrays of hallucinations: class 3 is never sure when plain; BatchNorm is recognized more."""
    chance = np.random.default_rng([run.seed, len(run.norm), len(run.optimizer)])
    shape = (2, 10, STARTS)
    confidence = np.full(shape, 0.999, np.float32)
    confidence[0, 3] = [0.2, 0.7, 0.4, 0.1]
    level = {"none": 0.2, "batch": 0.4}.get(run.norm, 0.3) + 0.2 * (run.optimizer == "adam")
    found = {
        "image": chance.integers(0, 256, (*shape, 3, 32, 32)).astype(np.uint8),
        "judged": (level + 0.05 * chance.random((2, *shape))).astype(np.float32),
        "confidence": confidence,
        "diversity": chance.random(shape[:2]).astype(np.float32),
        "accuracy": np.array([0.7, 0.8], np.float32),
        "judges": np.zeros((2, 32), np.uint8),
    }
    for name in ("sharpness", "high_frequencies", "colour_only", "distance"):
        found[name] = chance.random(shape).astype(np.float32)
    return {f"hallucinations/{name}": array for name, array in found.items()}


def fake_imagined(run: Experiment, arrays: dict[str, np.ndarray] | None = None) -> Record:
    """A valid record of a run of ``cifar-optimizers`` with these arrays, or with all."""
    plain = fake_run(run)
    if arrays is None:
        arrays = {k: v for k, v in fake_arrays(run).items() if k.startswith("steps/")}
        arrays |= fake_images(run)
    packed = pack(arrays)
    beside = described(run, packed, ["hallucinations", "steps"])
    return dataclasses.replace(plain, arrays=beside, packed=packed)


def all_cifar_runs(seeds: int) -> list[Record]:
    """Every run of the plans on CIFAR-10 up to so many seeds."""
    main = [fake_imagined(run) for run in CIFAR.experiments if run.seed < seeds]
    return main + [fake_run(run) for run in CIFAR_RATES.experiments if run.seed < seeds]
