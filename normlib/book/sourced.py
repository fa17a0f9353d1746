"""Source E's own numbers in the shape of runs, so that what is computed of ours is of them, too."""

import dataclasses

import pandas as pd

from normlib.claims.source_e.forms import EPOCH_15
from normlib.claims.source_e.reported import REPORTED_E


def reported_runs() -> pd.DataFrame:
    """Return the source's Tables 4 to 7 as a single run of each cell, known after epoch 15 only.

    It has those columns of ``analysis.tables.runs`` that its numbers fill; each number is a mean
    of four runs, or of some number that is not stated.
    """
    rows = [
        dataclasses.asdict(one.cell)
        | {"key": one.cell.name, "seed": 0, "epoch": EPOCH_15.last, "test_accuracy": one.accuracy}
        for one in REPORTED_E
    ]
    return pd.DataFrame(rows)
