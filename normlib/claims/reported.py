"""The sources' final test accuracies: single runs, to hold against our prediction intervals.

A source's single run is one draw; the question is whether one new run of ours could give it,
which a prediction interval answers and a confidence interval for the mean does not.
"""

from dataclasses import dataclass

import pandas as pd

from normlib.analysis import statistics
from normlib.analysis.outcome import FEWEST, Outcome
from normlib.analysis.tables import outcomes, values


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


def predicted(table: pd.DataFrame) -> pd.DataFrame:
    """Return the sources' numbers beside our mean and our prediction interval for one new run.

    ``inside`` is true if some value that rounds to the source's number lies in the interval.
    """
    rows = []
    for number in REPORTED:
        outcome = Outcome(quantity="test_accuracy", first=number.epoch, last=number.epoch)
        found = values(outcomes(table, outcome), number.norm)
        if found.size < FEWEST:
            continue
        new = statistics.prediction_interval(found)
        inside = new.low - number.rounding <= number.accuracy <= new.high + number.rounding
        rows.append(
            (
                *(number.source, number.condition, number.norm, number.epoch),
                *(number.accuracy, number.rounding, new.n, new.mean, new.low, new.high, inside),
            )
        )
    columns = ["source", "condition", "norm", "epoch", "reported", "rounding"]
    return pd.DataFrame(rows, columns=[*columns, "n", "mean", "new_low", "new_high", "inside"])
