"""What training does to weights whose length the loss does not see: lengths, angles, directions."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from normlib.analysis import statistics
from normlib.analysis.outcome import FEWEST
from normlib.figures import palette, style

#: Colour, line and name of ways of taking steps; SGD's is BN's colour, since it is BN's runs,
#: and the others' are no method's.
RULES = {
    "sgd": ("#0072b2", "-", "SGD"),
    "momentum": ("#8c510a", "--", "SGD with momentum"),
    "adam": ("#6a51a3", "-.", "Adam"),
    "decay": ("#0072b2", "-", "SGD, weight decay"),
    "momentum-decay": ("#8c510a", "--", "momentum, weight decay"),
    "momentum-zero": ("#000000", "-.", "momentum, buffer from zero"),
    "free": ("#c2a500", "-", "SGD, no decay"),
}
LAW = "#111111"
#: Every how many steps a point is drawn.
EVERY = 5
SEEDS = "Lines are means over seeds 0 to {last}, bands 95% intervals."


def cosines(by_norm: pd.DataFrame, by_rule: pd.DataFrame, *, source: str) -> Figure:
    """Draw how far a step leans on the weight it changes: its absolute cosine, step by step.

    ``by_norm`` and ``by_rule`` are `theory.trained.table`'s: plain SGD under several methods, and
    several optimizers (column ``run``) under one. Bands reach from the smallest to the largest
    seed.
    """
    with style.drawing(3.6, 1, 2, sharey=True) as (figure, (left, right)):
        for one, table, column in ((left, by_norm, "norm"), (right, by_rule, "run")):
            for name, found in _named(table, column):
                colour, line, label = _look(name)
                by_step = found.assign(cosine=found["cosine"].clip(lower=1e-18))
                ends = by_step.groupby("step")["cosine"].agg(["median", "min", "max"])[::EVERY]
                one.plot(ends.index, ends["median"], color=colour, linestyle=line, label=label)
                one.fill_between(
                    ends.index, ends["min"], ends["max"], color=colour, alpha=0.18, lw=0
                )
            one.set(yscale="log", ylim=(1e-18, 1), xlabel="step")
            # Between what epsilon leaves of zero and what rounding leaves of it is room.
            one.legend(loc="center", bbox_to_anchor=(0.5, 0.27), ncols=2)
        left.set(title="SGD, by method", ylabel="|cos| of weight and step")
        right.set_title("BN, by optimizer")
        style.name(figure, f"Medians over seeds, bands from the smallest to the largest. {source}")
    return figure


def growth(by_norm: pd.DataFrame, by_rule: pd.DataFrame, *, source: str) -> Figure:
    """Draw the squared length over the first one, and what the law of plain SGD makes of it.

    ``by_norm`` and ``by_rule`` as in `cosines`.
    """
    with style.drawing(3.9, 1, 2, sharex=True) as (figure, axes):
        for one, table, column in zip(axes, (by_norm, by_rule), ("norm", "run"), strict=True):
            for name, found in _named(table, column):
                colour, line, label = _look(name)
                grown = found.assign(
                    measured=found["square"] / found["start"], law=found["law"] / found["start"]
                )
                _band(one, grown, "measured", colour, line, label)
                law = grown.groupby("step")["law"].mean()[::EVERY]
                one.plot(law.index, law, color=LAW, linestyle=":", lw=1.3, zorder=5)
            one.plot([], [], color=LAW, linestyle=":", lw=1.3, label="law of plain SGD")
            one.set_xlabel("step")
        axes[0].set(title="SGD, by method", ylabel="squared length, over the first")
        axes[1].set_title("BN, by optimizer")
        _plain_logarithm(axes[1])
        _legend(figure)
        style.name(figure, f"{SEEDS.format(last=_last(by_norm))} {source}")
    return figure


def equilibrium(
    table: pd.DataFrame,
    lengths: Mapping[str, float],
    angles: Mapping[str, float],
    *,
    source: str,
) -> Figure:
    """Draw the length and the angle per step under weight decay, and where they should settle.

    ``table`` is `theory.trained.table`'s, of one layer; its runs are named ``decay``,
    ``decay from 2`` and the like. ``lengths`` and ``angles`` (radians) are the predictions by
    the names' first word, drawn dotted.
    """
    with style.drawing(4.0, 1, 2, sharex=True) as (figure, (left, right)):
        seen: set[str] = set()
        for name, found in _named(table, "run"):
            rule = name.split(" ")[0]
            colour, line, label = _look(rule)
            shown = found.assign(
                length=found["square"] ** 0.5,
                # A mean over neighbouring steps: each step's gradient is of another batch.
                turned=np.degrees(found.groupby("seed")["angle"].transform(_smoothed)),
            )
            text = "_nolegend_" if rule in seen else label
            _band(left, shown, "length", colour, line, text)
            if rule in angles or rule == "free":
                _band(right, shown, "turned", colour, line, text)
            seen.add(rule)
        for one, predicted, factor in ((left, lengths, 1.0), (right, angles, 180 / np.pi)):
            for rule, value in predicted.items():
                one.axhline(factor * value, color=_look(rule)[0], linestyle=":", lw=2)
            one.plot([], [], color=LAW, linestyle=":", lw=2, label="predicted")
            one.set_xlabel("step")
        left.set(title="length of the weight", ylabel="Euclidean length", ylim=(0, None))
        right.set(title="turn per step", ylabel="degrees")
        _plain_logarithm(right)
        _legend(figure)
        style.name(figure, f"{SEEDS.format(last=_last(table))} {source}")
    return figure


def directions(table: pd.DataFrame, *, source: str) -> Figure:
    """Draw how far decayed and exponential runs are apart in direction, and in length.

    ``table`` is `theory.trained.apart`'s, its pairs named as in RULES.
    """
    with style.drawing(3.6, 1, 2, sharex=True) as (figure, (left, right)):
        for name, found in _named(table, "pair"):
            colour, line, label = _look(name)
            by_step = found.groupby("step")["distance"].agg(["median", "min", "max"]).clip(1e-17)
            left.plot(by_step.index, by_step["median"], color=colour, linestyle=line, label=label)
            left.fill_between(
                by_step.index, by_step["min"], by_step["max"], color=colour, alpha=0.18, lw=0
            )
            ratio = found.groupby("step")["ratio"].median()
            right.plot(ratio.index, ratio, color=colour, linestyle=line)
        left.set(title="directions apart", yscale="log", ylim=(1e-17, 3), xlabel="step",
                 ylabel="distance of unit weights")  # fmt: skip
        right.set(title="lengths apart", xlabel="step", ylim=(0, 1.02))
        right.set_ylabel("with decay over without")
        _legend(figure)
        style.name(figure, f"Medians over seeds, bands from the smallest to the largest. {source}")
    return figure


def _named(table: pd.DataFrame, column: str) -> Sequence[tuple[str, pd.DataFrame]]:
    return [(str(n), table[table[column] == n]) for n in dict.fromkeys(table[column])]


def _look(name: str) -> tuple[str, str, str]:
    if name in RULES:
        return RULES[name]
    return palette.colour(name), palette.line(name), palette.label(name)


def _band(axes: Axes, table: pd.DataFrame, column: str, colour: str, line: str, label: str) -> None:
    steps = [*dict.fromkeys(table["step"])][::EVERY]
    rows = []
    for step in steps:
        values = table.loc[table["step"] == step, column].to_numpy(dtype=np.float64)
        if len(values) >= FEWEST:
            one = statistics.mean_interval(values)
            rows.append((one.mean, one.low, one.high))
        else:
            rows.append((values.mean(), np.nan, np.nan))
    mean, low, high = np.array(rows).T
    axes.plot(steps, mean, color=colour, linestyle=line, label=label)
    axes.fill_between(steps, low, high, color=colour, alpha=0.18, lw=0)


def _plain_logarithm(axes: Axes) -> None:
    """Write plain numbers on a logarithmic axis, enough of them where it spans little."""
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, place: f"{value:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())


def _smoothed(values: pd.Series) -> pd.Series:
    return values.rolling(15, min_periods=1, center=True).mean()


def _last(table: pd.DataFrame) -> int:
    return int(table["seed"].max())


def _legend(figure: Figure) -> None:
    named: dict[str, Artist] = {}
    for axes in figure.axes:
        for line, name in zip(*axes.get_legend_handles_labels(), strict=True):
            named.setdefault(name, line)
    figure.legend([*named.values()], [*named], loc="outside upper center", ncols=4)
