"""Source E's accuracies, to hold against our prediction intervals, and where they contradict."""

from dataclasses import dataclass
from statistics import fmean

import pandas as pd

from normlib.analysis import statistics
from normlib.analysis.ablation import METHODS
from normlib.analysis.contrasts import Cell
from normlib.analysis.outcome import FEWEST
from normlib.claims.source_e.forms import BASIC, BATCHES, BOTTLENECK, EPOCH_15

#: Half the last digit that the source gives, in points.
ROUNDING = 0.005


@dataclass(frozen=True, kw_only=True)
class ReportedMean:
    """One reported test accuracy in percent after 15 epochs: the mean of so many ``runs``.

    Four runs are stated for ResNet18 alone; elsewhere one is assumed, whose prediction interval is
    the wider.
    """

    table: int
    cell: Cell
    accuracy: float
    runs: int


@dataclass(frozen=True, kw_only=True)
class ReportedBest:
    """What the grid search is said to have found best for one method in two networks."""

    table: int
    networks: tuple[str, str]
    norm: str
    batch_size: int
    accuracy: float


#: Tables 4 to 7: per network, the methods in order, at batch 20 and at batch 50.
REPORTED_E = tuple(
    ReportedMean(
        table=table,
        cell=Cell(model=model, batch_size=batch_size, norm=norm),
        accuracy=accuracy,
        runs=4 if model == "resnet18" else 1,
    )
    for model, table, rows in (
        ("resnet18", 4, ((76.65, 75.69), (67.94, 69.04), (77.30, 76.44), (66.43, 68.77))),
        ("resnet34", 6, ((77.17, 75.54), (68.56, 68.37), (77.19, 75.57), (66.61, 67.82))),
        ("resnet50", 5, ((74.69, 74.24), (69.57, 69.86), (55.97, 65.40), (67.86, 69.39))),
        ("resnet101", 7, ((69.71, 67.46), (70.32, 69.59), (44.12, 41.28), (68.19, 68.45))),
    )
    for norm, accuracies in zip(METHODS, rows, strict=True)
    for batch_size, accuracy in zip(BATCHES, accuracies, strict=True)
)

#: Tables 2 and 3, each for two networks at once; Adam at 0.001 throughout.
BEST_E = tuple(
    ReportedBest(
        table=table, networks=networks, norm=norm, batch_size=batch_size, accuracy=accuracy
    )
    for table, networks, found in (
        (2, BASIC, ((30, 76.65), (80, 69.04), (20, 77.30), (80, 68.77))),
        (3, BOTTLENECK, ((70, 74.69), (80, 69.86), (100, 65.40), (70, 69.39))),
    )
    for norm, (batch_size, accuracy) in zip(METHODS, found, strict=True)
)


def predicted(table: pd.DataFrame) -> pd.DataFrame:
    """Return the source's numbers beside our mean and our prediction interval for such a mean.

    Every number has a row. Without three of our runs it has no interval, and ``inside`` is None;
    else ``inside`` says whether some value that rounds to the source's number lies in it.

    Args:
        table: ``analysis.tables.runs``'s.
    """
    rows = []
    for one in REPORTED_E:
        found = one.cell.outcomes(table, EPOCH_15).to_list()
        mean = fmean(found) if found else None
        low = high = inside = None
        if len(found) >= FEWEST:
            new = statistics.prediction_interval(found, runs=one.runs)
            low, high = new.low, new.high
            inside = low - ROUNDING <= one.accuracy <= high + ROUNDING
        rows.append(
            (
                *(one.cell.model, one.cell.batch_size, one.cell.norm, one.accuracy, one.runs),
                *(len(found), mean, low, high, inside),
            )
        )
    columns = ["model", "batch_size", "norm", "reported", "reported_runs"]
    return pd.DataFrame(rows, columns=[*columns, "n", "mean", "new_low", "new_high", "inside"])


def slips() -> pd.DataFrame:
    """Return what Tables 2 and 3 call best beside what Tables 4 to 7 have.

    ``elsewhere`` is the batch size at which Tables 4 to 7 report the very number that is said to
    come from batch size ``said``, and ``network`` the network; ``best`` is the largest number that
    they report for the method in either network.
    """
    rows = []
    for best in BEST_E:
        same = [
            one
            for one in REPORTED_E
            if one.cell.norm == best.norm and one.cell.model in best.networks
        ]
        (found,) = [one for one in same if one.accuracy == best.accuracy]
        largest = max(same, key=lambda one: one.accuracy)
        rows.append(
            (
                *(best.table, best.norm, best.accuracy, best.batch_size),
                *(found.cell.model, found.cell.batch_size),
                *(largest.accuracy, largest.cell.model, largest.cell.batch_size),
            )
        )
    names = ["table", "norm", "accuracy", "said", "network", "elsewhere"]
    return pd.DataFrame(rows, columns=[*names, "best", "best_network", "best_batch_size"])
