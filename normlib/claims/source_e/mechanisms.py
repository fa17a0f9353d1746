"""E10, E15 and E16: what the accuracies are taken to say about why BN works.

Of an argument from accuracies only the premise can be tested here; the readings say so.
"""

from normlib.analysis.contrasts import interaction, normalizing, rescaling
from normlib.claims.claim import Claim
from normlib.claims.forms import above
from normlib.claims.source_e.blocks import HERE, by_blocks, over_batches
from normlib.claims.source_e.forms import (
    BATCHES,
    BOTTLENECK,
    CLEAR,
    EPOCH_5,
    EPOCH_15,
    NETWORKS,
    PLAN,
    SOURCE,
    versus,
)

CELLS = tuple((model, batch_size) for model in NETWORKS for batch_size in BATCHES)

CLAIMS_MECHANISMS = (
    Claim(
        id="E10",
        source=SOURCE,
        claim="The trainable scale and shift are critical for networks of bottleneck blocks.",
        reading=(
            "Mean test accuracy after epoch 15, by seed. What BN loses without them: `batch` minus "
            f"`batch-minus` is above {CLEAR:g} points (the least that the source calls clear) in "
            "ResNet50 and in ResNet101, at batch 20 and at batch 50; and it is larger, above 0, "
            "than in ResNet18 and 34 (mean of both networks and both batch sizes). One significant "
            "reversal contradicts the claim. Beside it, in each cell, the 2x2 of normalizing and "
            "re-scaling: the main effect of re-scaling, and its interaction with normalizing, "
            "which says whether they matter by themselves or only after normalizing."
        ),
        decision="runs",
        chapters=HERE,
        plan=PLAN,
        family="E10",
        tests=(
            *(
                above(versus(model, b, "batch", "batch-minus"), EPOCH_15, low=CLEAR)
                for model in BOTTLENECK
                for b in BATCHES
            ),
            above(by_blocks("`batch` over `batch-minus`", "batch", "batch-minus"), EPOCH_15),
            *(above(rescaling(model, b), EPOCH_15, role="secondary") for model, b in CELLS),
            *(above(interaction(model, b), EPOCH_15, role="secondary") for model, b in CELLS),
            above(
                versus("resnet50", 50, "batch", "batch-minus"),
                EPOCH_5,
                low=CLEAR,
                role="secondary",
            ),
            above(rescaling("resnet50", 50), EPOCH_5, role="secondary"),
            above(interaction("resnet50", 50), EPOCH_5, role="secondary"),
        ),
    ),
    Claim(
        id="E15",
        source=SOURCE,
        claim=(
            "Less internal covariate shift is not the cause of BN's success: in ResNet101 the "
            "method that controls it most is the worst, and one that does not is the best."
        ),
        reading=(
            "The verdict is on the premise. Mean test accuracy after epoch 15 in ResNet101, paired "
            "by seed, the mean of batch 20 and 50: `batch`, `affine` and `none`, each minus "
            "`batch-minus`, and `affine` minus `batch`, are above 0. One significant reversal "
            "contradicts it, and the argument with it. The shift itself is not measured here, so "
            "that a premise that holds does not prove the conclusion."
        ),
        decision="runs",
        chapters=HERE,
        plan=PLAN,
        family="E15",
        tests=(
            *(
                above(over_batches("resnet101", other, "batch-minus"), EPOCH_15)
                for other in ("batch", "affine", "none")
            ),
            above(over_batches("resnet101", "affine", "batch"), EPOCH_15),
            *(above(normalizing("resnet101", b), EPOCH_15, role="secondary") for b in BATCHES),
        ),
    ),
    Claim(
        id="E16",
        source=SOURCE,
        claim=(
            "A smoother loss, and decoupled length and direction of the weights, do not explain "
            "ResNet50 and ResNet101: normalizing alone brings both, and does poorly there."
        ),
        reading=(
            "The verdict is on the premise. Mean test accuracy after epoch 15, paired by seed, the "
            "mean of batch 20 and 50: `none` minus `batch-minus` is above 0 in ResNet50 and in "
            "ResNet101. One significant reversal contradicts it. Neither smoothness nor decoupling "
            "is measured here. Against the argument would speak that normalizing gains with "
            "re-scaling (`batch` minus `affine`), which is shown beside it, with the main effect "
            "of normalizing."
        ),
        decision="runs",
        chapters=HERE,
        plan=PLAN,
        family="E16",
        tests=(
            *(above(over_batches(model, "none", "batch-minus"), EPOCH_15) for model in BOTTLENECK),
            *(
                above(over_batches(model, "batch", "affine"), EPOCH_15, role="secondary")
                for model in BOTTLENECK
            ),
            *(
                above(normalizing(model, b), EPOCH_15, role="secondary")
                for model in BOTTLENECK
                for b in BATCHES
            ),
            above(versus("resnet50", 50, "none", "batch-minus"), EPOCH_5, role="secondary"),
            above(versus("resnet50", 50, "batch", "affine"), EPOCH_5, role="secondary"),
            above(normalizing("resnet50", 50), EPOCH_5, role="secondary"),
        ),
    ),
)
