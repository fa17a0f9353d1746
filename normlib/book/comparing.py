"""Our numbers beside the sources', and beside each other, as rows of text."""

from collections.abc import Iterable

import pandas as pd

from normlib.analysis import summaries
from normlib.analysis.contrasts import MINUS
from normlib.analysis.outcome import Outcome
from normlib.book.showing import interval, level, p_value, signed
from normlib.claims import REPORTED
from normlib.figures.palette import label


def beside(table: pd.DataFrame) -> pd.DataFrame:
    """Return each condition's mean test accuracy [95% interval] where a source has a number."""
    columns: dict[str, dict[str, str]] = {}
    for source, epoch in (("B", 4), ("A", 10)):
        outcome = Outcome(quantity="test_accuracy", first=epoch, last=epoch)
        summary = summaries.summary(table, outcome)
        ours = {
            row["norm"]: level(row["mean"], row["low"], row["high"], row["n"])
            for _, row in summary.iterrows()
        }
        theirs = {
            number.norm: f"{number.accuracy:.{2 if number.rounding < 0.1 else 1}f}"
            for number in REPORTED
            if number.source == source
        }
        columns[f"epoch {epoch}: mean [95% interval] (%)"] = ours
        columns[f"source {source} (%)"] = theirs
    counts = table.groupby("norm", observed=True)["seed"].nunique()
    rows = [
        (label(str(norm)), int(n), *(found.get(str(norm)) for found in columns.values()))
        for norm, n in counts.items()
    ]
    return pd.DataFrame(rows, columns=["condition", "seeds", *columns])


def contrasts(tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Return paired differences as text, those of every table below each other.

    ``tables`` maps what was measured to ``analysis.summaries.differences`` or ``equivalences``.
    """
    rows = [
        (
            f"{label(row['first'])} {MINUS} {label(row['second'])}",
            what.replace("epoch ", "epoch\N{NO-BREAK SPACE}"),
            int(row["n"]),
            f"{signed(row['mean'])}\N{NO-BREAK SPACE}{interval(row['low'], row['high'])}",
            p_value(row["p_holm"]),
            row.get("equivalent", row.get("detectable")),
        )
        for what, table in tables.items()
        for _, row in table.iterrows()
    ]
    equivalence = any("equivalent" in table for table in tables.values())
    last = "equivalent" if equivalence else "detectable"
    names = ["compared", "after", "seeds", "points [95% interval]", "p (Holm)", last]
    return pd.DataFrame(rows, columns=names)


def detectable(tables: Iterable[pd.DataFrame]) -> str:
    """Say what so many seeds could have shown: the range over comparisons, by number of seeds."""
    everything = pd.concat([*tables])
    found = [
        f"{group['detectable'].min():.2f} to {group['detectable'].max():.2f} points "
        f"with {int(str(n))} seeds"
        for n, group in everything.groupby("n", sort=True)
    ]
    return "; ".join(found) or "nothing yet, for lack of runs"
