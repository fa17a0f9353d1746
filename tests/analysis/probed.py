"""Invented arrays of the probe ``histograms``, for tests of what reads them."""

import dataclasses

import numpy as np

from normlib.analysis.histograms import KINDS, LAYERS, PERIODS, Place
from normlib.engine.probes.bins import binned
from normlib.records import Experiment, Record
from normlib.records.arrays import described, pack
from tests.sweep.fake import record

RUN = Experiment(
    dataset="cifar10",
    model="resnet18",
    norm="batch",
    initialization="torchvision",
    optimizer="adam",
    learning_rate=0.001,
    batch_size=50,
    epochs=1,
)
BLOCKS = 8
SIZE = 3000

Widths = dict[Place, float]


def widths(epochs=(1,), **changes: float) -> Widths:
    """Standard deviation 1 everywhere, but for ``input_late_gradients=2.0`` and the like."""
    found = {}
    for epoch in epochs:
        for period in PERIODS:
            for layer in LAYERS:
                for kind in KINDS:
                    width = changes.get(f"{layer}_{period}_{kind}", 1.0)
                    found[Place(epoch, period, layer, kind)] = width
    return found


def fake_arrays(of: Widths, scales: np.ndarray, seed: int = 0) -> dict[str, np.ndarray]:
    """Normal distributions of these widths, the same draws for the same place and seed."""
    columns: dict[str, list[np.ndarray]] = {
        name: [] for name in ("epoch", "period", "part", "bin", "count")
    }
    for place, width in of.items():
        draws = np.random.default_rng([seed, place.epoch]).normal(size=SIZE)
        counted = binned((width * draws).astype(np.float32))
        occupied = np.flatnonzero(counted)
        part = LAYERS.index(place.layer) * len(KINDS) + KINDS.index(place.kind)
        for name, value in (
            ("epoch", place.epoch),
            ("period", PERIODS.index(place.period)),
            ("part", part),
        ):
            columns[name].append(np.full(occupied.size, value))
        columns["bin"].append(occupied)
        columns["count"].append(counted[occupied])
    arrays = {f"histograms/{name}": np.concatenate(parts) for name, parts in columns.items()}
    arrays["histograms/bin"] = arrays["histograms/bin"].astype(np.uint16)
    return arrays | {"histograms/scale": scales}


def even_scales(doublings: float = 0.0) -> np.ndarray:
    """Scales that grow evenly from block to block, by so many doublings in all."""
    return np.broadcast_to(2 ** np.linspace(0, doublings, BLOCKS), (2, 2, BLOCKS)).copy()


def fake_probed(
    run: Experiment = RUN, of: Widths | None = None, scales: np.ndarray | None = None
) -> Record:
    """A valid record with invented arrays."""
    scales = even_scales() if scales is None else scales
    packed = pack(fake_arrays(widths() if of is None else of, scales, run.seed))
    arrays = described(run, packed, ["histograms"])
    return dataclasses.replace(record(run), arrays=arrays, packed=packed)


def like_the_source(seeds: int = 4, others: bool = True) -> list[Record]:
    """Runs in which the source's claims on distributions hold, two other starts beside them."""
    rows = []
    for seed in range(seeds):
        for norm, late, doublings in (
            ("batch", 0.5, 1.0),
            ("affine", 2.0, 3.0),
            ("batch-minus", 0.6, 1.0),
            ("none", 2.2, 3.0),
        ):
            run = RUN.replace(norm=norm, seed=seed)
            noise = 1 + 0.01 * np.random.default_rng([seed, len(norm)]).normal()
            of = widths(input_late_gradients=late * noise)
            rows.append(fake_probed(run, of, even_scales(doublings + noise / 10)))
        if others:
            scales = even_scales(0.5)
            scales[0, 1] = 0.0  # a classifier that starts at 0 passes no gradient on
            run = RUN.replace(norm="none", initialization="fixup", seed=seed)
            rows.append(fake_probed(run, widths(), scales))
            run = RUN.replace(norm="affine", initialization="data", seed=seed)
            rows.append(fake_probed(run, widths(), even_scales(1.0)))
    return rows
