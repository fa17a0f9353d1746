"""Points with intervals, one condition per row: accuracies, differences, predictions, times."""

from collections.abc import Iterable

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from normlib.figures import palette, style

#: Inches per row.
ROW = 0.27


def accuracies(summaries: dict[int, pd.DataFrame], reported: pd.DataFrame, *, plan: str) -> Figure:
    """Draw the mean test accuracy with its 95% interval, a panel per epoch, beside the sources'.

    ``summaries`` maps an epoch to ``analysis.summaries.summary``; ``reported`` has the columns
    norm, epoch, accuracy (percent), a single run of a source each.
    """
    norms = _norms(summaries.values(), "norm")
    height = 1.4 + ROW * max(4, len(norms))
    with style.drawing(height, 1, max(1, len(summaries)), sharey=True, squeeze=False) as (
        figure,
        axes,
    ):
        for one, (epoch, summary) in zip(axes.flat, summaries.items(), strict=True):
            if not norms:
                style.say_empty(one)
                continue
            style.rows(one, [palette.label(norm) for norm in norms])
            for _, row in summary.iterrows():
                _point(one, norms.index(row["norm"]), row, row["norm"])
            single = reported[(reported["epoch"] == epoch) & reported["norm"].isin(norms)]
            one.plot(
                single["accuracy"],
                [norms.index(norm) for norm in single["norm"]],
                linestyle="",
                marker="x",
                color="black",
                label="a source's single run",
            )
            one.set(title=f"after epoch {epoch}", xlabel="test accuracy (%)")
        if norms:
            handles, labels = axes.flat[0].get_legend_handles_labels()
            figure.legend(handles, labels, loc="outside upper right")
        counts = pd.concat([*summaries.values()]).groupby("norm")["n"].max().to_dict()
        style.sign(figure, {norm: int(counts[norm]) for norm in norms}, plan)
    return figure


def forest(
    differences: dict[str, pd.DataFrame], *, plan: str, margin: float | None = None
) -> Figure:
    """Draw paired differences with 95% intervals, a panel per title, and the margin as a band.

    Each table is ``analysis.summaries.differences``'s or ``equivalences``'s. A filled point is
    decided after Holm's correction (a difference, or an equivalence), a hollow one is not.
    """
    rows = list(
        dict.fromkeys(
            (str(first), str(second))
            for table in differences.values()
            for first, second in zip(table["first"], table["second"], strict=True)
        )
    )
    height = 1.4 + ROW * max(4, len(rows))
    with style.drawing(height, 1, max(1, len(differences)), sharey=True, squeeze=False) as (
        figure,
        axes,
    ):
        counts: dict[str, int] = {}
        for one, (title, table) in zip(axes.flat, differences.items(), strict=True):
            if not rows:
                style.say_empty(one)
                continue
            style.rows(one, [f"{palette.label(a)} − {palette.label(b)}" for a, b in rows])
            one.axvline(0, color="black", lw=1)
            if margin is not None:
                one.axvspan(-margin, margin, color="#e8e8e8", lw=0)
            for _, row in table.iterrows():
                decided = row.get("equivalent", row["p_holm"] < 0.05)
                place = rows.index((row["first"], row["second"]))
                _point(one, place, row, row["first"], filled=bool(decided))
                for norm in (row["first"], row["second"]):
                    counts[norm] = max(int(row["n"]), counts.get(norm, 0))
            one.set(title=title, xlabel="difference (points)")
        style.sign(figure, counts, plan)
    return figure


def predictions(predicted: pd.DataFrame, *, plan: str) -> Figure:
    """Draw our 95% prediction intervals for one new run, and the sources' single runs in them.

    ``predicted`` is ``claims.reported.predicted``'s table; a number's rounding is a thick line.
    """
    with style.drawing(1.2 + ROW * max(4, len(predicted))) as (figure, axes):
        if predicted.empty:
            style.say_empty(axes)
        else:
            names = [
                f"{row['source']}, epoch {row['epoch']}: {row['condition']}"
                for _, row in predicted.iterrows()
            ]
            style.rows(axes, names)
            for place, (_, row) in enumerate(predicted.iterrows()):
                limits = row.rename({"new_low": "low", "new_high": "high"})
                _point(axes, place, limits, row["norm"])
                rounding = [row["reported"] - row["rounding"], row["reported"] + row["rounding"]]
                axes.plot(rounding, [place, place], color="black", lw=3, alpha=0.45)
                axes.plot(row["reported"], place, marker="x", color="black", markersize=7)
            axes.set_xlabel("test accuracy (%)")
        counts = predicted.groupby("norm", sort=False)["n"].max().to_dict()
        style.sign(figure, {str(norm): int(n) for norm, n in counts.items()}, plan)
    return figure


def times(timing: pd.DataFrame, *, plan: str) -> Figure:
    """Draw the median seconds of training per epoch with quartiles, one row per condition."""
    norms = [str(norm) for norm in timing["norm"]]
    with style.drawing(1.2 + ROW * max(4, len(norms))) as (figure, axes):
        if not norms:
            style.say_empty(axes)
        else:
            style.rows(axes, [palette.label(norm) for norm in norms])
            for place, (_, row) in enumerate(timing.iterrows()):
                _point(axes, place, row.rename({"median": "mean"}), row["norm"])
            axes.set_xlabel("seconds per epoch (median and quartiles over epochs and seeds)")
            axes.set_xlim(left=0)
        style.sign(figure, dict(zip(norms, timing["seeds"].astype(int), strict=True)), plan)
    return figure


def _norms(tables: Iterable[pd.DataFrame], column: str) -> list[str]:
    return list(dict.fromkeys(str(norm) for table in tables for norm in table[column]))


def _point(axes: Axes, place: int, row: pd.Series, norm: str, *, filled: bool = True) -> None:
    colour = palette.colour(norm)
    axes.plot([row["low"], row["high"]], [place, place], color=colour)
    axes.plot(
        row["mean"],
        place,
        marker=palette.marker(norm),
        markersize=7,
        color=colour,
        markerfacecolor=colour if filled else "white",
    )
