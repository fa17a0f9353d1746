"""Source E's ablation as rows of text: what is recorded, and our numbers beside the source's."""

from collections.abc import Iterable

import pandas as pd

from normlib.analysis.contrasts import network
from normlib.analysis.outcome import FEWEST
from normlib.analysis.searched import VARIED
from normlib.book.showing import interval, level, limits, signed
from normlib.claims.source_e.reported import BEST_E
from normlib.figures.palette import label
from normlib.records import Experiment

#: Fields of an experiment that a protocol names, and where source E's value comes from.
ORIGINS = {
    "dataset": "E",
    "train_size": "E",
    "input_scaling": "not stated",
    "model": "E",
    "initialization": "not stated; PyTorch's models come with it",
    "optimizer": "E",
    "learning_rate": "E",
    "weight_decay": "not stated",
    "schedule": "not stated",
    "batch_size": "E",
    "last_batch": "not stated",
    "epochs": "E",
}


def covered(found: pd.DataFrame) -> pd.DataFrame:
    """Return a row per network, batch size and length of run: how many runs of each method.

    Args:
        found: ``analysis.coverage.coverage``'s.
    """
    rows = []
    for (model, batch_size, epochs), cell in found.groupby(
        ["model", "batch_size", "epochs"], sort=False
    ):
        methods = {label(row["norm"]): _of(row) for _, row in cell.iterrows()}
        rows.append(
            {
                "network": network(str(model)),
                "batch": batch_size,
                "epochs": epochs,
                **methods,
                "computed on": _devices(cell["devices"]) or None,
            }
        )
    return pd.DataFrame(rows)


def _of(row: pd.Series) -> str:
    words = f"{row['recorded']} of {row['planned']}".replace(" ", "\N{NO-BREAK SPACE}")
    if 0 < row["recorded"] < row["planned"]:
        seeds = "seed" if row["recorded"] == 1 else "seeds"
        words += f" ({seeds} {', '.join(map(str, row['seeds']))})"
    return words + (f", {row['diverged']} diverged" if row["diverged"] else "")


def _devices(each: Iterable[dict[str, int]]) -> str:
    runs: dict[str, int] = {}
    for counts in each:
        for name, count in counts.items():
            runs[name] = runs.get(name, 0) + count
    if len(runs) == 1:
        return next(iter(runs))
    return "\n".join(f"{name}: {count} runs" for name, count in sorted(runs.items()))


def beside(cells: pd.DataFrame, predicted: pd.DataFrame, model: str) -> pd.DataFrame:
    """Return a row per method and batch size of one network, ours beside the source's.

    Args:
        cells: ``analysis.ablation.cells``.
        predicted: ``claims.source_e.reported.predicted``.
        model: Which network.
    """
    keys = ["model", "batch_size", "norm"]
    both = cells.merge(predicted, on=keys, how="left", suffixes=("", "_predicted"))
    rows = [
        (
            label(row["norm"]),
            row["batch_size"],
            row["n"],
            _mean(row),
            None if pd.isna(row["new_low"]) else limits(row["new_low"], row["new_high"]),
            None if pd.isna(row["reported"]) else f"{row['reported']:.2f}",
            None if pd.isna(row["inside"]) else bool(row["inside"]),
        )
        for _, row in both[both["model"] == model].iterrows()
    ]
    names = ["method", "batch", "seeds", "mean [95% interval] (%)"]
    return pd.DataFrame(rows, columns=[*names, "new mean (%)", "source E (%)", "inside"])


def means(cells: pd.DataFrame) -> pd.DataFrame:
    """Return a row per cell, ours alone: for runs that the source has nothing to compare with."""
    rows = [
        (network(row["model"]), row["batch_size"], label(row["norm"]), row["n"], _mean(row))
        for _, row in cells.iterrows()
    ]
    names = ["network", "batch", "method", "seeds", "mean [95% interval] (%)"]
    return pd.DataFrame(rows, columns=names)


def _mean(row: pd.Series) -> str | None:
    return level(row["mean"], row["low"], row["high"], row["n"]) if row["n"] else None


def effects(found: pd.DataFrame, reported: pd.DataFrame, by: str) -> pd.DataFrame:
    """Return effects in points with intervals, the source's beside them.

    Args:
        found: ``analysis.ablation.factorial``'s or ``between_batches``'s, of our runs.
        reported: The same of the source.
        by: ``effect`` or ``norm``, the first column.
    """
    keys = [name for name in (by, "model", "batch_size") if name in found]
    both = found.merge(reported[[*keys, "mean"]], on=keys, how="left", suffixes=("", "_source"))
    rows = []
    for _, row in both.iterrows():
        ours = None
        if row["n"]:
            around = interval(row["low"], row["high"]) if row["n"] >= FEWEST else "(too few)"
            ours = f"{signed(row['mean'])}\N{NO-BREAK SPACE}{around}"
        place = [network(row["model"]), *([row["batch_size"]] if "batch_size" in keys else [])]
        theirs = None if pd.isna(row["mean_source"]) else signed(row["mean_source"])
        rows.append((label(row[by]), *place, row["n"], ours, row["detectable"], theirs))
    names = [{"norm": "method"}.get(by, by), "network", "batch"][: len(keys)]
    shown = [*names, "seeds", "points [95% interval]", "detectable", "source E"]
    return pd.DataFrame(rows, columns=shown)


def searched(found: pd.DataFrame, experiments: Iterable[Experiment]) -> pd.DataFrame:
    """Return what a grid search selects, beside what the source says is best.

    Args:
        found: ``analysis.searched.selected``'s.
        experiments: The search's, for how many combinations it has.
    """
    sought: dict[tuple[str, str], set[tuple[object, ...]]] = {}
    for run in experiments:
        combination = tuple(getattr(run, field) for field in VARIED)
        sought.setdefault((run.model, run.norm), set()).add(combination)
    rows = []
    for _, row in found.iterrows():
        ours = None
        if row["seeds"]:
            ours = f"{row['optimizer']} {row['learning_rate']:g}, batch {row['batch_size']}"
        theirs = [b for b in BEST_E if row["model"] in b.networks and b.norm == row["norm"]]
        said = ", ".join(f"adam 0.001, batch {one.batch_size}" for one in theirs)
        rows.append(
            (
                network(row["model"]),
                label(row["norm"]),
                f"{row['recorded']} of {len(sought.get((row['model'], row['norm']), ()))}",
                ours,
                row["accuracy"],
                row["seeds"],
                said or None,
            )
        )
    names = ["network", "method", "recorded", "best held out", "accuracy (%)", "seeds", "source E"]
    return pd.DataFrame(rows, columns=names)


def misplaced(found: pd.DataFrame) -> pd.DataFrame:
    """Return the numbers of Tables 2 and 3, and where Tables 4 to 7 have them.

    Args:
        found: ``claims.source_e.reported.slips``'s.
    """
    rows = [
        (
            row["table"],
            label(row["norm"]),
            f"{row['accuracy']:.2f}",
            row["said"],
            f"{network(row['network'])}, batch {row['elsewhere']}",
            f"{row['best']:.2f}, {network(row['best_network'])}, batch {row['best_batch_size']}",
        )
        for _, row in found.iterrows()
    ]
    names = ["table", "method", "best (%)", "at batch", "reported for"]
    return pd.DataFrame(rows, columns=[*names, "largest reported (%)"])
