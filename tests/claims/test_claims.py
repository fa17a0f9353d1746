"""The claims are complete, well formed and about runs that the plan has."""

import pytest

from normlib.analysis.contrasts import Cell, single
from normlib.analysis.outcome import Outcome
from normlib.claims import CLAIMS, REPORTED, Claim, ClaimError, Test
from normlib.sweep.plans import PLANS

FINAL = Outcome(quantity="test_accuracy", first=10, last=10)
CONTRAST = single(Cell(model="resnet18", batch_size=50, norm="none"))
#: Those of sources A and B; source E's have tests of their own.
DECIDED = [claim for claim in CLAIMS.values() if claim.plan == "fashion-mnist"]


def test_every_claim_looked_at_so_far_is_there():
    counts = {"A": 8, "B": 9, "C": 10, "D": 12, "E": 23}
    assert list(CLAIMS) == [f"{s}{n}" for s, last in counts.items() for n in range(1, last + 1)]
    assert all(claim.source == name[0] for name, claim in CLAIMS.items())


def test_which_claims_are_decided_where():
    by = {claim.id: claim.decision for claim in CLAIMS.values()}
    assert {name for name, how in by.items() if how == "parity table"} == {"A4", "A5", "A6"}
    assert {name for name, how in by.items() if how == "computed"} == {"D1", "D2", "D3"}
    untested = {"A7", "B9", *(f"D{number}" for number in range(4, 13)), "E12", "E14"}
    untested |= {f"E{number}" for number in range(18, 24)}
    assert {name for name, how in by.items() if how == "not tested yet"} == untested
    assert {claim.source for claim in DECIDED} == {"A", "B"}
    assert "04_parity" in CLAIMS["B8"].chapters


@pytest.mark.parametrize("claim", DECIDED, ids=lambda claim: claim.id)
def test_the_plan_has_the_runs_a_claim_needs(claim):
    runs = PLANS[claim.plan].experiments
    norms, epochs = {run.norm for run in runs}, {run.epochs for run in runs}
    for test in claim.tests:
        assert {test.first, test.second} - {None} <= norms
        assert test.outcome.last <= min(epochs)


@pytest.mark.parametrize("claim", DECIDED, ids=lambda claim: claim.id)
def test_a_claim_uses_the_epoch_of_its_source(claim):
    last = {"A": 10, "B": 4}[claim.source]
    assert {test.outcome.last for test in claim.primary} == {last}


def test_a_comparison_with_none_stays_within_a_framework():
    for claim in DECIDED:
        for test in claim.primary:
            if test.second == "tensorflow:none":
                assert test.first.startswith("tensorflow:")
            if test.second == "none" and claim.id not in ("A1",):
                assert not test.first.startswith("tensorflow:")


def test_the_sources_numbers():
    numbers = {(one.source, one.norm): one.accuracy for one in REPORTED}
    assert len(numbers) == 12
    assert numbers["A", "layer"] == max(v for (s, _), v in numbers.items() if s == "A")
    assert numbers["B", "tensorflow:layer"] == max(v for (s, _), v in numbers.items() if s == "B")
    assert numbers["B", "none"] == 88.25


def make(**changes):
    fields = {"kind": "superiority", "first": "a", "second": "b", "outcome": FINAL, "low": 0.0}
    return Test(**{**fields, **changes})


@pytest.mark.parametrize(
    "changes",
    [
        {"low": None},
        {"high": 1.0},
        {"kind": "equivalence", "low": -0.2, "high": 0.3},
        {"kind": "bound"},
        {"kind": "range", "low": 0.4, "high": 0.2},
        {"kind": "spread"},
        {"second": None},
        {"first": CONTRAST},
        {"first": CONTRAST, "second": None, "kind": "share"},
        {"first": CONTRAST, "second": None, "kind": "spread"},
    ],
)
def test_a_test_with_wrong_bounds_is_refused(changes):
    with pytest.raises(ClaimError, match="cannot have"):
        make(**changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"tests": ()},
        {"plan": None},
        {"needs": 2},
        {"needs": 0},
        {"decision": "parity table"},
    ],
)
def test_a_claim_that_could_not_be_decided_is_refused(changes):
    fields = {
        "id": "Z1",
        "source": "Z",
        "claim": "",
        "reading": "",
        "decision": "runs",
        "chapters": (),
        "plan": "p",
        "family": "f",
        "tests": (make(),),
    }
    assert Claim(**fields).required == 1
    with pytest.raises(ClaimError, match="Z1"):
        Claim(**{**fields, **changes})
