"""The verdicts on D1 to D3 follow the numbers they are given."""

import pandas as pd
import pytest

from normlib.analysis.outcome import FEWEST
from normlib.claims.source_d import CLAIMS_D, OWN, findings, grown
from normlib.claims.verdicts import CONTRADICTED, OPEN, SUPPORTED


def kinds(spheres, others):
    rows = [(f"m{i}", "sphere", True, True) for i in range(spheres)]
    rows += [(f"n{i}", "pointwise", False, False) for i in range(others)]
    return pd.DataFrame(rows, columns=["method", "kind", "idempotent", "forgets_scale"])


def scales(noticing=()):
    rows = [
        (name, mode, "weight scaled", mode == "training" and name not in noticing)
        for name in OWN
        for mode in ("training", "evaluation")
    ]
    return pd.DataFrame(rows, columns=["method", "mode", "transformation", "invariant"])


def trained(factors, seeds=5):
    rows = [
        (norm, seed, layer, step, 4.0, 4.0 * (factor + 0.01 * seed) ** (step / 2))
        for norm, factor in factors.items()
        for seed in range(seeds)
        for layer in (1, 2)
        for step in (1, 2)
    ]
    return pd.DataFrame(rows, columns=["norm", "seed", "layer", "step", "start", "square"])


GROWING = {"batch": 1.2, "layer": 1.3, "weight": 1.4, "none": 0.9}


def answers(*tables):
    return [one.answer for one in findings(*tables)]


def test_all_hold():
    judged = findings(kinds(6, 5), scales(), trained(GROWING))
    computed = [claim.id for claim in CLAIMS_D if claim.decision == "computed"]
    assert [one.claim for one in judged] == computed == ["D1", "D2", "D3"]
    assert {one.answer for one in judged} == {SUPPORTED}
    assert judged[0].why.startswith("6 of 11")
    assert "batch, layer" in judged[1].why


def test_half_is_not_most():
    assert answers(kinds(5, 5), scales(), trained(GROWING))[0] == CONTRADICTED


def test_one_method_that_notices_is_enough():
    assert answers(kinds(6, 5), scales({"spectral"}), trained(GROWING))[1] == CONTRADICTED
    few = scales()[lambda table: table["method"] != "group"]
    assert answers(kinds(6, 5), few, trained(GROWING))[1] == OPEN


@pytest.mark.parametrize(
    ("factors", "seeds", "answer"),
    [
        ({**GROWING, "layer": 0.8}, 5, CONTRADICTED),
        ({**GROWING, "layer": 0.99}, 5, OPEN),
        (GROWING, FEWEST, SUPPORTED),
        (GROWING, FEWEST - 1, OPEN),
    ],
)
def test_growth_needs_all_three_and_seeds(factors, seeds, answer):
    assert answers(kinds(6, 5), scales(), trained(factors, seeds))[2] == answer


def test_growth_is_in_length_and_at_the_end():
    found = grown(trained({"batch": 1.44}, seeds=1))
    assert found["percent"].tolist() == pytest.approx([20.0])
