"""The identities of scale invariance hold over seeds, and a wrong version of each does not."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from normlib.methods import catalogue
from normlib.projection import sphere
from normlib.theory import dynamics as D
from normlib.theory import equilibrium as E
from normlib.theory import folding as F
from normlib.theory import gradients as G
from normlib.theory import invariant_losses as L
from normlib.theory import scaled, trained, walking
from normlib.theory.identity import EXACT, Identity
from normlib.theory.schedule import Exponential, exponential

ALL = (*G.GRADIENTS, *D.DYNAMICS, *E.EQUILIBRIUM, *F.FOLDING)
BY_NAME = {one.name: one for one in ALL}
# One more than those that every identity is tried on.
SEEDS = (3,)


@pytest.mark.parametrize("identity", ALL, ids=lambda one: one.name)
def test_it_holds_on_a_further_seed(identity: Identity) -> None:
    residuals = [identity.residual(seed) for seed in SEEDS]
    assert all(residual <= identity.bound for residual in residuals), residuals


def test_exact_ones_have_the_exact_bound_unless_a_reason_is_given() -> None:
    looser = {one.name for one in ALL if one.kind == "exact" and one.bound > EXACT}
    assert looser == {"dynamics-effective-rate-adam", "equilibrium-spiral"}
    assert sum(one.kind == "exact" for one in ALL) >= 16


def _held_variance(x: Any, dims: Any, gamma: Any = None, beta: Any = None, **options: Any) -> Any:
    """Return a projection whose backward pass takes the variance for a constant."""
    y, mu, sigma2 = sphere(x, dims, **options)
    z = x - x.mean(tuple(dims), keepdim=True)
    y = z / (sigma2.detach() + options.get("eps", 0.0)).sqrt()
    y = y if gamma is None else gamma * y
    return y if beta is None else y + beta, mu, sigma2


def _no_lean(lr: float, decay: float, momentum: float = 0.0) -> Exponential:
    right = exponential(lr, decay, momentum)
    return Exponential(right.shrink, right.first, right.growth, 0.0)


def _slow_root(lr: float, decay: float, momentum: float = 0.0) -> Exponential:
    a = 1 - lr * decay / (1 - momentum)  # right to first order
    lean = (1 - a) / (a * lr) if momentum else 0.0
    return Exponential(a, lr / a, a**-2, lean)


def _late(lr: float, decay: float, momentum: float = 0.0) -> Exponential:
    right = exponential(lr, decay, momentum)
    return Exponential(right.shrink, lr, right.growth, right.lean)


def _without_memory(walked: Any, lr: float, momentum: float, problem: Any) -> Any:
    steps = torch.stack([problem.square(m) for m in walked.buffers])
    return problem.square(walked.weights[0]) + lr**2 * steps.cumsum(0)


D_GROWN = D.grown
E_LENGTH = E.length
SGD = ("dynamics-growth", "dynamics-growth-decay", "dynamics-growth-momentum")

MISTAKES: dict[str, tuple[Any, str, Callable[..., Any], tuple[str, ...]]] = {
    "variance held": (
        L,
        "sphere",
        _held_variance,
        ("gradients-orthogonal-batch", "gradients-orthogonal-layer", "gradients-hessian", *SGD),
    ),
    "epsilon divided by the scale": (
        G,
        "scaled_eps",
        lambda eps, a: eps / a,
        ("gradients-eps-output", "gradients-eps-gradient"),
    ),
    "no projection under weight normalization": (
        G,
        "weight_norm_gradients",
        lambda g, v, w: ((w * v).sum(1, keepdim=True), g / v.norm(dim=1, keepdim=True) * w),
        ("gradients-weight-norm",),
    ),
    "input only centered": (G, "whiten", lambda x: x - x.mean(0), ("gradients-whitened",)),
    "growth by lr instead of lr squared": (
        D,
        "grown",
        lambda walked, lr, problem: D_GROWN(walked, lr**0.5, problem),
        ("dynamics-growth", "dynamics-momentum-breaks"),
    ),
    "momentum without memory": (
        D,
        "grown_with_momentum",
        _without_memory,
        ("dynamics-growth-momentum",),
    ),
    "buffer from zero": (D, "exponential", _no_lean, ("dynamics-exponential-momentum",)),
    "root to first order": (D, "exponential", _slow_root, ("dynamics-exponential-momentum",)),
    "schedule one half step late": (
        D,
        "exponential",
        _late,
        ("dynamics-exponential", "dynamics-exponential-momentum"),
    ),
    "length without momentum": (
        E,
        "length",
        lambda lr, decay, spread, momentum=0.0: E_LENGTH(lr, decay, spread),
        ("equilibrium-length-momentum",),
    ),
    "length to the square": (
        E,
        "length",
        lambda lr, decay, spread, momentum=0.0: E_LENGTH(lr, decay, spread, momentum) ** 2,
        ("equilibrium-length", "equilibrium-fixed-point", "equilibrium-spiral"),
    ),
    "angle without momentum": (
        E,
        "angle",
        lambda lr, decay, momentum=0.0: math.acos(1 - lr * decay),
        ("equilibrium-angle-momentum",),
    ),
    "angle to first order": (
        E,
        "angle",
        lambda lr, decay, momentum=0.0: (2 * lr * decay / (1 + momentum)) ** 0.5,
        ("equilibrium-fixed-point", "equilibrium-spiral"),
    ),
    "factor upside down": (
        F,
        "train_over_eval",
        lambda sigma2, n, eps: ((sigma2 + eps) / (sigma2 * n / (n - 1) + eps)).sqrt(),
        ("folding-train-eval",),
    ),
    "momentum of the old value": (
        F,
        "window",
        lambda seen, first, momentum: F_WINDOW(seen, first, 1 - momentum),
        ("folding-window",),
    ),
    "mean left out": (
        F,
        "folded",
        lambda w, b, norm: (F_FOLDED(w, b, norm)[0], norm.bias),
        ("folding-convolution",),
    ),
}
F_WINDOW = F.window
F_FOLDED = F.folded


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_wrong_version_fails(mistake: str, monkeypatch: pytest.MonkeyPatch) -> None:
    module, name, wrong, caught_by = MISTAKES[mistake]
    monkeypatch.setattr(module, name, wrong)
    for identity in caught_by:
        one = BY_NAME[identity]
        assert not one.residual(0) <= one.bound, identity


def test_steps_are_torchs() -> None:
    problem = L.by_batch(np.random.default_rng(0))
    w = problem.w.clone().requires_grad_()
    optimizer = torch.optim.SGD([w], lr=2.0, momentum=0.9, weight_decay=0.01)
    for t in range(5):
        optimizer.zero_grad()
        problem.loss(w, t).backward()
        optimizer.step()
    walked = walking.walk(problem, 5, lr=2.0, decay=0.01, momentum=0.9)
    assert torch.allclose(walked.weights[-1], w.detach(), rtol=1e-13, atol=0)


def test_steps_of_adam_are_torchs() -> None:
    problem = L.by_batch(np.random.default_rng(0))
    w = problem.w.clone().requires_grad_()
    optimizer = torch.optim.Adam([w], lr=0.01, eps=0)
    for t in range(5):
        optimizer.zero_grad()
        problem.loss(w, t).backward()
        optimizer.step()
    weights, _ = walking.adam(problem, 5, lr=0.01, start=problem.w)
    assert torch.allclose(weights[-1], w.detach(), rtol=1e-10, atol=0)


def test_too_much_decay_for_the_momentum_is_refused() -> None:
    assert exponential(0.1, 0.01, 0.9).shrink == pytest.approx(0.9890, abs=1e-3)
    with pytest.raises(ValueError, match="lower one"):
        exponential(0.1, 0.1, 0.9)
    with pytest.raises(ValueError, match="lower one"):
        exponential(1.0, 1.0)


def test_the_equilibrium_is_where_the_square_stays() -> None:
    square = 9.0
    for _ in range(400):
        square = E.next_square(square, 0.5, 0.05, 2.0)
    assert square**0.5 == pytest.approx(E.length(0.5, 0.05, 2.0))


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    runs = [(norm, trained.Run(norm=norm, steps=4)) for norm in ("batch", "weight", "none")]
    decayed = trained.Run(norm="weight", decay=0.1, steps=4)
    return trained.table([*runs, ("decay", decayed)], 2)


def test_the_law_of_sgd_in_a_network_that_learns(table: pd.DataFrame) -> None:
    off = (table["law"] / table["square"] - 1).abs().groupby(table["run"]).max()
    assert off["weight"] < 1e-12
    assert off["decay"] < 1e-12
    assert off["batch"] < 1e-4  # its epsilon is 1e-5
    assert off["none"] > 1e-4
    assert len(table) == 4 * 2 * 2 * 4


def test_networks_of_one_seed_start_alike(table: pd.DataFrame) -> None:
    starts = table.groupby(["seed", "layer"])["start"].nunique()
    assert (starts == 1).all()
    losses = table[(table["step"] == 1) & table["run"].isin(["weight", "none"])]
    assert losses.groupby("seed")["loss"].agg(np.ptp).max() < 1e-9


def test_means_are_over_the_last_steps(table: pd.DataFrame) -> None:
    found = trained.settled(table, 1)
    last = table[table["step"] == 4]
    assert found["length"].tolist() == pytest.approx((last["square"] ** 0.5).tolist())
    assert found["angle"].tolist() == pytest.approx(last["angle"].tolist())


def test_decay_and_its_schedule_walk_one_way() -> None:
    plan = exponential(0.05, 0.01, 0.9)
    decayed = trained.Run(norm="batch", lr=0.05, decay=0.01, momentum=0.9, eps=1e-30, steps=4)
    free = {"lr": plan.first, "growth": plan.growth, "momentum": 0.9, "eps": 1e-30, "steps": 4}
    right = trained.Run(norm="batch", lean=plan.lean, **free)
    found = trained.apart(
        [("a", decayed, right), ("b", decayed, trained.Run(norm="batch", **free))], 1
    )
    ends = found[found["step"] == 4].set_index("pair")
    assert ends.loc["a", "distance"] < 1e-12
    assert ends.loc["b", "distance"] > 1e-6
    assert ends.loc["a", "ratio"] == pytest.approx(plan.shrink**4)


def test_what_no_optimizer_would_do_is_refused() -> None:
    with pytest.raises(ValueError, match="optimizer='Adam' is unknown; choose sgd or adam"):
        trained.Run(norm="batch", optimizer="Adam")
    for ignored in ({"decay": 0.1}, {"momentum": 0.9}):
        with pytest.raises(ValueError, match="are of SGD, and adam would not look"):
            trained.Run(norm="batch", optimizer="adam", **ignored)
    assert trained.Run(norm="batch", optimizer="adam", lr=0.01).optimizer == "adam"


SOME = ("batch", "layer", "weight", "spectral", "mean-only", "none")


def test_running_averages_notice_scale() -> None:
    rows = scaled.evaluated(catalogue[name] for name in SOME)
    kept = rows[rows["invariant"]].groupby("transformation")["method"].agg(set).to_dict()
    assert kept == {
        "weight scaled": {"layer", "weight", "spectral"},
        "filters scaled": {"weight"},
        "inputs scaled": {"layer"},
    }


def test_projections_leave_their_own_output() -> None:
    found = scaled.projecting(catalogue[name] for name in SOME).set_index("method")
    assert "none" not in found.index
    assert found["idempotent"].all()
    assert found["forgets_scale"].to_dict() == {
        "batch": True,
        "layer": True,
        "weight": True,
        "spectral": True,
        "mean-only": False,
    }
