"""Source E's outcomes and yardsticks, and a short way to write its differences down.

Four runs of each condition, as the source has for ResNet18, find a difference of 2.1 standard
deviations of the paired differences in 80% of cases, three runs one of 3.3, before correction for
several tests (`analysis.statistics.detectable`). So few runs can tell the source's large effects
from none, but hardly show that two conditions agree to a point.
"""

from normlib.analysis.contrasts import Cell, Contrast, difference
from normlib.analysis.outcome import Outcome

SOURCE = "E"
PLAN = "resnet-ablation"
BATCHES = (20, 50)
BASIC = ("resnet18", "resnet34")
BOTTLENECK = ("resnet50", "resnet101")
NETWORKS = (*BASIC, *BOTTLENECK)

#: The source's validation set is CIFAR-10's test set; it reports after its last epoch.
EPOCH_15 = Outcome(quantity="test_accuracy", first=15, last=15)
#: A quieter reading: the rate is constant, so that single epochs jump.
LAST_FIVE = Outcome(quantity="test_accuracy", first=11, last=15)
#: For runs cut short. They say nothing of epoch 15, so nothing is decided by them.
EPOCH_5 = Outcome(quantity="test_accuracy", first=5, last=5)

#: Points up to which the source calls a difference slight or marginal between methods (it has 0.65
#: and 0.75 in ResNet18, 0.02 and 0.03 in ResNet34), rounded up.
SLIGHT = 1.0
#: Points up to which it calls a difference marginal between batch sizes (2.34 in ResNet18 without
#: either), rounded up.
MARGINAL = 2.5
#: Points from which it calls a difference clear (4.46, ResNet50 at batch 50), rounded down.
CLEAR = 4.0
#: Points that a collapse costs: between what BN-minus loses against none in the source's ResNet50
#: (7.9, the mean of both batch sizes) and in its ResNet101 (25.6).
COLLAPSE = 10.0


def versus(model: str, batch_size: int, first: str, second: str) -> Contrast:
    """Return ``first`` minus ``second`` in one network at one batch size."""
    return difference(
        Cell(model=model, batch_size=batch_size, norm=first),
        Cell(model=model, batch_size=batch_size, norm=second),
    )
