"""Source A (Nicholson 2025): six conditions on Fashion-MNIST, ten epochs, one run each.

Which of our conditions stands for which of the source's (the same mapping as for source B):

- none: ``none``; against a TensorFlow condition, ``tensorflow:none``;
- custom BN: ``batch-batchstats``, since both sources contrast their hand-written layer with one
  that keeps running averages; ``batch`` is the secondary reading. During training the two are
  the same network, so a training outcome may use ``batch``, of which there are more seeds;
- custom LN: ``layer`` (all of C, H, W); ``layer-channels`` is the secondary reading;
- custom WN: ``weight``; TensorFlow BN and LN: ``tensorflow:batch``, ``tensorflow:layer``.
"""

from normlib.claims.claim import Claim
from normlib.claims.forms import (
    ADVANTAGE,
    EPOCH_10,
    MODEST,
    NEGLIGIBLE,
    below,
    better,
    same,
    untested,
)

SOURCE = "A"
PLAN = "fashion-mnist"
HERE = ("05_fashion_mnist",)

#: The source's five normalized conditions, each with the baseline of its own framework.
NORMALIZED = (
    ("batch-batchstats", "none"),
    ("layer", "none"),
    ("weight", "none"),
    ("tensorflow:batch", "tensorflow:none"),
    ("tensorflow:layer", "tensorflow:none"),
)

CLAIMS_A = (
    Claim(
        id="A1",
        source=SOURCE,
        claim="Custom layer normalization is the best of the six conditions.",
        reading=(
            "Mean test accuracy after epoch 10, paired by seed: `layer` minus each of the other "
            "five is above 0. One significant reversal contradicts the claim."
        ),
        decision="runs",
        chapters=HERE,
        plan=PLAN,
        family="A1",
        tests=(
            better("layer", "none"),
            better("layer", "batch-batchstats"),
            better("layer", "weight"),
            better("layer", "tensorflow:batch"),
            better("layer", "tensorflow:layer"),
            better("layer", "batch", role="secondary"),
        ),
    ),
    Claim(
        id="A2",
        source=SOURCE,
        claim="No normalization beats most of the normalized conditions.",
        reading=(
            "Mean test accuracy after epoch 10, paired by seed: none (of the same framework) minus "
            "each of the five normalized conditions is above 0 for at least three of the five."
        ),
        decision="runs",
        chapters=HERE,
        plan=PLAN,
        family="A2",
        tests=(
            *(better(none, norm) for norm, none in NORMALIZED),
            better("none", "batch", role="secondary"),
            better("none", "layer-channels", role="secondary"),
        ),
        needs=3,
    ),
    Claim(
        id="A3",
        source=SOURCE,
        claim="Normalization helps only modestly on Fashion-MNIST.",
        reading=(
            "Mean test accuracy after epoch 10, paired by seed, against none of the same "
            f"framework: custom LN, which the source names, gains more than 0, and none of the "
            f"five normalized conditions gains {MODEST} points or more (twice the gain reported)."
        ),
        decision="runs",
        chapters=HERE,
        plan=PLAN,
        family="A3",
        tests=(
            better("layer", "none"),
            *(below(norm, none, MODEST) for norm, none in NORMALIZED),
            better("batch", "none", role="secondary"),
            below("batch", "none", MODEST, role="secondary"),
        ),
    ),
    Claim(
        id="A4",
        source=SOURCE,
        claim=(
            "The output difference of 2.18 between custom and TensorFlow BN comes from running "
            "averages against batch statistics."
        ),
        reading=(
            "Over declared inputs: which changes of definition (running against batch statistics, "
            "epsilon, axes, biased or unbiased variance, affine) can and cannot produce a largest "
            "output difference of that size. The source's inputs are not stated, so that the "
            "cause can be shown possible or impossible, not identified."
        ),
        decision="parity table",
        chapters=("04_parity",),
    ),
    Claim(
        id="A5",
        source=SOURCE,
        claim="The output difference of 0.107 between custom and TensorFlow LN is floating point.",
        reading=(
            "Over declared inputs: the largest output difference of two float32 evaluations of "
            "the same definition, against 0.107; and which changes of definition can produce it."
        ),
        decision="parity table",
        chapters=("04_parity",),
    ),
    Claim(
        id="A6",
        source=SOURCE,
        claim="Small gradient differences show that the custom backward pass is right.",
        reading=(
            "If wrong backward passes exist that give differences as small as the source's under "
            "a plausible loss (a sum or a mean of the outputs), small differences show nothing."
        ),
        decision="parity table",
        chapters=("04_parity",),
    ),
    *untested(
        SOURCE,
        (
            "A7",
            "LN is more robust than BN because it does not depend on the batch; small batches "
            "make BN's statistics unreliable.",
            "Needs runs at several batch sizes; all runs of this plan have batches of 100.",
        ),
    ),
    Claim(
        id="A8",
        source=SOURCE,
        claim=(
            "A gap of 1.0 points between custom and TensorFlow LN is minimal, while 0.5 points "
            "over none is an advantage."
        ),
        reading=(
            "One yardstick for both: after epoch 10, paired by seed, `layer` and "
            f"`tensorflow:layer` differ by less than {ADVANTAGE} points (what the source calls an "
            "advantage) and `layer` minus `none` is above 0."
        ),
        decision="runs",
        chapters=HERE,
        plan=PLAN,
        family="A8",
        tests=(
            same("layer", "tensorflow:layer", ADVANTAGE),
            better("layer", "none"),
            same("layer-channels", "tensorflow:layer", ADVANTAGE, role="secondary"),
            same("layer", "layer-channels", NEGLIGIBLE, EPOCH_10, role="secondary"),
        ),
    ),
)
