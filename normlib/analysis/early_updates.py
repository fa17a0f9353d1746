r"""The quantities of source E's claims on weights and gradients, from what was measured in runs.

`normlib.claims.source_e.distributions` says what each of them is, and what is claimed of it.
"""

from collections.abc import Callable, Iterable, Sequence

import numpy as np
import pandas as pd

from normlib.analysis import distributions
from normlib.analysis.histograms import (
    KINDS,
    LAYERS,
    PERIODS,
    Histogram,
    Kind,
    Layer,
    Period,
    Place,
    Probed,
    first_epoch,
    longest,
)

MOMENTS = ("start", "early")
SIGNALS = ("activation", "gradient")
QUANTITIES = (
    "final_late_weights_apart",
    "final_late_gradients_apart",
    "final_late_gradients_shape_apart",
    "weights_moved",
    "input_weights_moved",
    "final_weights_moved",
    "input_gradients_widening",
    "final_gradients_widening",
    *(f"{moment}_{signal}_disparity" for moment in MOMENTS for signal in SIGNALS),
)


def quantities(runs: Sequence[Probed]) -> pd.DataFrame:
    """Return one row per run: key, and QUANTITIES of epoch 1.

    NaN where a quantity is not defined: a distance from BN without the `batch` run of the same
    seed, anything of values that were not finite, ratios of scales of which one is 0.
    """
    reference = references(runs)
    rows = [{"key": run.key, **_quantities(run, reference(run))} for run in runs]
    return pd.DataFrame(rows, columns=["key", *QUANTITIES])


def with_quantities(table: pd.DataFrame, runs: Sequence[Probed]) -> pd.DataFrame:
    """Return ``tables.runs``'s table with QUANTITIES in the row of epoch 1, NaN in the others."""
    return table.merge(quantities(runs).assign(epoch=1), on=["key", "epoch"], how="left")


def references(runs: Sequence[Probed]) -> Callable[[Probed], Probed | None]:
    """Return what finds, for a run, the run with BN of the same seed in ``runs``."""
    found = {first_epoch(run.experiment): run for run in longest(runs)}

    def reference(run: Probed) -> Probed | None:
        normal = {"norm": "batch", "norm_eps": None, "norm_groups": None}
        start = {"initialization": "torchvision"}
        return found.get(first_epoch(run.experiment.replace(**normal, **start)))

    return reference


def spreads(runs: Sequence[Probed]) -> pd.DataFrame:
    """Return how wide the distributions are and how far apart, epoch by epoch.

    One row per histogram of the longest run of each condition and seed: condition, model, seed,
    epoch, period, layer, kind, spread; apart, its distance from BN's of the same place and seed
    (NaN without).
    """
    reference = references(runs)
    rows = []
    for run in longest(runs):
        other = reference(run)
        for place, found in run.histograms.items():
            beside = None if other is None else other.histograms.get(place)
            apart = np.nan if beside is None else found.distance(beside)
            rows.append((*_named(run), *place, found.spread, apart))
    names = ["condition", "model", "seed", *Place._fields, "spread", "apart"]
    return pd.DataFrame(rows, columns=names)


def scales(runs: Sequence[Probed]) -> pd.DataFrame:
    """Return condition, model, seed, moment, signal, block (from 1), scale of the longest runs."""
    rows = [
        (*_named(run), moment, signal, block + 1, float(scale))
        for run in longest(runs)
        for i, moment in enumerate(MOMENTS)
        for j, signal in enumerate(SIGNALS)
        for block, scale in enumerate(run.scales[i, j])
    ]
    names = ["condition", "model", "seed", "moment", "signal", "block", "scale"]
    return pd.DataFrame(rows, columns=names)


def pooled(
    runs: Iterable[Probed], of: str, epoch: int, period: Period, layer: Layer, kind: Kind
) -> Histogram | None:
    """Return the histogram of all seeds of a condition together; None if there are none."""
    place = Place(epoch, period, layer, kind)
    chosen = [run for run in longest(runs) if run.condition == of]
    found = [run.histograms[place] for run in chosen if place in run.histograms]
    if not found:
        return None
    occupied, which = np.unique(
        np.concatenate([one.occupied for one in found]), return_inverse=True
    )
    counts = np.bincount(which, weights=np.concatenate([one.counts for one in found]))
    return Histogram(occupied, counts.astype(np.int64))


def _named(run: Probed) -> tuple[str, str, int]:
    return run.condition, run.experiment.model, run.experiment.seed


def _quantities(run: Probed, batch: Probed | None) -> dict[str, float]:
    own = {place[1:]: one for place, one in run.histograms.items() if place.epoch == 1}
    found: dict[str, float] = {}
    if batch is not None:
        late = {kind: Place(1, "late", "final", kind) for kind in KINDS}
        for kind, place in late.items():
            apart = run.histograms[place].distance(batch.histograms[place])
            found[f"final_late_{kind}_apart"] = apart
        gradients = late["gradients"]
        found["final_late_gradients_shape_apart"] = run.histograms[gradients].distance(
            batch.histograms[gradients], shape=True
        )
    found["weights_moved"] = own["early", "input", "weights"].distance(
        own["late", "final", "weights"]
    )
    for layer in LAYERS:
        early, late_ = (own[period, layer, "weights"] for period in PERIODS)
        found[f"{layer}_weights_moved"] = early.distance(late_)
        widths = [own[period, layer, "gradients"].spread for period in PERIODS]
        found[f"{layer}_gradients_widening"] = _or_nan(distributions.widening, *widths)
    for i, moment in enumerate(MOMENTS):
        for j, signal in enumerate(SIGNALS):
            found[f"{moment}_{signal}_disparity"] = _or_nan(
                distributions.disparity, run.scales[i, j]
            )
    return found


def _or_nan(function: Callable[..., float], *values: object) -> float:
    try:
        return function(*values)
    except distributions.DistributionError:
        return float("nan")
