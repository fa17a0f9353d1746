"""How far implementations are apart, and what could have put them there."""

import copy

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from normlib.figures import palette, powers, style

REFERENCE = "#d55e00"
#: Colour, which is no method's, and marker of a loss.
LOSSES = {
    "mean": ("#2a2145", "o", "mean of y"),
    "sum": ("#5fadad", "s", "sum of y"),
    "mean-square": ("#613305", "^", "mean of y²"),
    "sum-square": ("#c2a500", "v", "sum of y²"),
    "weighted": ("#6b3df5", "D", "⟨w, y⟩, w random"),
}


def heatmap(
    worst: pd.DataFrame, peers: dict[str, str], quantities: dict[str, str], *, source: str
) -> Figure:
    """Draw the power of ten of the largest error, a panel per peer; a box where out of bounds.

    ``worst`` has the columns method, training, quantity, peer, error and excess (the error over
    its bound). ``source`` names the data below the figure.
    """
    columns = list(dict.fromkeys(zip(worst["method"], worst["training"], strict=True)))
    with style.drawing(4.3, 1, len(peers), sharey=True) as (figure, axes):
        for one, (peer, title) in zip(np.atleast_1d(axes), peers.items(), strict=True):
            errors = np.full((len(quantities), len(columns)), np.nan)
            outside = np.zeros(errors.shape, bool)
            for _, row in worst[worst["peer"] == peer].iterrows():
                down = list(quantities).index(row["quantity"])
                across = columns.index((row["method"], row["training"]))
                errors[down, across], outside[down, across] = row["error"], row["excess"] > 1
            powers.cells(one, errors, outside, size=6.5)
            one.set_xticks(range(len(columns)), [_column(*c) for c in columns], rotation=90,
                           fontsize=8)  # fmt: skip
            one.set_yticks(range(len(quantities)), list(quantities.values()), fontsize=8)
            one.set_title(f"against {title}", fontsize=10)
        style.name(figure, source)
    return figure


def causes(
    reaches: dict[str, pd.DataFrame],
    points: pd.DataFrame,
    reported: dict[str, float],
    *,
    source: str,
) -> Figure:
    """Draw the largest output difference that each change of definition makes, set-up by set-up.

    ``reaches`` maps a family to ``explanations.reach``, ``points`` is ``explanations.differences``
    and ``reported`` maps a family to the source's number, drawn as a line.
    """
    titles = {"batch": "BatchNorm", "layer": "LayerNorm"}
    with style.drawing(5.4, len(reaches), 1, sharex=True) as (figure, axes):
        for one, (family, reach) in zip(np.atleast_1d(axes), reaches.items(), strict=True):
            colour = palette.colour(family)
            one.axvline(reported[family], color=REFERENCE, lw=1.8, zorder=1)
            for place, change in enumerate(reach["change"]):
                shown = points[(points["family"] == family) & (points["change"] == change)]
                sizes = shown["output"].clip(lower=1e-8)
                one.plot([sizes.min(), sizes.max()], [place, place], color=colour, lw=1, alpha=0.5)
                one.plot(sizes, [place] * len(sizes), linestyle="", color=colour,
                         marker=palette.marker(family), alpha=0.65)  # fmt: skip
            one.set_yticks(range(len(reach)), list(reach["change"]))
            one.set_ylim(-0.6, len(reach) - 0.4)
            one.set_xscale("log")
            one.set_xlim(0.5e-8, 30)
            one.set_title(
                f"{titles[family]}: source A reports {reported[family]:.3g} (line)", loc="left"
            )
        np.atleast_1d(axes)[-1].set_xlabel("largest output difference (units of the output)")
        style.name(figure, source)
    return figure


def outputs_and_gradients(
    points: pd.DataFrame, reported: dict[str, tuple[float, float]], *, source: str
) -> Figure:
    """Draw output against gradient differences of all pairs of definitions, a colour per loss."""
    titles = {"batch": "BatchNorm", "layer": "LayerNorm"}
    with style.drawing(3.9, 1, len(reported), sharey=True) as (figure, axes):
        for one, (family, (output, gradient)) in zip(axes, reported.items(), strict=True):
            mine = points[points["family"] == family]
            for loss, (colour, marker, label) in LOSSES.items():
                one.plot(mine["output"].clip(lower=1e-8),
                         mine[f"gradient {loss}"].clip(lower=1e-13), linestyle="",
                         color=colour, marker=marker, markersize=3, alpha=0.55,
                         label=label)  # fmt: skip
            (star,) = one.plot(output, gradient, linestyle="", marker="*", markersize=15,
                               color=REFERENCE, markeredgecolor="black", label="source A",
                               zorder=5)  # fmt: skip
            one.set(xscale="log", yscale="log", title=titles[family],
                    xlabel="largest output difference")  # fmt: skip
        axes[0].set_ylabel("largest input-gradient difference")
        handles, labels = axes[0].get_legend_handles_labels()
        handles[-1] = copy.copy(star)  # no larger in the legend than the letters beside it
        handles[-1].set_markersize(7)
        figure.legend(handles, labels, loc="outside upper center", ncols=6, markerscale=1.4,
                      handletextpad=0.1, columnspacing=0.9, fontsize=8)  # fmt: skip
        style.name(figure, source)
    return figure


def blind_spots(errors: pd.DataFrame, threshold: float, *, source: str) -> Figure:
    """Draw the error of each backward pass under each loss, and the source's 0.000002 as a line."""
    names = list(dict.fromkeys(errors["backward"]))
    losses = list(dict.fromkeys(errors["loss"]))
    order = {"sum of y": "sum", "mean of y": "mean", "mean of y²": "mean-square",
             "⟨w, y⟩, w random": "weighted"}  # fmt: skip
    with style.drawing(3.9) as (figure, one):
        one.axvspan(powers.FLOOR / 10, threshold, color="#f3f3f3", lw=0)
        one.axvline(threshold, color=REFERENCE, lw=1.8)
        for offset, loss in zip((-0.24, -0.08, 0.08, 0.24), losses, strict=True):
            colour, marker, label = LOSSES[order[loss]]
            found = errors[errors["loss"] == loss]
            heights = [names.index(name) + offset for name in found["backward"]]
            one.plot(found["error"].clip(lower=powers.FLOOR), heights, linestyle="", color=colour,
                     marker=marker, markersize=6, label=label)  # fmt: skip
        one.set_yticks(range(len(names)), names)
        one.set_ylim(len(names) - 0.5, -0.5)
        one.set(xscale="log", xlim=(powers.FLOOR / 10, 50),
                xlabel="largest error of the input gradient (line: 0.000002)")  # fmt: skip
        figure.legend(loc="outside upper center", ncols=4)
        style.name(figure, source)
    return figure


def _column(method: str, training: bool) -> str:
    label = {"rms-channels": "RMSNorm (channels)"}.get(method, palette.label(method))
    return f"{label}, {'train' if training else 'eval'}" if method == "batch" else label
