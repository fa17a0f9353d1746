"""The plans of source C: BatchNorm under SGD and under Adam, on MNIST and on CIFAR-10."""

from collections.abc import Mapping, Sequence

from normlib.records import Experiment
from normlib.sweep.plan import Plan

OPTIMIZERS: dict[str, dict[str, object]] = {
    "sgd": {"optimizer": "sgd", "learning_rate": 0.01, "momentum": 0.0},
    "adam": {"optimizer": "adam", "learning_rate": 0.001},
}
"""With the learning rates that the chapters' main runs have; PyTorch's defaults, where it has any.

The source fixes one learning rate for each and states none of this.
"""
SETTINGS: dict[str, dict[str, object]] = {
    "mnist": {"dataset": "mnist", "model": "mlp", "hidden": 64, "epochs": 10},
    "cifar": {"dataset": "cifar10", "model": "vgg", "width": 16, "hidden": 128, "epochs": 15},
}
"""What is fixed on each data set; networks start as PyTorch starts such layers."""
COMMON: dict[str, object] = {"initialization": "torch", "batch_size": 100}
PAIR = ("none", "batch")
"""What the source compares."""
OTHERS = ("layer", "group", "weight")
"""What shows whether an effect is BatchNorm's own."""
RATES: dict[str, Mapping[str, Sequence[float]]] = {
    "mnist": {
        "sgd": (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0),
        "adam": (0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03),
    },
    "cifar": {
        "sgd": (0.003, 0.01, 0.03, 0.1, 0.3, 1.0),
        "adam": (0.0001, 0.0003, 0.001, 0.003, 0.01),
    },
}
HELD_OUT = 5_000


def mnist_optimizers(seeds: int = 10, **fields: object) -> Plan:
    """Return two-layer networks on MNIST under each norm and optimizer.

    ``fields`` change every experiment (fewer ``epochs`` and a ``train_size`` for a trial).
    """
    return Plan(
        "mnist-optimizers",
        "a two-layer network on MNIST, with and without norms, under SGD and Adam (source C)",
        tuple(_fixed("mnist", (*PAIR, *OTHERS), seeds, fields)),
        probes=("steps", "first-layer"),
    )


def mnist_rates(
    seeds: int = 3, rates: Mapping[str, Sequence[float]] | None = None, **fields: object
) -> Plan:
    """Return the companion of `mnist_optimizers`: a range of learning rates for each optimizer.

    A rate is chosen by 5,000 training images that are held out; ``rates`` are by optimizer.
    """
    return Plan(
        "mnist-rates",
        "the same over a range of learning rates, chosen on held-out training images (source C)",
        tuple(_swept("mnist", (*PAIR, *OTHERS), seeds, rates or RATES["mnist"], fields)),
    )


def cifar_optimizers(seeds: int = 5, other_seeds: int = 1, **fields: object) -> Plan:
    """Return plain deep CNNs on CIFAR-10 with and without BatchNorm under each optimizer.

    ``other_seeds`` of other norms; ``fields`` change every experiment. Five seeds, because with
    three the four tests of C7, corrected, would all hold in one of six repetitions only, even if
    each mean were three standard deviations from 0.
    """
    return Plan(
        "cifar-optimizers",
        "a plain CNN of the VGG kind on CIFAR-10, with and without norms, under SGD and Adam",
        (
            *_fixed("cifar", PAIR, seeds, fields),
            *_fixed("cifar", OTHERS, other_seeds, fields),
        ),
        probes=("steps", "hallucinations"),
    )


def cifar_rates(
    seeds: int = 1, rates: Mapping[str, Sequence[float]] | None = None, **fields: object
) -> Plan:
    """Return the companion of `cifar_optimizers`: a range of learning rates for each optimizer."""
    return Plan(
        "cifar-rates",
        "the same over a range of learning rates, chosen on held-out training images (source C)",
        tuple(_swept("cifar", PAIR, seeds, rates or RATES["cifar"], fields)),
    )


def _fixed(
    data: str, norms: Sequence[str], seeds: int, fields: Mapping[str, object]
) -> list[Experiment]:
    # A seed is whole before the next begins, so that an unfinished plan has pairs.
    return [
        _run(data, {**optimizer, **fields, "norm": norm, "seed": seed})
        for seed in range(seeds)
        for optimizer in OPTIMIZERS.values()
        for norm in norms
    ]


def _swept(
    data: str,
    norms: Sequence[str],
    seeds: int,
    rates: Mapping[str, Sequence[float]],
    fields: Mapping[str, object],
) -> list[Experiment]:
    return [
        _run(
            data,
            {
                **OPTIMIZERS[name],
                "validation_size": HELD_OUT,
                **fields,
                "learning_rate": rate,
                "norm": norm,
                "seed": seed,
            },
        )
        for name, chosen in rates.items()
        for rate in chosen
        for norm in norms
        for seed in range(seeds)
    ]


def _run(data: str, fields: Mapping[str, object]) -> Experiment:
    return Experiment.from_dict({**COMMON, **SETTINGS[data], **fields})
