"""What could have produced the sources' differences, and what a comparison cannot see."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from normlib.analysis.parity import blindness as b
from normlib.analysis.parity import explanations as e
from normlib.analysis.parity import load_keras, setups
from normlib.claims import CLAIMS
from normlib.claims.parity import findings

FEATURES = next(s for s in setups() if s.name == "normal-features").x


@pytest.fixture(scope="module")
def differences() -> pd.DataFrame:
    return e.differences(load_keras())


def test_one_definition_differs_by_rounding_alone(differences: pd.DataFrame) -> None:
    for family in e.REPORTED:
        assert 0 < e.rounding(differences, family) < 1e-5


def test_every_changed_definition_moves_some_output(differences: pd.DataFrame) -> None:
    changed = differences[differences["changes"] > 0]
    largest = changed.groupby(["family", "change"])["output"].max()
    assert (largest > 1e-4).all(), largest[largest <= 1e-4]


def test_the_stored_differences_are_those_of_the_definitions(differences: pd.DataFrame) -> None:
    """Three of them recomputed in NumPy; epsilon's place comes with another value."""
    for setup in setups():
        axes = tuple(range(setup.x.ndim))[:-1]
        mu, var = setup.x.mean(axes, keepdims=True), setup.x.var(axes, keepdims=True)
        count = setup.x.size / setup.x.shape[-1]
        y = (setup.x - mu) / np.sqrt(var + e.EPS)
        expected = {
            "unbiased variance": y - (setup.x - mu) / np.sqrt(var * count / (count - 1) + e.EPS),
            "running averages, never updated": y - setup.x / np.sqrt(1 + e.EPS),
            "epsilon outside the root, and 1e-5": y - (setup.x - mu) / (np.sqrt(var) + 1e-5),
        }
        mine = differences[
            (differences["setup"] == setup.name) & (differences["family"] == "batch")
        ]
        for change, difference in expected.items():
            found = mine.loc[mine["change"] == change, "output"].max()
            assert found == pytest.approx(np.abs(difference).max(), rel=2e-2, abs=2e-6)


def test_reach_sorts_changes_by_whether_they_span_the_number() -> None:
    rows = [("near", 1, 0.01), ("near", 1, 1.0), ("small", 1, 1e-6), ("large", 1, 5.0),
            ("two + of them", 2, 0.1)]  # fmt: skip
    table = pd.DataFrame(rows, columns=["change", "changes", "output"]).assign(family="layer")
    graded = e.reach(table, "layer").set_index("change")["answer"]
    assert graded.to_dict() == {"near": "could", "small": "too small", "large": "too large"}


def test_a_sum_or_mean_sees_no_layer_norm_gradient() -> None:
    """The true gradient is zero, so five of seven wrong backward passes look right."""
    table = b.errors(FEATURES)
    for loss in ("sum of y", "mean of y"):
        assert table.loc[table["loss"] == loss, "gradient"].max() < 1e-12
        missed = b.unseen(table, loss, e.REPORTED["layer"][1])
        assert {"always zero", "sign flipped", "three times as large"} <= set(missed)


def test_a_random_upstream_gradient_sees_them_all() -> None:
    table = b.errors(FEATURES)
    weighted = table[table["loss"] == "⟨w, y⟩, w random"].set_index("backward")["error"]
    assert weighted["right"] < 1e-12
    assert weighted.drop("right").min() > 0.1


def test_the_truth_is_a_derivative_by_finite_differences() -> None:
    random = np.random.default_rng(0)
    x, h, v = random.normal(size=(3, 4, 6))
    gradient = b.derivative(x, h, 1e-3)

    def value(t: float) -> float:
        return float((h * b._forward(x + t * v, 1e-3)[0]).sum())

    numerical = (value(1e-6) - value(-1e-6)) / 2e-6
    assert (gradient * v).sum() == pytest.approx(numerical, rel=1e-7)


def test_findings_answer_the_claims_of_this_chapter(differences: pd.DataFrame) -> None:
    found = findings(differences, b.errors(FEATURES))
    assert [f.claim for f in found] == ["A4", "A5", "A6", "B8"]
    for finding in found:
        assert "04_parity" in CLAIMS[finding.claim].chapters
        assert finding.why
    answers = {f.claim: f.answer for f in found}
    assert answers["A5"] == answers["A6"] == answers["B8"] == "contradicted"
    assert answers["A4"] == "not decided"


def test_findings_follow_the_numbers(differences: pd.DataFrame) -> None:
    """Other numbers, other answers: nothing is hard-wired."""
    blind = b.errors(FEATURES)
    quiet = differences.assign(output=1e-9)
    assert findings(quiet, blind)[0].answer == "contradicted"  # nothing reaches 2.18
    noisy = differences.assign(output=differences["output"].where(differences["changes"] > 0, 0.2))
    assert findings(noisy, blind)[1].answer == "supported"  # rounding alone reaches 0.107
    seen = blind.assign(error=blind["error"].where(blind["backward"] == "right", 1.0))
    assert findings(differences, seen)[2].answer == "not decided"
