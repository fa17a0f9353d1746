"""What each method does to the activations of a trained network. Imports torch when called."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from normlib.datasets import load

if TYPE_CHECKING:
    from torch import nn

    from normlib.methods import Method

Array = NDArray[np.float64]
DATASET = "fashion-mnist-sample"
#: What may be equal among channels or samples: columns of `slices`.
STATISTICS = ("mean", "spread", "size")
WORDS = {"mean": "means", "spread": "spreads", "size": "mean squares"}
#: Forward passes on one batch after which running averages of momentum 0.1 have settled.
SETTLED = 150
#: So small that it does not show, since what eps leaves over depends on the network.
EPS = 1e-10
#: Called equal: what differs by less than this part of the size of all values.
TOLERANCE = 0.01


def preactivations(*, width: int = 16, epochs: int = 3, seed: int = 0) -> Array:
    """Return what the convolution of a trained network makes of ten test images, one per class.

    The network is the small CNN without normalization, trained on the bundled part of
    Fashion-MNIST.

    Shape:
        (10, width, 28, 28), the images in the order of their classes.
    """
    import torch

    network = _trained(width, epochs, seed)
    test = load(DATASET, "test")
    chosen = [int(np.flatnonzero(test.labels == label)[0]) for label in range(len(test.classes))]
    with torch.no_grad():
        images = torch.from_numpy(test.images[chosen].astype(np.float32) / 255)
        return np.asarray(network.get_submodule("conv")(images).numpy(), np.float64)


def _trained(width: int, epochs: int, seed: int) -> "nn.Module":
    import torch

    from normlib.engine import batch_order, initial_arrays
    from normlib.models import build
    from normlib.records import Experiment

    experiment = Experiment(
        dataset=DATASET, width=width, hidden=64, norm="none", epochs=epochs, seed=seed
    )
    network = build(experiment, initial_arrays(experiment))
    descent = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9)
    training = load(DATASET, "train")
    images = torch.from_numpy(training.images.astype(np.float32) / 255)
    labels = torch.from_numpy(training.labels.astype(np.int64))
    for epoch in range(1, epochs + 1):
        order = torch.from_numpy(batch_order(seed, epoch, len(labels)))
        for rows in order.split(50):
            descent.zero_grad()
            torch.nn.functional.cross_entropy(network(images[rows]), labels[rows]).backward()
            descent.step()
    return network


def after(methods: Mapping[str, "Method"], x: Array, *, seed: int = 0) -> dict[str, Array]:
    """Return what each method makes of ``x`` while training, by name, in double precision.

    Scales and shifts are as they start, eps is EPS. Running averages have settled on ``x``; noise
    is drawn from ``seed``.

    Shape:
        x and each result: (N, C, H, W).
    """
    import torch

    batch = torch.from_numpy(x)
    found: dict[str, Array] = {}
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(seed)
        for name, method in methods.items():
            layer = method.build(x.shape[1:], eps=EPS).double().train()
            if method.running:
                for _ in range(SETTLED):
                    layer(batch)
            found[name] = np.array(layer(batch).numpy())
    return found


def slices(values: Mapping[str, Array]) -> pd.DataFrame:
    """Return the distribution of each channel's and each sample's values.

    Columns: name, by ("channel" or "sample"), index, mean, spread (standard deviation), size
    (root mean square), low and high (the 1st and 99th percentile).
    """
    rows = []
    for name, y in values.items():
        for by, axis in (("channel", 1), ("sample", 0)):
            for index, one in enumerate(np.moveaxis(y, axis, 0)):
                low, high = np.quantile(one, [0.01, 0.99])
                size = np.sqrt(np.square(one).mean())
                rows.append((name, by, index, one.mean(), one.std(), size, low, high))
    columns = ["name", "by", "index", "mean", "spread", "size", "low", "high"]
    return pd.DataFrame(rows, columns=columns)


def correlations(values: Mapping[str, Array]) -> pd.DataFrame:
    """Return the correlation of each two channels over samples and positions.

    Columns: name, first, second, r; r is NaN where a channel is constant.
    """
    rows: list[tuple[str, int, int, float]] = []
    for name, y in values.items():
        flat = np.moveaxis(y, 1, 0).reshape(y.shape[1], -1)
        centered = flat - flat.mean(1, keepdims=True)
        norm = np.linalg.norm(centered, axis=1, keepdims=True)
        # Of equal values the norm may be a rounding error instead of 0.
        varies = np.ptp(flat, axis=1, keepdims=True) > 0
        unit = np.divide(centered, norm, out=np.full_like(centered, np.nan), where=varies)
        r = unit @ unit.T
        rows += [(name, i, j, r[i, j]) for i in range(len(r)) for j in range(len(r))]
    return pd.DataFrame(rows, columns=["name", "first", "second", "r"])


def equalized(found: pd.DataFrame) -> pd.DataFrame:
    """Return how far channels, and samples, are apart in each of STATISTICS.

    Columns: name, by, statistic, apart (largest minus smallest, over the size of all values) and
    equal (whether that is below TOLERANCE).
    """
    rows = []
    for (name, by), group in found.groupby(["name", "by"], sort=False):
        overall = float(np.sqrt(np.square(group["size"]).mean()))
        for statistic in STATISTICS:
            apart = float(group[statistic].max() - group[statistic].min()) / overall
            rows.append((name, by, statistic, apart, apart < TOLERANCE))
    return pd.DataFrame(rows, columns=["name", "by", "statistic", "apart", "equal"])


def effects(equal: pd.DataFrame, pairs: pd.DataFrame) -> pd.DataFrame:
    """Return what each method does, in a row.

    Columns: name, channels and images (in what they became equal, in words) and correlation (the
    mean size of that of two different channels, over the pairs that have one: a channel that is
    constant has none; NaN if there is no such pair).

    Args:
        equal: `equalized`'s.
        pairs: `correlations`'s.
    """
    different = pairs[pairs["first"] != pairs["second"]]
    mean = different["r"].abs().groupby(different["name"]).mean()
    rows = []
    for name in dict.fromkeys(equal["name"]):
        mine = equal[(equal["name"] == name) & equal["equal"]]
        said = [words(mine.loc[mine["by"] == by, "statistic"]) for by in ("channel", "sample")]
        rows.append((name, *(one or "nothing" for one in said), mean.get(name, np.nan)))
    return pd.DataFrame(rows, columns=["name", "channels", "images", "correlation"])


def words(statistics: Iterable[str]) -> str:
    """Name what is equal; mean squares go unsaid where they follow from means and spreads."""
    found = {one: WORDS[one] for one in statistics}
    if len(found) == len(WORDS):
        del found["size"]
    return " and ".join(found.values())
