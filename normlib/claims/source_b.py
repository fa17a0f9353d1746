"""Source B (Nagaraja, lab 3): six conditions on Fashion-MNIST, four epochs, one run each.

Which of our conditions stands for which of the source's: see ``source_a``.
"""

import math

from normlib.analysis.outcome import Outcome
from normlib.claims.claim import Claim, Test
from normlib.claims.forms import (
    ADVANTAGE,
    EPOCH_4,
    EPOCH_10,
    NEGLIGIBLE,
    SPEED,
    below,
    better,
    between,
    same,
    untested,
)

SOURCE = "B"
PLAN = "fashion-mnist"
HERE = ("05_fashion_mnist",)
LAST_TRAINING = Outcome(quantity="train_accuracy_running", first=4, last=4)
GAP = Outcome(quantity="generalization_gap", first=4, last=4)

#: Standard deviation (points) at which two single runs of one condition, differing in the seed
#: alone, differ by more than NEGLIGIBLE in 5% of cases: NEGLIGIBLE / (1.96 sqrt 2).
NOISE = round(NEGLIGIBLE / (1.96 * math.sqrt(2)), 4)

CLAIMS_B = (
    Claim(
        id="B1",
        source=SOURCE,
        claim="BN converges faster than no normalization in training accuracy.",
        reading=(
            "Area under the training accuracy (running mean over the epoch's batches, averaged "
            "over epochs 1 to 4), paired by seed: `batch` minus `none` and `tensorflow:batch` "
            "minus `tensorflow:none` are above 0. (While training, custom BN is `batch`.)"
        ),
        decision="runs",
        chapters=HERE,
        plan=PLAN,
        family="B1-B3",
        tests=(
            better("batch", "none", SPEED),
            better("tensorflow:batch", "tensorflow:none", SPEED),
            better("batch", "none", LAST_TRAINING, role="secondary"),
            better("tensorflow:batch", "tensorflow:none", LAST_TRAINING, role="secondary"),
        ),
    ),
    Claim(
        id="B2",
        source=SOURCE,
        claim="LN converges faster than no normalization in training accuracy.",
        reading=(
            "As B1: `layer` minus `none` and `tensorflow:layer` minus `tensorflow:none` are "
            "above 0."
        ),
        decision="runs",
        chapters=HERE,
        plan=PLAN,
        family="B1-B3",
        tests=(
            better("layer", "none", SPEED),
            better("tensorflow:layer", "tensorflow:none", SPEED),
            better("layer-channels", "none", SPEED, role="secondary"),
            better("layer", "none", LAST_TRAINING, role="secondary"),
        ),
    ),
    Claim(
        id="B3",
        source=SOURCE,
        claim="WN converges faster than no normalization in training accuracy.",
        reading="As B1: `weight` minus `none` is above 0.",
        decision="runs",
        chapters=HERE,
        plan=PLAN,
        family="B1-B3",
        tests=(
            better("weight", "none", SPEED),
            better("weight", "none", LAST_TRAINING, role="secondary"),
        ),
    ),
    Claim(
        id="B4",
        source=SOURCE,
        claim="Custom BN is best in its group, and TensorFlow BN is below no normalization.",
        reading=(
            "Mean test accuracy after epoch 4, paired by seed: `batch-batchstats` minus `none`, "
            "`batch-batchstats` minus `tensorflow:batch` and `tensorflow:none` minus "
            "`tensorflow:batch` are all above 0."
        ),
        decision="runs",
        chapters=HERE,
        plan=PLAN,
        family="B4",
        tests=(
            better("batch-batchstats", "none", EPOCH_4),
            better("batch-batchstats", "tensorflow:batch", EPOCH_4),
            better("tensorflow:none", "tensorflow:batch", EPOCH_4),
            better("batch", "none", EPOCH_4, role="secondary"),
            better("batch", "tensorflow:batch", EPOCH_4, role="secondary"),
        ),
    ),
    Claim(
        id="B5",
        source=SOURCE,
        claim="TensorFlow LN is the best overall, and LN generalizes best.",
        reading=(
            "Mean test accuracy after epoch 4, paired by seed: `tensorflow:layer` minus each of "
            "the other five, and `layer` minus `batch-batchstats` and minus `weight`, are all "
            "above 0 (the source measures generalization by test accuracy)."
        ),
        decision="runs",
        chapters=HERE,
        plan=PLAN,
        family="B5",
        tests=(
            better("tensorflow:layer", "tensorflow:none", EPOCH_4),
            better("tensorflow:layer", "batch-batchstats", EPOCH_4),
            better("tensorflow:layer", "tensorflow:batch", EPOCH_4),
            better("tensorflow:layer", "layer", EPOCH_4),
            better("tensorflow:layer", "weight", EPOCH_4),
            better("layer", "batch-batchstats", EPOCH_4),
            better("layer", "weight", EPOCH_4),
            better("layer", "batch", EPOCH_4, role="secondary"),
            better("layer", "none", EPOCH_4, role="secondary"),
            below("layer", "none", 0.0, GAP, role="secondary"),
            below("layer", "batch", 0.0, GAP, role="secondary"),
        ),
    ),
    Claim(
        id="B6",
        source=SOURCE,
        claim="WN gains about 0.2 points of test accuracy, consistently.",
        reading=(
            "Test accuracy after epoch 4, `weight` minus `none`, paired by seed. About 0.2 points: "
            f"the mean lies between 0 and 0.4 (0.2 plus or minus {NEGLIGIBLE}). Consistently: the "
            "gain is positive in more than three quarters of seeds (exact binomial test)."
        ),
        decision="runs",
        chapters=HERE,
        plan=PLAN,
        family="B6",
        tests=(
            between("weight", "none", 0.2 - NEGLIGIBLE, 0.2 + NEGLIGIBLE, EPOCH_4),
            Test(kind="share", first="weight", second="none", outcome=EPOCH_4, low=75.0),
            better("weight", "none", EPOCH_10, role="secondary"),
        ),
    ),
    Claim(
        id="B7",
        source=SOURCE,
        claim="Differences under about 0.2 points do not matter in practice.",
        reading=(
            "What matters is a judgement; measurable is whether the seed alone makes such "
            "differences. Standard deviation over seeds of the test accuracy after epoch 4 of "
            f"`none`, `batch`, `layer`, `weight`: above {NOISE} points, where two single runs of "
            f"one condition differ by more than {NEGLIGIBLE} points in over 5% of cases "
            "(chi-square interval; equal means)."
        ),
        decision="runs",
        chapters=HERE,
        plan=PLAN,
        family="B7",
        tests=(
            *(
                Test(kind="spread", first=norm, second=None, outcome=EPOCH_4, low=NOISE)
                for norm in ("none", "batch", "layer", "weight")
            ),
            same("tensorflow:batch", "tensorflow:none", NEGLIGIBLE, EPOCH_4, role="secondary"),
            same("batch", "none", NEGLIGIBLE, EPOCH_4, role="secondary"),
            same("layer", "none", NEGLIGIBLE, EPOCH_4, role="secondary"),
            same("weight", "none", NEGLIGIBLE, EPOCH_4, role="secondary"),
        ),
    ),
    Claim(
        id="B8",
        source=SOURCE,
        claim=(
            "Custom and framework layers differ only by floating-point noise and, by 0.2 to 0.5 "
            "points, by running averages; close accuracies confirm that the gradients are right."
        ),
        reading=(
            "Here, the accuracies, test accuracy after epoch 4 paired by seed: "
            f"`batch-batchstats` and `tensorflow:batch`, `layer` and `tensorflow:layer` differ by "
            f"less than {ADVANTAGE} points, and evaluating with batch instead of running "
            "statistics (`batch-batchstats` minus `batch`, the same training) gains 0.2 to 0.5 "
            "points. The gradients are decided by the parity table of chapter 04."
        ),
        decision="runs",
        chapters=("04_parity", "05_fashion_mnist"),
        plan=PLAN,
        family="B8",
        tests=(
            same("batch-batchstats", "tensorflow:batch", ADVANTAGE, EPOCH_4),
            same("layer", "tensorflow:layer", ADVANTAGE, EPOCH_4),
            between("batch-batchstats", "batch", NEGLIGIBLE, ADVANTAGE, EPOCH_4),
            same("batch", "torch:batch", NEGLIGIBLE, EPOCH_4, role="secondary"),
            same("layer", "torch:layer", NEGLIGIBLE, EPOCH_4, role="secondary"),
            same("weight", "torch:weight", NEGLIGIBLE, EPOCH_4, role="secondary"),
            same("none", "tensorflow:none", NEGLIGIBLE, EPOCH_4, role="secondary"),
            same("batch", "tensorflow:batch", NEGLIGIBLE, EPOCH_4, role="secondary"),
            same("layer-channels", "tensorflow:layer", NEGLIGIBLE, EPOCH_4, role="secondary"),
        ),
    ),
    *untested(
        SOURCE,
        (
            "B9",
            "LN is better than BN when batches are small.",
            "Needs runs at several batch sizes; all runs of this plan have batches of 100.",
        ),
    ),
)
