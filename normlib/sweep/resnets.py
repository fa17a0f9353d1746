"""The plans of source E: ResNets on CIFAR-10, what normalizing and what re-scaling contribute."""

from collections.abc import Iterable, Sequence

from normlib.records import Experiment
from normlib.records.choices import ABLATED, RESNETS
from normlib.sweep.plan import Plan

METHODS = ABLATED
"""In the source's order."""
OTHER_STARTS = (("none", "fixup"), ("affine", "data"))
"""Two better starts without normalizing: the one source E names, and the very one of BN."""
STARTS = (*((norm, "torchvision") for norm in METHODS), *OTHER_STARTS)
"""The conditions whose weights and gradients are looked at."""
REGAINED = tuple(start for start in STARTS if start[0] != "batch-minus")
"""What the gain of a better start is a share of, its zeros, and the better starts."""
PROTOCOL: dict[str, object] = {
    "dataset": "cifar10",
    "initialization": "torchvision",
    "optimizer": "adam",
    "learning_rate": 0.001,
    "epochs": 15,
}
"""No augmentation is stated; nor is the scaling of the images, which here is to [0, 1]."""


def resnet_ablation(
    networks: Sequence[str] = RESNETS,
    batch_sizes: Sequence[int] = (20, 50),
    seeds: int = 4,
    **fields: object,
) -> Plan:
    """Return source E's main table: smallest networks first, all methods of a cell together.

    ``fields`` change every experiment (fewer ``epochs`` and a ``train_size`` for a trial).
    """
    return Plan(
        "resnet-ablation",
        "four ResNets on CIFAR-10 with and without normalizing and re-scaling (source E)",
        tuple(
            run
            for network in networks
            for batch_size in batch_sizes
            for run in _cell(seeds, model=network, batch_size=batch_size, **fields)
        ),
    )


def resnet_cpu(
    seeds: int = 2, short_seeds: int = 3, short_epochs: int = 5, **fields: object
) -> Plan:
    """Return the part of the main table that two CPU cores can record in hours.

    The runs of ResNet18 are those of `resnet_ablation`. The runs of ResNet50 are cut short: since
    there is no schedule, 5 epochs are the first 5 of its 15. Their field ``epochs`` says so, and
    with it their name and key, so that none is taken for a whole run. ``fields`` change every
    experiment, all but the short runs' ``epochs``.
    """
    return Plan(
        "resnet-cpu",
        "the part of resnet-ablation for a CPU: ResNet18 whole, ResNet50 cut to 5 epochs",
        (
            *_cell(seeds, **{"model": "resnet18", "batch_size": 50, **fields}),
            *_cell(
                short_seeds,
                **{"model": "resnet50", "batch_size": 50, **fields, "epochs": short_epochs},
            ),
        ),
    )


def resnet_histograms(seeds: int = 4, **fields: object) -> Plan:
    """Return the runs whose weights and gradients are looked at, and two starts in place of a norm.

    ResNet18 at batch size 50, which source E does not state for its histograms; those that start
    as torchvision has it are `resnet_ablation`'s. ResNet50 is there for what a better start
    regains of BN's advantage. ``fields`` change every experiment.
    """
    return Plan(
        "resnet-histograms",
        "weights and gradients of ResNet18, and what a better start is worth (source E)",
        (
            *_started(STARTS, range(seeds), **{"model": "resnet18", **fields}),
            *_started(REGAINED, range(seeds), **{"model": "resnet50", **fields}),
        ),
        probes=("histograms",),
    )


def resnet_histograms_cpu(
    seeds: int = 4,
    whole_seeds: int = 2,
    short_seeds: int = 3,
    short_epochs: int = 5,
    **fields: object,
) -> Plan:
    """Return the part of `resnet_histograms` that two CPU cores can record in hours.

    Epoch 1 of ResNet18 is what the claims about histograms are decided on. Its whole runs are
    `resnet_cpu`'s. Another start's runs are cut to 5 epochs: in ResNet18 beside the other methods'
    whole runs and, for the seeds without such, the same runs cut short; in ResNet50 beside those
    of `resnet_cpu`, Fixup's alone. ``fields`` change every experiment, all but the cut runs'
    ``epochs``.
    """
    resnet18 = {**fields, "model": "resnet18"}
    short = {**fields, "epochs": short_epochs}
    fewer, more = range(short_seeds), range(whole_seeds, short_seeds)
    planned = (
        *_started(STARTS, range(seeds), **{**resnet18, "epochs": 1}),
        *_started(STARTS[: len(METHODS)], range(whole_seeds), **resnet18),
        *_started(OTHER_STARTS, fewer, **{**short, "model": "resnet18"}),
        *_started(STARTS[: len(METHODS)], more, **{**short, "model": "resnet18"}),
        *_started(OTHER_STARTS[:1], fewer, **{**short, "model": "resnet50"}),
    )
    return Plan(
        "resnet-histograms-cpu",
        "the part of resnet-histograms for a CPU: epoch 1, and ResNet18 whole for two seeds",
        planned,
        probes=("histograms",),
    )


def resnet_grid(
    networks: Sequence[str] = ("resnet18", "resnet50"),
    batch_sizes: Sequence[int] = tuple(range(20, 101, 10)),
    learning_rates: Sequence[float] = (0.01, 0.005, 0.001),
    optimizers: Sequence[str] = ("adam", "sgd"),
    seeds: int = 1,
    **fields: object,
) -> Plan:
    """Return source E's search for learning rate, optimizer and batch size.

    It selects on 5,000 training images that are held out, where the source took its test images.
    Source E states neither the runs of each combination, here one, nor the momentum of SGD, here
    0.9.
    """
    return Plan(
        "resnet-grid",
        "learning rate, optimizer and batch size, on held-out training images (source E)",
        tuple(
            run
            for network in networks
            for batch_size in batch_sizes
            for optimizer in optimizers
            for learning_rate in learning_rates
            for run in _cell(
                seeds,
                **{
                    "model": network,
                    "batch_size": batch_size,
                    "optimizer": optimizer,
                    "learning_rate": learning_rate,
                    "validation_size": 5_000,
                    **fields,
                },
            )
        ),
    )


def _started(
    starts: Sequence[tuple[str, str]], seeds: Iterable[int], **fields: object
) -> list[Experiment]:
    """Return norms with their initialization under one setting, each for ``seeds``."""
    return [
        Experiment.from_dict(
            {
                **PROTOCOL,
                "batch_size": 50,
                **fields,
                "norm": norm,
                "initialization": start,
                "seed": seed,
            }
        )
        for norm, start in starts
        for seed in seeds
    ]


def _cell(seeds: int, **fields: object) -> list[Experiment]:
    """Return all methods under one setting, each for seeds from 0."""
    return [
        Experiment.from_dict({**PROTOCOL, **fields, "norm": norm, "seed": seed})
        for norm in METHODS
        for seed in range(seeds)
    ]
