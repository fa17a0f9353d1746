"""E6, E9 and E13: batch size, optimizer and learning rate."""

from normlib.analysis.ablation import METHODS
from normlib.analysis.contrasts import Cell, Contrast, combined, difference, single
from normlib.analysis.outcome import Outcome
from normlib.claims.claim import Claim
from normlib.claims.forms import above, within
from normlib.claims.source_e.forms import (
    CLEAR,
    EPOCH_15,
    MARGINAL,
    NETWORKS,
    PLAN,
    SOURCE,
)

HERE = ("08_resnet_ablation",)
GRID = "resnet-grid"
#: The networks of the grid, the images it holds out, and the settings beside Adam at 0.001.
SEARCHED = ("resnet18", "resnet50")
HELD_OUT = 5_000
RIVALS = (("adam", 0.005), ("adam", 0.01), ("sgd", 0.001), ("sgd", 0.005), ("sgd", 0.01))
#: What is selected is selected on held-out training images.
SELECTED_BY = Outcome(quantity="validation_accuracy", first=15, last=15)


def batch_sizes(model: str, norm: str, larger: int = 50, smaller: int = 20) -> Contrast:
    """Return one method at one batch size minus the same at another."""
    return difference(
        Cell(model=model, batch_size=larger, norm=norm),
        Cell(model=model, batch_size=smaller, norm=norm),
    )


def settings(model: str, norm: str, optimizer: str, learning_rate: float) -> Contrast:
    """Return Adam at 0.001 minus another setting, at batch 50, on held-out images."""
    best = Cell(model=model, norm=norm, batch_size=50, validation_size=HELD_OUT)
    other = Cell(
        model=model,
        norm=norm,
        batch_size=50,
        validation_size=HELD_OUT,
        optimizer=optimizer,
        learning_rate=learning_rate,
    )
    return difference(best, other)


def from_30_on(model: str) -> Contrast:
    """Return BN's mean over the grid's batch sizes of 30 and more minus that at 20."""
    sizes = range(30, 101, 10)
    cells = {
        size: single(Cell(model=model, norm="batch", batch_size=size, validation_size=HELD_OUT))
        for size in (20, *sizes)
    }
    parts = [(-1.0, cells[20]), *((1 / len(sizes), cells[size]) for size in sizes)]
    network = model.replace("resnet", "ResNet")
    return combined(f"`batch`: batches of 30 to 100 minus 20, {network}", parts)


CLAIMS_SETTINGS = (
    Claim(
        id="E6",
        source=SOURCE,
        claim="Batch sizes of 20 and 50 differ little.",
        reading=(
            "Mean test accuracy after epoch 15, paired by seed, batch 50 minus batch 20 for each "
            f"of the four methods in each of the four networks: all 16 within {MARGINAL} points, "
            "what the source calls marginal in its table of ResNet18 (up to 2.34). One difference "
            "significantly beyond that contradicts the claim. Four runs can contradict it; to "
            "support it they would have to agree to a fraction of a point."
        ),
        decision="runs",
        chapters=HERE,
        plan=PLAN,
        family="E6",
        tests=(
            *(
                within(batch_sizes(model, norm), EPOCH_15, margin=MARGINAL)
                for model in NETWORKS
                for norm in METHODS
            ),
            # The source's own table, against its own words: 55.97 and 65.40.
            above(batch_sizes("resnet50", "batch-minus"), EPOCH_15, low=CLEAR, role="secondary"),
        ),
    ),
    Claim(
        id="E9",
        source=SOURCE,
        claim="Adam with a learning rate of 0.001 is the best of the grid in every case.",
        reading=(
            "Accuracy on 5,000 held-out training images after epoch 15, paired by seed, at batch "
            "50, for each method in ResNet18 and ResNet50: Adam at 0.001 minus each of the other "
            "five settings (Adam at 0.005, 0.01; SGD at 0.001, 0.005, 0.01) is above 0, 40 "
            "differences. One significant reversal contradicts the claim. It takes three runs of "
            "a combination; a grid of single runs decides nothing."
        ),
        decision="runs",
        chapters=HERE,
        plan=GRID,
        family="E9",
        tests=tuple(
            above(settings(model, norm, *rival), SELECTED_BY)
            for model in SEARCHED
            for norm in METHODS
            for rival in RIVALS
        ),
    ),
    Claim(
        id="E13",
        source=SOURCE,
        claim="BN does better at batch sizes of 30 or more.",
        reading=(
            "Mean test accuracy after epoch 15, paired by seed: `batch` at batch 50 minus `batch` "
            "at batch 20 is above 0 in each of the four networks, at the same learning rate and "
            "number of epochs (thus with fewer updates). One significant reversal contradicts the "
            "claim; the source's own tables are reversed in all four. Beside it: the grid's batch "
            "sizes of 30 to 100 against 20, on held-out images."
        ),
        decision="runs",
        chapters=HERE,
        plan=PLAN,
        family="E13",
        tests=(
            *(above(batch_sizes(model, "batch"), EPOCH_15) for model in NETWORKS),
            *(above(from_30_on(model), SELECTED_BY, role="secondary") for model in SEARCHED),
        ),
    ),
)
