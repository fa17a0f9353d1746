"""Every identity holds, and none is a sentence that could not be wrong."""

from __future__ import annotations

import contextlib
import math
import re
from collections.abc import Callable, Iterator

import pandas as pd
import pytest
import torch
from torch import Tensor

from normlib import projection, theory
from normlib.theory import IDENTITIES, Identity, apart, check, worst
from normlib.theory import equalities as E
from normlib.theory import hyperplane as H
from normlib.theory import jacobian as J
from normlib.theory import sphere as S
from normlib.theory import symmetry as V
from normlib.theory import whitening as W
from normlib.theory.identity import EXACT

PROJECTION = (*H.HYPERPLANE, *S.SPHERE, *V.SYMMETRY, *E.EQUALITIES, *W.WHITENING, *J.JACOBIAN)
SEEDS = (0, 1, 2)


@pytest.mark.parametrize("identity", IDENTITIES, ids=lambda one: one.name)
def test_it_holds(identity: Identity) -> None:
    residuals = [identity.residual(seed) for seed in SEEDS]
    assert all(residual <= identity.bound for residual in residuals), residuals


def test_names_are_unique_and_statements_differ() -> None:
    assert len({one.name for one in IDENTITIES}) == len(IDENTITIES)
    assert len({one.statement for one in IDENTITIES}) == len(IDENTITIES)
    assert len({one.residual for one in IDENTITIES}) == len(IDENTITIES)


@pytest.mark.parametrize("identity", IDENTITIES, ids=lambda one: one.name)
def test_it_is_stated_in_full(identity: Identity) -> None:
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)+", identity.name)
    assert re.fullmatch(r"0\d_\w+", identity.chapter)
    assert identity.title.strip(" .") == identity.title != ""
    assert "$" not in identity.statement
    assert identity.statement.count("{") == identity.statement.count("}")
    if identity.kind == "exact":
        assert identity.bound <= 1e-9


@pytest.mark.parametrize("identity", PROJECTION, ids=lambda one: one.name)
def test_it_is_exact_and_its_data_come_from_the_seed_alone(identity: Identity) -> None:
    assert identity.bound == EXACT
    assert identity.residual(0) == identity.residual(0)


def test_the_table_has_a_row_per_identity() -> None:
    right = Identity(name="a-b", title="t", statement="s", residual=lambda s: s * 1e-13, chapter="")
    wrong = Identity(name="c-d", title="t", statement="s", residual=lambda s: math.nan, chapter="")
    table = check([right, wrong], seed=3)
    assert table.columns.tolist() == ["name", "residual", "bound", "holds"]
    assert table["holds"].tolist() == [True, False]
    assert check([right], seed=30)["holds"].tolist() == [False]


def test_residuals_are_relative_and_do_not_hide_a_hole() -> None:
    one = torch.tensor([100.0, 1.0])
    assert apart(one + 1, one) == pytest.approx(0.01)
    assert apart(one, 100.0, unit=1) == 99
    assert math.isnan(apart(one * math.nan, one))
    assert math.isnan(worst([0.0, math.nan, 1.0]))


# Mistakes, planted below all layers: in the projection, in centering, in whitening.


def _planted(
    *,
    bessel: bool = False,
    eps_outside: bool = False,
    no_eps: bool = False,
    absolute: bool = False,
    no_root: bool = False,
    center: bool | None = None,
    mean_held: bool = False,
    variance_held: bool = False,
) -> Callable[..., tuple[Tensor, Tensor, Tensor]]:
    def apply(
        x: Tensor,
        gamma: Tensor | None,
        beta: Tensor | None,
        dims: tuple[int, ...],
        eps: float,
        centered: bool,
    ) -> tuple[Tensor, Tensor, Tensor]:
        mu = x.mean(dims, keepdim=True)
        z = x - (mu.detach() if mean_held else mu) * (centered if center is None else center)
        sigma2 = (z * z).mean(dims, keepdim=True)
        if absolute:
            sigma2 = z.abs().mean(dims, keepdim=True) ** 2
        if bessel:
            d = math.prod(x.shape[i] for i in dims)
            sigma2 = sigma2 * d / (d - 1)
        root = sigma2.sqrt() + eps if eps_outside else (sigma2 + eps * (not no_eps)).sqrt()
        root = sigma2 + eps if no_root else root
        y = z / (root.detach() if variance_held else root)
        y = y if gamma is None else y * gamma
        return y if beta is None else y + beta, mu * centered, sigma2

    return apply


SPHERES = {
    "unbiased variance": _planted(bessel=True),
    "epsilon outside the root": _planted(eps_outside=True),
    "no epsilon": _planted(no_eps=True),
    "divided by the variance": _planted(no_root=True),
    "mean of absolute values": _planted(absolute=True),
    "never centered": _planted(center=False),
    "always centered": _planted(center=True),
    "mean held in the backward pass": _planted(mean_held=True),
    "variance held in the backward pass": _planted(variance_held=True),
}


