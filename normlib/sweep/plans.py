"""Named grids of runs, one function each."""

from normlib.records import Experiment
from normlib.records.choices import suggest
from normlib.sweep.optimizers import cifar_optimizers, cifar_rates, mnist_optimizers, mnist_rates
from normlib.sweep.plan import Plan, PlanError
from normlib.sweep.resnets import (
    resnet_ablation,
    resnet_cpu,
    resnet_grid,
    resnet_histograms,
    resnet_histograms_cpu,
)

__all__ = [
    "PLANS",
    "Plan",
    "PlanError",
    "cifar_optimizers",
    "cifar_rates",
    "fashion_mnist",
    "mnist_optimizers",
    "mnist_rates",
    "named",
    "resnet_ablation",
    "resnet_cpu",
    "resnet_grid",
    "resnet_histograms",
    "resnet_histograms_cpu",
    "smoke",
]


def fashion_mnist(
    dataset: str = "fashion-mnist",
    epochs: int = 10,
    seeds: int = 20,
    peer_seeds: int = 5,
    **fields: object,
) -> Plan:
    """Return the protocol of sources A and B: a small CNN under each norm.

    ``seeds`` for the four norms in question, ``peer_seeds`` for other definitions and the
    frameworks' own layers; ``fields`` change every experiment (a smaller ``width`` for a trial).
    """
    counts = dict.fromkeys(("none", "batch", "layer", "weight"), seeds) | dict.fromkeys(
        (
            "torch:batch",
            "torch:layer",
            "torch:weight",
            "batch-batchstats",
            "layer-channels",
            "tensorflow:none",
            "tensorflow:batch",
            "tensorflow:layer",
        ),
        peer_seeds,
    )
    common: dict[str, object] = {"dataset": dataset, "epochs": epochs, **fields}
    return Plan(
        "fashion-mnist",
        "a small CNN on Fashion-MNIST under each norm (sources A and B)",
        tuple(
            Experiment.from_dict({**common, "norm": norm, "seed": seed})
            for norm, count in counts.items()
            for seed in range(count)
        ),
    )


def smoke() -> Plan:
    """Return a grid of seconds on the bundled sample, to try things out and for tests."""
    return Plan(
        "smoke",
        "four norms on the bundled sample, in seconds",
        tuple(
            Experiment(
                dataset="fashion-mnist-sample",
                norm=norm,
                seed=seed,
                epochs=2,
                width=8,
                hidden=16,
            )
            for norm in ("none", "batch", "layer", "weight")
            for seed in range(2)
        ),
    )


PLANS: dict[str, Plan] = {
    plan.name: plan
    for plan in (
        fashion_mnist(),
        mnist_optimizers(),
        mnist_rates(),
        cifar_optimizers(),
        cifar_rates(),
        resnet_ablation(),
        resnet_cpu(),
        resnet_grid(),
        resnet_histograms(),
        resnet_histograms_cpu(),
        smoke(),
    )
}


def named(name: str) -> Plan:
    """Return the plan called ``name``; PlanError with the nearest names if there is none."""
    if name not in PLANS:
        raise PlanError(f"plan {name!r:.60} is unknown; {suggest(name, PLANS)}")
    return PLANS[name]
