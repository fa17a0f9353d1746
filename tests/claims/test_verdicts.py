"""Verdicts on invented runs whose truth is known."""

import dataclasses

import numpy as np
import pytest

from normlib.analysis import tables
from normlib.analysis.outcome import Outcome
from normlib.claims import ALPHA, CLAIMS, Claim, Test, verdicts
from normlib.claims.reported import predicted
from normlib.claims.verdicts import CONTRADICTED, SUPPORTED, UNDECIDED
from tests.fakes import fake_record, fake_sweep

FINAL = Outcome(quantity="test_accuracy", first=10, last=10)


def claim(*tests, needs=None, name="Z1", family="Z"):
    return Claim(
        id=name,
        source="Z",
        claim="",
        reading="",
        decision="runs",
        chapters=(),
        plan="fashion-mnist",
        family=family,
        tests=tests,
        needs=needs,
    )


def above(first, second, low=0.0):
    return Test(kind="superiority", first=first, second=second, outcome=FINAL, low=low)


def within(first, second, margin):
    return Test(
        kind="equivalence", first=first, second=second, outcome=FINAL, low=-margin, high=margin
    )


@pytest.fixture(scope="module")
def table():
    levels = {"none": 90.0, "batch": 91.0, "layer": 90.0}
    return tables.runs(
        fake_record(norm, seed, level=level) for norm, level in levels.items() for seed in range(20)
    )


@pytest.mark.parametrize(
    ("test", "answer"),
    [
        (above("batch", "none"), SUPPORTED),
        (above("none", "batch"), CONTRADICTED),
        (above("layer", "none"), UNDECIDED),
        (above("batch", "none", low=1.5), CONTRADICTED),
        (within("layer", "none", 0.5), SUPPORTED),
        (within("batch", "none", 0.5), CONTRADICTED),
        (within("layer", "none", 0.01), UNDECIDED),
        (Test(kind="bound", first="batch", second="none", outcome=FINAL, high=2.0), SUPPORTED),
        (Test(kind="bound", first="batch", second="none", outcome=FINAL, high=0.3), CONTRADICTED),
        (
            Test(kind="range", first="batch", second="none", outcome=FINAL, low=0.5, high=1.5),
            SUPPORTED,
        ),
        (
            Test(kind="range", first="batch", second="none", outcome=FINAL, low=0.0, high=0.5),
            CONTRADICTED,
        ),
        (Test(kind="share", first="batch", second="none", outcome=FINAL, low=75.0), SUPPORTED),
        (Test(kind="share", first="none", second="batch", outcome=FINAL, low=75.0), CONTRADICTED),
        (Test(kind="spread", first="none", second=None, outcome=FINAL, low=0.05), SUPPORTED),
        (Test(kind="spread", first="none", second=None, outcome=FINAL, low=2.0), CONTRADICTED),
    ],
    ids=str,
)
def test_each_kind_of_test_finds_the_truth(table, test, answer):
    (found,) = verdicts.judge([claim(test)], table)
    assert found.answer == answer
    assert found.primary[0].n == 20


@pytest.mark.parametrize("kind", ["superiority", "equivalence"])
def test_a_single_test_agrees_with_its_interval(table, kind):
    for margin in np.linspace(0.01, 2.0, 60):
        test = above("batch", "none", margin)
        if kind == "equivalence":
            test = within("batch", "none", margin)
        result = verdicts.judge([claim(test)], table)[0].primary[0]
        high = np.inf if test.high is None else test.high
        inside = test.low < result.low and result.high < high
        outside = result.high < test.low or result.low > high
        expected = SUPPORTED if inside else CONTRADICTED if outside else UNDECIDED
        assert result.answer == expected


def test_a_claim_needs_all_its_tests_or_as_many_as_it_says(table):
    good, bad, open_ = above("batch", "none"), above("none", "batch"), above("layer", "none")

    def answer(*tests, needs=None):
        return verdicts.judge([claim(*tests, needs=needs)], table)[0].answer

    assert answer(good, good) == SUPPORTED
    assert answer(good, open_) == UNDECIDED
    assert answer(good, open_, bad) == CONTRADICTED
    assert answer(good, open_, bad, needs=1) == SUPPORTED
    assert answer(good, open_, bad, needs=2) == UNDECIDED
    assert answer(bad, open_, bad, needs=2) == CONTRADICTED


def test_a_family_is_corrected_over_all_its_claims(table):
    one = claim(above("layer", "none"), name="Z1", family="both")
    two = claim(*[above("none", "layer")] * 9, name="Z2", family="both")
    alone = verdicts.judge([one], table)[0].primary[0]
    together = verdicts.judge([one, two], table)[0].primary[0]
    assert together.p == alone.p == alone.p_holm
    assert together.p_holm == pytest.approx(min(1.0, 10 * alone.p))


def test_secondary_tests_change_nothing(table):
    other = dataclasses.replace(above("none", "batch"), role="secondary")
    (found,) = verdicts.judge([claim(above("batch", "none"), other)], table)
    assert found.answer == SUPPORTED
    assert found.results[1].answer == CONTRADICTED
    assert found.primary[0].p == found.primary[0].p_holm


def test_missing_runs_decide_nothing_but_still_count_in_the_family(table):
    tests = [above("batch", "none"), above("weight", "none")]
    (found,) = verdicts.judge([claim(*tests)], table)
    assert found.answer == UNDECIDED
    assert found.results[1].estimate is None
    assert found.primary[0].p_holm == pytest.approx(2 * found.primary[0].p)
    assert found.runs == {"batch": 20, "none": 20}


@pytest.mark.parametrize("seeds", [0, 1, 2])
def test_too_few_seeds_decide_nothing(seeds):
    table = tables.runs(fake_sweep({"none": seeds, "batch": seeds}))
    found = verdicts.judge(CLAIMS.values(), table)
    assert {one.answer for one in found if one.claim.decision == "runs"} == {UNDECIDED}


def test_the_whole_sweep_gives_every_claim_a_verdict():
    found = verdicts.judge(CLAIMS.values(), tables.runs(fake_sweep()))
    assert [one.claim.id for one in found] == list(CLAIMS)
    assert all(one.runs for one in found if one.claim.plan == "fashion-mnist")


def test_no_true_difference_is_rarely_called_one():
    rng, wrong, tries = np.random.default_rng(1), 0, 150
    base = tables.runs(fake_sweep({"none": 20, "batch": 20, "layer": 20}))
    one = claim(*(above(norm, "none") for norm in ("batch", "layer")))
    for _ in range(tries):
        base["test_accuracy"] = rng.normal(90, 0.3, len(base))
        answers = [result.answer for result in verdicts.judge([one], base)[0].primary]
        wrong += any(answer != UNDECIDED for answer in answers)
    assert wrong / tries <= ALPHA + 4 * (ALPHA * (1 - ALPHA) / tries) ** 0.5


def test_a_source_is_inside_our_prediction_or_not():
    near = [fake_record("none", seed, level=90.5) for seed in range(20)]
    far = [fake_record("layer", seed, level=80.0) for seed in range(20)]
    found = predicted(tables.runs([*near, *far]))
    rows = {(row["source"], row["norm"]): row for _, row in found.iterrows()}
    assert rows["A", "none"]["inside"]
    assert not rows["A", "layer"]["inside"]
    assert ("A", "weight") not in rows


def test_an_approximate_number_gets_its_rounding():
    found = predicted(tables.runs(fake_sweep()))
    for _, row in found.iterrows():
        nearest = np.clip(row["reported"], row["new_low"], row["new_high"])
        assert row["inside"] == (abs(nearest - row["reported"]) <= row["rounding"])