def _first_for_mean(x: Tensor, dims: tuple[int, ...], beta: None = None) -> tuple[Tensor, Tensor]:
    first = x[tuple(slice(0, 1) if i in dims else slice(None) for i in range(x.dim()))]
    return x - first, first


def _sample_mean(x: Tensor, dims: tuple[int, ...], beta: None = None) -> tuple[Tensor, Tensor]:
    mu = x.sum(dims, keepdim=True) / (math.prod(x.shape[i] for i in dims) - 1)
    return x - mu, mu


def _kept_positive(x: Tensor, dims: tuple[int, ...], beta: None = None) -> tuple[Tensor, Tensor]:
    mu = x.mean(dims, keepdim=True)
    return x - mu.clamp(min=0), mu


PLANES = {
    "first entry for the mean": _first_for_mean,
    "divided by one less": _sample_mean,
    "negative means kept": _kept_positive,
}


def _cholesky(x: Tensor, eps: float = 0.0) -> tuple[Tensor, Tensor, Tensor]:
    z = x - x.mean(1, keepdim=True)
    covariance = z @ z.T / x.shape[1] + eps * torch.eye(len(x), dtype=x.dtype)
    L = torch.linalg.cholesky(covariance)
    return torch.linalg.solve_triangular(L, z, upper=False), z, covariance


def _diagonal_only(x: Tensor, eps: float = 0.0) -> tuple[Tensor, Tensor, Tensor]:
    z = x - x.mean(1, keepdim=True)
    S = z @ z.T / x.shape[1]
    return z / (S.diagonal()[:, None] + eps).sqrt(), z, S


def _bessel_whitening(x: Tensor, eps: float = 0.0) -> tuple[Tensor, Tensor, Tensor]:
    Y, z, S = WHITENED(x, eps)
    return Y * math.sqrt((x.shape[1] - 1) / x.shape[1]), z, S


WHITENED = W.whitened
WHITENINGS = {
    "Cholesky for the root": _cholesky,
    "variances only": _diagonal_only,
    "unbiased covariance": _bessel_whitening,
}


@contextlib.contextmanager
def _mistaken(name: str) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        if name in SPHERES:
            patch.setattr(projection._Sphere, "apply", SPHERES[name])
        elif name in PLANES:
            for module in (H, E):
                patch.setattr(module, "hyperplane", PLANES[name])
        else:
            patch.setattr(W, "whitened", WHITENINGS[name])
        yield


@pytest.fixture(scope="module")
def broken() -> pd.DataFrame:
    """Whether each identity (row) breaks under each mistake (column)."""
    columns = {}
    for name in (*SPHERES, *PLANES, *WHITENINGS):
        with _mistaken(name):
            columns[name] = ~check(PROJECTION, seed=0).set_index("name")["holds"]
    return pd.DataFrame(columns)


@pytest.mark.parametrize("identity", PROJECTION, ids=lambda one: one.name)
def test_some_mistake_breaks_it(identity: Identity, broken: pd.DataFrame) -> None:
    assert broken.loc[identity.name].any()


@pytest.mark.parametrize("mistake", [*SPHERES, *PLANES, *WHITENINGS])
def test_every_mistake_breaks_something_and_not_everything(
    mistake: str, broken: pd.DataFrame
) -> None:
    assert broken[mistake].any()
    assert not broken[mistake].all()


def test_mistakes_break_what_they_should(broken: pd.DataFrame) -> None:
    """The exact statements at eps = 0 do not see eps; those about values see no backward pass."""
    outside = broken["epsilon outside the root"]
    assert outside[["sphere-radius-eps", "sphere-ray", "jacobian-spectrum"]].all()
    assert not outside[["sphere-radius", "sphere-idempotent", "sphere-nearest"]].any()
    held = broken["variance held in the backward pass"]
    assert held[["jacobian-layer", "jacobian-projector", "jacobian-parts"]].all()
    assert not held[[one.name for one in (*S.SPHERE, *V.SYMMETRY, *E.EQUALITIES)]].any()
    rotated = broken["Cholesky for the root"]
    assert rotated[["whitening-nearest", "whitening-rotation"]].all()
    assert not rotated["whitening-one-channel"]


def test_the_complex_step_is_the_derivative() -> None:
    x = torch.tensor([0.3, -1.2, 2.5], dtype=torch.float64)
    found = J.by_complex_step(lambda x: x**3 / (x * x).sum(), x)
    expected = torch.func.jacrev(lambda x: x**3 / (x * x).sum())(x)
    assert apart(found, expected) < 1e-14


def test_the_package_lists_what_the_modules_hold() -> None:
    assert set(PROJECTION) <= set(IDENTITIES)
    assert theory.IDENTITIES is IDENTITIES
