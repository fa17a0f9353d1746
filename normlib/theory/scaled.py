"""Scale in evaluation, and projections: measured beside `invariance`, which is about training.

Each method is put behind a small convolution, or on its weight. A scaled copy then has either the
same output or another one. Epsilon is as good as zero.
"""

import copy
from collections.abc import Iterable

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from normlib.methods import Method
from normlib.methods.method import Transformation
from normlib.theory.behind import behind, direction, set_eps
from normlib.theory.identity import apart
from normlib.theory.invariance import BOUND

#: As good as zero in double precision; some layers refuse zero.
NO_EPS = 1e-200
SCALED: tuple[Transformation, ...] = ("weight scaled", "filters scaled", "inputs scaled")
SHAPE = (16, 4, 4)


def evaluated(methods: Iterable[Method], seed: int = 0) -> pd.DataFrame:
    """Return whether, in evaluation, outputs stay when weights or inputs are scaled.

    One row per method and transformation: ``method``, ``title``, ``family``, ``transformation``,
    ``residual`` (largest difference over largest output), ``invariant`` (below rounding). Running
    averages are those of one batch in training, before anything was scaled.
    """
    rows = []
    for method in methods:
        for what in SCALED:
            r = _residual(method, what, seed)
            rows.append((method.name, method.title, method.family, what, r, r <= BOUND))
    names = ["method", "title", "family", "transformation", "residual", "invariant"]
    return pd.DataFrame(rows, columns=names)


def projecting(methods: Iterable[Method], seed: int = 0) -> pd.DataFrame:
    """Return which methods are projections, by what they do to their own output.

    A projection does not change what it has projected (``idempotent``), up to 1%, which leaves
    room for those that iterate; one onto a sphere forgets the scale of what it is given, too
    (``forgets_scale``, up to rounding). One row per method on activations or weights: ``method``,
    ``title``, ``kind`` (declared) and these two. A method is taken as it starts out (scale 1,
    shift 0), while training.
    """
    rows = []
    for method in methods:
        if method.projected not in ("activation", "weight"):
            continue
        random = np.random.default_rng(seed)
        x, a = torch.from_numpy(random.normal(0.3, 2, (9, *SHAPE))), random.uniform(2, 9)
        once, longer = _applied(method, x, seed), _applied(method, a * x, seed)
        idempotent = apart(_applied(method, once, seed), once) <= 0.01
        forgets = apart(longer, once) <= BOUND
        rows.append((method.name, method.title, method.kind, idempotent, forgets))
    return pd.DataFrame(rows, columns=["method", "title", "kind", "idempotent", "forgets_scale"])


def _applied(method: Method, x: Tensor, seed: int) -> Tensor:
    torch.manual_seed(seed)  # for layers that draw noise, or where they start
    if method.projected == "activation":
        norm = method.build(SHAPE).double()
        set_eps(norm, NO_EPS)
        result: Tensor = norm(x)
        return result.detach()
    layer = nn.Linear(x[0].numel(), len(x), bias=False).double()
    method.apply_to(layer)
    set_eps(layer, NO_EPS)
    direction(layer).data = x.flatten(1).clone()
    for _ in range(100):  # spectral normalization comes closer each time
        weight: Tensor = layer.weight
    return weight.detach().reshape(x.shape)


def _residual(method: Method, what: Transformation, seed: int) -> float:
    random = np.random.default_rng(seed)
    torch.manual_seed(seed)
    weight = torch.from_numpy(random.normal(size=(SHAPE[0], 3, 3, 3)))
    x = torch.from_numpy(random.normal(0.5, 2, (5, 3, *SHAPE[1:])))
    network = behind(method, weight, x, padding=1)
    set_eps(network, NO_EPS)
    network(x)  # moves the running averages away from where they start
    network.eval()
    other = copy.deepcopy(network)
    a = random.uniform(2, 9)
    before = network(x).detach()
    if what != "inputs scaled":
        factor = torch.from_numpy(random.uniform(2, 9, (SHAPE[0], 1, 1, 1)))
        free = direction(other[0])
        free.data = free.data * (a if what == "weight scaled" else factor)
    after = other(a * x if what == "inputs scaled" else x).detach()
    return apart(after, before)
