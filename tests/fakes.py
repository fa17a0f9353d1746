"""Invented records, for tests of what reads them; never to be committed as results."""

from collections.abc import Sequence

import numpy as np

from normlib.records import Experiment, Record

#: Invented final test accuracies (percent) at epoch 10 by condition.
LEVELS = {
    "none": 90.6,
    "batch": 91.0,
    "batch-batchstats": 90.9,
    "layer": 91.1,
    "layer-channels": 90.8,
    "weight": 90.7,
    "torch:batch": 91.0,
    "torch:layer": 91.1,
    "torch:weight": 90.7,
    "tensorflow:none": 90.6,
    "tensorflow:batch": 90.5,
    "tensorflow:layer": 90.8,
}
SEEDS = {norm: 20 if norm in ("none", "batch", "layer", "weight") else 5 for norm in LEVELS}


def fake_record(
    norm: str = "none",
    seed: int = 0,
    *,
    level: float | None = None,
    epochs: int = 10,
    dataset: str = "fashion-mnist",
    diverged_at: int | None = None,
) -> Record:
    """Return a valid record with a smooth, noisy learning curve toward ``level`` percent."""
    experiment = Experiment(norm=norm, seed=seed, epochs=epochs, dataset=dataset)
    chance = np.random.default_rng([seed, sum(map(ord, norm))])
    epoch = np.arange(1, epochs + 1)
    level = LEVELS[norm] if level is None else level
    shared = np.random.default_rng(seed).normal(0, 0.15)
    test = level - 6.0 / epoch + 0.6 + shared + chance.normal(0, 0.2, epochs)
    train = test + 0.35 * epoch
    running = train - 4.0 / epoch
    history: dict[str, list[float | int | None]] = {
        "epoch": epoch.tolist(),
        "train_loss": ((100 - train) / 35).tolist(),
        "train_accuracy": (train / 100).tolist(),
        "train_loss_running": ((100 - running) / 35).tolist(),
        "train_accuracy_running": (running / 100).tolist(),
        "test_loss": ((100 - test) / 32).tolist(),
        "test_accuracy": (test / 100).tolist(),
        "seconds": (12 + chance.random(epochs)).tolist(),
    }
    if diverged_at is not None:
        for name, values in history.items():
            last = None if name not in ("epoch", "seconds") else values[diverged_at - 1]
            history[name] = [*values[: diverged_at - 1], last]
    return Record(
        experiment=experiment,
        status="finished" if diverged_at is None else "diverged",
        history=history,
        dataset={"name": dataset, "train_sha256": "0" * 64, "test_sha256": "1" * 64},
        environment={
            "python": "3.11.9",
            "platform": "an invented platform",
            "cpu": "an invented processor",
            "instruction_set": "AVX2",
            "device": "cpu",
            "threads": 1,
            "mode": "eager",
        },
        code={"version": "0", "commit": None, "dirty": None, "sha256": "2" * 64},
        started="2026-01-01T00:00:00+00:00",
        finished="2026-01-01T00:10:00+00:00",
    )


def fake_sweep(seeds: dict[str, int] | None = None, without: Sequence[str] = ()) -> list[Record]:
    """Return invented records of every condition of plan fashion-mnist."""
    seeds = SEEDS if seeds is None else seeds
    return [
        fake_record(norm, seed)
        for norm in seeds
        if norm not in without
        for seed in range(seeds[norm])
    ]
