"""The sources' final test accuracies: single runs, to hold against our prediction intervals.

A source's single run is one draw; the question is whether one new run of ours could give it,
which a prediction interval answers and a confidence interval for the mean does not.
"""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Reported:
    """One reported test accuracy in percent, and the condition of ours that stands for it.

    ``rounding`` is half the last digit given, in points: a number agrees with an interval if any
    value that rounds to it lies inside.
    """

    source: str
    condition: str
    norm: str
    epoch: int
    accuracy: float
    rounding: float


REPORTED = tuple(
    Reported(
        source=source,
        condition=condition,
        norm=norm,
        epoch=epoch,
        accuracy=accuracy,
        rounding=rounding,
    )
    for source, epoch, rounding, numbers in (
        ("A", 10, 0.25, (90.5, 89.5, 91.0, 90.0, 89.0, 90.0)),
        ("B", 4, 0.005, (88.25, 88.55, 88.29, 88.46, 88.14, 88.68)),
    )
    for (condition, norm), accuracy in zip(
        (
            ("none", "none"),
            ("custom BN", "batch-batchstats"),
            ("custom LN", "layer"),
            ("custom WN", "weight"),
            ("TensorFlow BN", "tensorflow:batch"),
            ("TensorFlow LN", "tensorflow:layer"),
        ),
        numbers,
        strict=True,
    )
)
