"""Scale-invariant weights in a network that learns: their lengths, steps and angles.

The laws of `dynamics` and `equilibrium` are about any loss. Here is one that people have: a small
network, images of clothes, and a normalization from the catalogue after each hidden layer.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Literal, get_args

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, cross_entropy

from normlib.datasets import load
from normlib.methods import catalogue
from normlib.theory.behind import direction

DATASET = "fashion-mnist-sample"
WIDTH = 32
BATCH = 50
#: Learning rate of all that is not a hidden weight: scale, shift and the output layer.
REST = 0.1
Optimizer = Literal["sgd", "adam"]


@dataclass(frozen=True, kw_only=True)
class Run:
    """How the hidden weights of the network are trained.

    Attributes:
        norm: Name in the catalogue of the normalization after both hidden layers.
        optimizer: sgd (with ``momentum`` and ``decay`` as torch's) or adam (with neither).
        lr: Learning rate of the first step.
        growth: Its factor from a step to the next.
        decay: Weight decay.
        momentum: Of SGD.
        lean: The buffer starts at minus ``lean`` times the weight.
        scale: Factor of the weights' initial length.
        eps: Of the normalization; None for its default.
        steps: How many, each on 50 images.

    Raises:
        ValueError: another optimizer, or ``momentum`` or ``decay`` under adam.
    """

    norm: str
    optimizer: Optimizer = "sgd"
    lr: float = 0.1
    growth: float = 1.0
    decay: float = 0.0
    momentum: float = 0.0
    lean: float = 0.0
    scale: float = 1.0
    eps: float | None = None
    steps: int = 200

    def __post_init__(self) -> None:
        """Refuse what would be walked as if something else had been asked for."""
        if self.optimizer not in get_args(Optimizer):
            choices = " or ".join(get_args(Optimizer))
            raise ValueError(f"optimizer={self.optimizer!r} is unknown; choose {choices}")
        if self.optimizer == "adam" and (self.decay or self.momentum):
            raise ValueError(
                f"decay={self.decay} and momentum={self.momentum} are of SGD, and adam would not "
                "look at them; leave them out or choose sgd"
            )


class Network(nn.Module):
    """Two hidden layers without bias, each normalized, then ReLU; and an output layer.

    Args:
        run: Names the normalization and the initial length of the hidden weights.
        seed: Decides the initial weights, which are the same for every normalization.

    Shape:
        (N, 196) to (N, 10).
    """

    def __init__(self, run: Run, seed: int) -> None:
        super().__init__()
        method, random = catalogue[run.norm], np.random.default_rng(seed)
        self.hidden, self.norms = nn.ModuleList(), nn.ModuleList()
        for inputs in (196, WIDTH):
            layer = nn.Linear(inputs, WIDTH, bias=False).double()
            drawn = random.normal(scale=run.scale * (2 / inputs) ** 0.5, size=(WIDTH, inputs))
            layer.weight.data = torch.from_numpy(drawn)
            method.apply_to(layer)
            self.hidden.append(layer)
            self.norms.append(method.build((WIDTH, 1, 1), eps=run.eps).double())
        self.out = nn.Linear(WIDTH, 10).double()
        self.out.weight.data = torch.from_numpy(random.normal(scale=0.2, size=(10, WIDTH)))
        self.out.bias.data.zero_()

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits."""
        for layer, norm in zip(self.hidden, self.norms, strict=True):
            x = torch.relu(norm(layer(x)[:, :, None, None])[:, :, 0, 0])
        logits: Tensor = self.out(x)
        return logits

    def watched(self) -> list[nn.Parameter]:
        """Return the hidden weights; under weight normalization their directions ``v``."""
        return [direction(layer) for layer in self.hidden]


@dataclass(frozen=True)
class Step:
    """One step of one hidden layer: the weight before and after, and what moved it."""

    before: Tensor
    after: Tensor
    gradient: Tensor
    lr: float
    loss: float


@cache
def images() -> tuple[Tensor, Tensor]:
    """Return the sample's training images, 2 by 2 pixels averaged and standardized; labels."""
    data = load(DATASET, "train")
    pooled = avg_pool2d(torch.from_numpy(data.images.astype(np.float64)), 2).flatten(1)
    labels = torch.from_numpy(data.labels.astype(np.int64))
    return (pooled - pooled.mean()) / pooled.std(), labels


def train(run: Run, seed: int) -> Iterator[list[Step]]:
    """Train the network and yield each step, a `Step` per hidden layer.

    Batches are drawn by ``seed`` alone, so that runs of one seed see the same images.
    """
    x, labels = images()
    network, random = Network(run, seed), np.random.default_rng((seed, 1))
    hidden = network.watched()
    rest = [p for p in network.parameters() if all(p is not w for w in hidden)]
    first = [-run.lean * w.detach() for w in hidden]
    second = [torch.zeros_like(w) for w in hidden]
    for t in range(run.steps):
        chosen = torch.from_numpy(random.choice(len(x), BATCH, replace=False))
        loss = cross_entropy(network(x[chosen]), labels[chosen])
        gradients = torch.autograd.grad(loss, [*hidden, *rest])
        lr, steps = run.lr * run.growth**t, []
        with torch.no_grad():
            for i, (w, g) in enumerate(zip(hidden, gradients, strict=False)):
                before = w.clone()
                if run.optimizer == "adam":
                    first[i] = 0.9 * first[i] + 0.1 * g
                    second[i] = 0.999 * second[i] + 0.001 * g * g
                    size = (second[i] / (1 - 0.999 ** (t + 1))).sqrt() + 1e-8
                    w.sub_(lr * first[i] / (1 - 0.9 ** (t + 1)) / size)
                else:
                    first[i] = run.momentum * first[i] + g + run.decay * w
                    w.sub_(lr * first[i])
                steps.append(Step(before, w.clone(), g, lr, float(loss)))
            for parameter, g in zip(rest, gradients[len(hidden) :], strict=True):
                parameter.sub_(REST * g)
        yield steps


def table(runs: Iterable[tuple[str, Run]], seeds: int) -> pd.DataFrame:
    """Train every run with seeds ``0 .. seeds - 1`` and return a row per step and hidden layer.

    Columns: ``run`` (its label), ``norm``, ``seed``, ``layer`` (1 or 2), ``step``, ``loss``;
    ``square`` and ``gradient``, the squared lengths of weight (after the step) and gradient;
    ``law``, what plain SGD with decay makes of the first length and the gradients,
    ``norm(w')^2 = (1 - lr decay)^2 norm(w)^2 + lr^2 norm(grad)^2``; ``start``, the first squared
    length; ``cosine`` between weight and step (absolute), ``angle`` between the weight before
    and after, in radians; ``spread``, ``norm(grad)^2 norm(w)^2``.
    """
    rows = []
    for label, run in runs:
        for seed in range(seeds):
            law: dict[int, float] = {}
            start: dict[int, float] = {}
            for t, steps in enumerate(train(run, seed), start=1):
                for layer, one in enumerate(steps, start=1):
                    moved = one.after - one.before
                    old, new, g2 = _square(one.before), _square(one.after), _square(one.gradient)
                    start.setdefault(layer, old)
                    kept = (1 - one.lr * run.decay) ** 2 * law.get(layer, old)
                    law[layer] = kept + one.lr**2 * g2
                    turned = _inner(one.before, one.after) / (old * new) ** 0.5
                    leaning = abs(_inner(one.before, moved)) / (old * _square(moved)) ** 0.5
                    rows.append(
                        (label, run.norm, seed, layer, t, one.loss, new, g2, law[layer],
                         start[layer], leaning, np.arccos(min(turned, 1.0)), g2 * old)
                    )  # fmt: skip
    return pd.DataFrame(
        rows,
        columns=["run", "norm", "seed", "layer", "step", "loss", "square", "gradient", "law",
                 "start", "cosine", "angle", "spread"],
    )  # fmt: skip


def settled(table: pd.DataFrame, last: int) -> pd.DataFrame:
    """Return means over the ``last`` steps of `table`, a row per run, layer and seed.

    Columns: ``run``, ``layer``, ``seed``; ``length``; ``angle``, the root mean square;
    ``spread``.
    """
    end = table[table["step"] > table["step"].max() - last]
    squared = end.assign(length=end["square"] ** 0.5, angle=end["angle"] ** 2)
    keys = ["run", "layer", "seed"]
    means = squared.groupby(keys, sort=False)[["length", "angle", "spread"]].mean().reset_index()
    settled: pd.DataFrame = means.assign(angle=means["angle"] ** 0.5)
    return settled


def apart(pairs: Iterable[tuple[str, Run, Run]], seeds: int) -> pd.DataFrame:
    """Return how far the directions of two runs are apart, step by step.

    Columns: ``pair`` (its label), ``seed``, ``step``; ``distance``, the largest over the hidden
    layers of ``norm(w / norm(w) - u / norm(u))``; ``ratio``, the first run's length over the
    second's in layer 1.
    """
    rows = []
    for label, one, other in pairs:
        for seed in range(seeds):
            both = zip(train(one, seed), train(other, seed), strict=True)
            for t, (left, right) in enumerate(both, start=1):
                ends = [(a.after, b.after) for a, b in zip(left, right, strict=True)]
                distance = max(float((a / a.norm() - b / b.norm()).norm()) for a, b in ends)
                ratio = float(ends[0][0].norm() / ends[0][1].norm())
                rows.append((label, seed, t, distance, ratio))
    return pd.DataFrame(rows, columns=["pair", "seed", "step", "distance", "ratio"])


def _inner(a: Tensor, b: Tensor) -> float:
    return float((a * b).sum())


def _square(a: Tensor) -> float:
    return _inner(a, a)
