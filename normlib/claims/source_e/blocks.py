"""E1 to E5: which method is best in which network, by the kind of its blocks."""

from normlib.analysis.contrasts import MINUS, Cell, Contrast, averaged, combined, rescaling, single
from normlib.claims.claim import Claim, Test
from normlib.claims.forms import above, under, within
from normlib.claims.source_e.forms import (
    BASIC,
    BATCHES,
    BOTTLENECK,
    COLLAPSE,
    EPOCH_5,
    EPOCH_15,
    LAST_FIVE,
    NETWORKS,
    PLAN,
    SLIGHT,
    SOURCE,
    versus,
)

HERE = ("08_resnet_ablation",)
OTHERS = ("batch", "batch-minus", "none")


def in_blocks(norm: str, networks: tuple[str, str], minus: str | None = None) -> Contrast:
    """Return a method's outcome, or its gain, over both batch sizes and two networks."""
    each = [
        versus(model, batch_size, norm, minus)
        if minus
        else single(Cell(model=model, batch_size=batch_size, norm=norm))
        for model in networks
        for batch_size in BATCHES
    ]
    return averaged(f"`{norm}` in {' and '.join(networks)}", each)


def by_blocks(words: str, norm: str, minus: str | None = None) -> Contrast:
    """Return bottleneck minus basic networks, of a method's outcome or of its gain."""
    parts = ((1.0, in_blocks(norm, BOTTLENECK, minus)), (-1.0, in_blocks(norm, BASIC, minus)))
    return combined(f"{words}, bottleneck minus basic networks, both batches", parts)


def over_batches(model: str, first: str, second: str) -> Contrast:
    """Return ``first`` minus ``second`` in one network, the mean of both batch sizes."""
    each = [versus(model, batch_size, first, second) for batch_size in BATCHES]
    words = each[0].words.replace(f"batch {BATCHES[0]}", "both batches")
    return averaged(words, each)


def _at_least_as_well(name: str, model: str) -> Claim:
    network = model.replace("resnet", "ResNet")
    return Claim(
        id=name,
        source=SOURCE,
        claim=f"In {network}, of basic blocks, BN-minus does at least as well as BN.",
        reading=(
            f"Mean test accuracy after epoch 15 in {network}, paired by seed, at batch 20 and at "
            f"batch 50: `batch-minus` minus `batch` is above {MINUS}{SLIGHT:g} point, the source's "
            "own measure of a slight difference. A significantly larger loss at one batch size "
            "contradicts the claim. Beside it: whether it is better, or the same to within a point."
        ),
        decision="runs",
        chapters=HERE,
        plan=PLAN,
        family=name,
        tests=(
            *(
                above(versus(model, b, "batch-minus", "batch"), EPOCH_15, low=-SLIGHT)
                for b in BATCHES
            ),
            above(over_batches(model, "batch-minus", "batch"), EPOCH_15, role="secondary"),
            within(
                over_batches(model, "batch-minus", "batch"),
                EPOCH_15,
                margin=SLIGHT,
                role="secondary",
            ),
            *(
                above(
                    versus(model, b, "batch-minus", "batch"),
                    LAST_FIVE,
                    low=-SLIGHT,
                    role="secondary",
                )
                for b in BATCHES
            ),
            *(
                above(versus(model, b, "batch-minus", "affine"), EPOCH_15, role="secondary")
                for b in BATCHES
            ),
        ),
    )


def _gains() -> tuple[Test, ...]:
    """Return E5's other readings: gains over none in every cell, and by kind of block."""
    cells = [(model, b) for model in NETWORKS for b in BATCHES]
    return (
        *(
            above(versus(model, b, "affine", "none"), EPOCH_15, role="secondary")
            for model, b in cells
        ),
        above(by_blocks("`affine` over `none`", "affine", "none"), EPOCH_15, role="secondary"),
        above(by_blocks("`none`", "none"), EPOCH_15, role="secondary"),
        *(
            above(versus("resnet101", b, "affine", other), EPOCH_15, role="secondary")
            for b in BATCHES
            for other in OTHERS[:2]
        ),
        *(above(rescaling(model, b), EPOCH_15, role="secondary") for model, b in cells),
    )


CLAIMS_BLOCKS = (
    _at_least_as_well("E1", "resnet18"),
    _at_least_as_well("E2", "resnet34"),
    Claim(
        id="E3",
        source=SOURCE,
        claim="In ResNet50, of bottleneck blocks, BN-minus falls below no normalization.",
        reading=(
            "Mean test accuracy after epoch 15 in ResNet50, paired by seed, at batch 20 and at "
            "batch 50: `batch-minus` minus `none` is below 0. One significant reversal contradicts "
            "the claim. Runs cut at 5 epochs decide nothing about epoch 15: theirs is a secondary "
            "reading."
        ),
        decision="runs",
        chapters=HERE,
        plan=PLAN,
        family="E3",
        tests=(
            *(under(versus("resnet50", b, "batch-minus", "none"), EPOCH_15) for b in BATCHES),
            *(
                under(versus("resnet50", b, "batch-minus", "none"), LAST_FIVE, role="secondary")
                for b in BATCHES
            ),
            *(
                under(versus("resnet50", b, "batch-minus", "affine"), EPOCH_15, role="secondary")
                for b in BATCHES
            ),
            under(versus("resnet50", 50, "batch-minus", "none"), EPOCH_5, role="secondary"),
            under(versus("resnet50", 50, "batch-minus", "affine"), EPOCH_5, role="secondary"),
        ),
    ),
    Claim(
        id="E4",
        source=SOURCE,
        claim="In ResNet101 BN-minus collapses.",
        reading=(
            "Mean test accuracy after epoch 15 in ResNet101, paired by seed, at batch 20 and at "
            f"batch 50: `none` minus `batch-minus` is above {COLLAPSE:g} points, a loss between "
            "those that the source reports for ResNet50 (7.9) and for ResNet101 (25.6). A loss "
            "significantly below that at one batch size contradicts the claim."
        ),
        decision="runs",
        chapters=HERE,
        plan=PLAN,
        family="E4",
        tests=(
            *(
                above(versus("resnet101", b, "none", "batch-minus"), EPOCH_15, low=COLLAPSE)
                for b in BATCHES
            ),
            *(
                above(versus("resnet101", b, "none", "batch-minus"), EPOCH_15, role="secondary")
                for b in BATCHES
            ),
            *(
                above(
                    versus("resnet101", b, "batch", "batch-minus"),
                    EPOCH_15,
                    low=COLLAPSE,
                    role="secondary",
                )
                for b in BATCHES
            ),
        ),
    ),
    Claim(
        id="E5",
        source=SOURCE,
        claim=(
            "AffineLayer is the best in ResNet101, and better in bottleneck than in basic networks."
        ),
        reading=(
            "Mean test accuracy after epoch 15, by seed, the mean of batch 20 and 50: `affine` "
            "minus each of the other three in ResNet101, and `affine` in ResNet50 and 101 minus "
            "`affine` in ResNet18 and 34, are above 0. One significant reversal contradicts the "
            "claim. That a network without any of both may do better in bottleneck networks, too, "
            "is the second reading: the gain of `affine` over `none` in each cell, and by how much "
            "it is larger with bottleneck blocks."
        ),
        decision="runs",
        chapters=HERE,
        plan=PLAN,
        family="E5",
        tests=(
            *(above(over_batches("resnet101", "affine", other), EPOCH_15) for other in OTHERS),
            above(by_blocks("`affine`", "affine"), EPOCH_15),
            *_gains(),
        ),
    ),
)
