"""The parity table: its sides agree where they should, and its measure sees what it must."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from normlib.analysis.parity import QUANTITIES, Case, cases, load_keras, numpy_side, torch_side
from normlib.analysis.parity import comparison as c
from normlib.analysis.parity.held_mean import second_derivative
from tests.layers.reference import complex_step, reference

CENTERED = [x for x in cases() if x.training and x.centered]


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return c.table(load_keras())


def test_every_case_and_quantity_is_compared_with_every_peer(table: pd.DataFrame) -> None:
    for case in cases():
        rows = table[(table["method"] == case.method) & (table["training"] == case.training)
                     & (table["input"] == case.input)]  # fmt: skip
        assert set(rows["peer"]) == set(c.PEERS)
        expected = {q for q in QUANTITIES if (q not in ("gbeta",) or case.beta.size)
                    and ("running" not in q or case.method == "batch")}  # fmt: skip
        for peer in c.PEERS:
            assert set(rows.loc[rows["peer"] == peer, "quantity"]) == expected


@pytest.mark.parametrize("peer", ["torch", "numpy"])
def test_torch_and_numpy_agree_within_the_bounds(table: pd.DataFrame, peer: str) -> None:
    rows = table[table["peer"] == peer]
    assert rows["within"].all(), rows[~rows["within"]].to_string()


def test_the_bounds_hold_unscaled_on_ordinary_inputs(table: pd.DataFrame) -> None:
    """Only the input made for cancellation needs its condition taken into account."""
    rows = table[(table["input"] != "large-mean") & (table["peer"] != "keras")]
    assert (rows["error"] <= rows["quantity"].map(c.BOUNDS)).all()
    assert (rows["condition"] < 10).all()


def test_keras_differs_in_two_definitions_and_nothing_else(table: pd.DataFrame) -> None:
    """Its running variance is biased; its second derivative takes a mean for a constant."""
    outside = table[(table["peer"] == "keras") & ~table["within"]]
    found = {(row["quantity"], row["method"], row["training"]) for _, row in outside.iterrows()}
    centered = {x.method for x in CENTERED}
    assert found == {("running_var", "batch", True)} | {("hx", m, True) for m in centered}


def test_kerass_running_variance_is_the_biased_one() -> None:
    keras = load_keras()
    for case in (x for x in cases() if x.method == "batch"):
        stored = keras.results(case)["running_var"]
        assert c.error(c.biased_running_variance(case), stored) <= 1e-12 * c.condition(case)


@pytest.mark.parametrize("case", CENTERED, ids=lambda x: x.name)
def test_kerass_second_derivative_holds_a_mean_constant(case: Case) -> None:
    stored, right = load_keras().results(case)["hx"], numpy_side.results(case)["hx"]
    bound = 1e-10 * c.condition(case)
    assert c.error(second_derivative(case, held=True), stored) <= bound
    assert c.error(second_derivative(case, held=False), right) <= bound
    assert c.error(stored, right) > 1e-3


@pytest.mark.parametrize("method", ["batch", "layer", "group", "instance", "rms"])
def test_the_numpy_side_against_complex_steps(method: str) -> None:
    """Its second derivative by x, derived by hand, is the derivative of a gradient that is not."""
    case = next(x for x in cases() if x.method == method and x.training and x.input == "plain")
    cls = {"batch": "BatchNorm2d", "layer": "LayerNorm", "group": "GroupNorm",
           "instance": "InstanceNorm2d", "rms": "RMSNorm"}[method]  # fmt: skip
    x, gy, u = case.x[:2, :, :3, :3], case.gy[:2, :, :3, :3], case.u[:2, :, :3, :3]
    gamma = case.gamma[:, :3, :3] if case.gamma.ndim == 3 else case.gamma
    beta = np.zeros_like(gamma)
    ref = reference(cls, x.shape, case.eps, groups=2, trailing=3)
    small = Case(**{**case.__dict__, "x": x, "gy": gy, "u": u, "gamma": gamma, "beta": beta})
    found = numpy_side.results(small)
    gx = complex_step(lambda t: ref.forward(t, gamma, beta), x, gy)
    hx = complex_step(lambda t: ref.backward(t, gamma, beta, gy)[0], x, u)
    np.testing.assert_allclose(found["gx"].astype(float), gx, rtol=1e-11, atol=1e-13)
    np.testing.assert_allclose(found["hx"].astype(float), hx, rtol=1e-11, atol=1e-13)
    hgamma = complex_step(lambda t: ref.backward(x, t, beta, gy)[0], gamma, u)
    np.testing.assert_allclose(found["hgamma"].astype(float), hgamma, rtol=1e-11, atol=1e-13)
    hgy = complex_step(lambda t: ref.backward(x, gamma, beta, t)[0], gy, u)
    np.testing.assert_allclose(found["hgy"].astype(float), hgy, rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("method", ["rms", "rms-channels", "layer", "layer-channels"])
def test_only_centering_loses_digits(method: str) -> None:
    """Entries of which one is far larger than the others, but not a mean that all share."""
    case = next(x for x in cases() if x.method == method and x.input == "plain")
    spiked = case.x / 1e6
    spiked[0, 0, 0, 0] = 1.0
    one = Case(**{**case.__dict__, "x": spiked})
    assert (c.condition(one) > 1) == case.centered


@pytest.mark.parametrize("library", ["normlib", "torch"])
def test_float32_sides_are_float32(library: torch_side.Library) -> None:
    case = cases()[0]
    found = torch_side.results(case, library, "float32")
    assert {array.dtype for array in found.values()} == {np.dtype(np.float32)}
    exact = numpy_side.results(case)
    assert c.error(found["y"], exact["y"]) <= 1e-6


def test_the_error_is_relative_to_the_largest_value() -> None:
    a = np.array([1.0, 4.0])
    assert c.error(a, a) == 0
    assert c.error(a + np.array([0, 0.4]), a) == pytest.approx(0.1)
    assert c.error(np.zeros(2), np.zeros(2)) == 0
    assert c.error(a, np.zeros(2)) == np.inf
    assert c.error(a, np.zeros(3)) == np.inf


def test_a_wrong_result_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """One entry off by 1e-9 in one quantity of one case leaves its bound, and is located."""
    right = torch_side.results

    def wrong(case: Case, library: torch_side.Library, dtype: str = "float64") -> dict:
        found = right(case, library, dtype)
        if library == "normlib" and case.name == "group/train/plain":
            found["gx"].flat[3] += 1e-9
        return found

    monkeypatch.setattr(torch_side, "results", wrong)
    table = c.table(load_keras())
    outside = table[~table["within"] & (table["peer"] == "torch")]
    assert [tuple(row) for row in outside[["method", "input", "quantity"]].to_numpy()] == [
        ("group", "plain", "gx")
    ]


def test_worst_takes_the_largest_over_inputs(table: pd.DataFrame) -> None:
    worst = c.worst(table)
    for _, row in worst.head(20).iterrows():
        keys = ["method", "training", "quantity", "peer"]
        same = (table[keys] == row[keys]).all(axis=1)
        assert row["error"] == table.loc[same, "error"].max()


def test_single_precision_loses_single_precision() -> None:
    table = c.single_precision(load_keras())
    sizes = table[["normlib", "torch", "keras"]]
    assert set(table["method"]) == {case.method for case in cases()}
    assert (sizes > 1e-9).all().all()
    assert (sizes < 1e-5).all().all()
