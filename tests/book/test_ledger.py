"""Tables and sentences: signs, dashes, rounding, missing runs."""

import re

import pandas as pd
import pytest

from normlib.analysis import summaries, tables
from normlib.analysis.outcome import Outcome
from normlib.book import comparing, ledger, protocol
from normlib.book.gathering import gather
from normlib.book.showing import Shown, p_value, signed, text
from normlib.claims import CLAIMS, Claim, verdicts
from normlib.records import Store
from normlib.records.choices import ALL_NORMS
from normlib.sweep.plans import PLANS, fashion_mnist
from tests.fakes import fake_record, fake_sweep

FINAL = Outcome(quantity="test_accuracy", first=10, last=10)


@pytest.fixture(scope="module")
def table():
    return tables.runs(fake_sweep())


@pytest.fixture(scope="module")
def judged(table):
    return verdicts.judge(CLAIMS.values(), table)


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.314, "+0.31"), (-0.2, "−0.20"), (-0.001, "0.00"), (0.0, "0.00"), (12.0, "+12.00")],
)
def test_signed(value, shown):
    assert signed(value) == shown


@pytest.mark.parametrize(
    ("p", "shown"),
    [(0.0, "<\u00a00.001"), (0.00099, "<\u00a00.001"), (0.0412, "0.041"), (None, "–")],
)
def test_p_values_are_never_zero(p, shown):
    assert p_value(p) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [(None, "–"), (float("nan"), "–"), (True, "yes"), (1.005, "1.00"), (-1.5, "−1.50"), (3, "3")],
)
def test_cells(value, shown):
    assert text(value) == shown


def test_a_table_escapes_what_it_shows_and_names_its_columns():
    frame = pd.DataFrame({"a<b": ["<script>", "x\ny"], "n": [1.23456, float("nan")]})
    made = Shown(frame, "caption & more", {"n": 3})._repr_html_()
    assert "<script>" not in made
    assert "<caption>caption &amp; more</caption>" in made
    assert '<th scope="col">a&lt;b</th>' in made
    assert "<td>1.235</td>" in made
    assert "x<br>y" in made


def test_every_claim_and_test_can_be_said(judged):
    assert len(ledger.verdicts(judged)) == len(CLAIMS)
    primary, other = ledger.comparisons(judged), ledger.comparisons(judged, "secondary")
    assert len(primary) + len(other) == sum(len(claim.tests) for claim in CLAIMS.values())
    said = " ".join(primary["claimed"])
    for words in ("above 0 points", "within ±0.5 points", "below 1 point ", "above 75% of seeds"):
        assert words in said + " "


def test_a_sentence_has_the_numbers(judged):
    b3 = next(one for one in judged if one.claim.id == "B3")
    (result,) = b3.primary
    said = ledger.sentence([result])
    assert said.startswith("WN − none +0.")
    assert said.endswith("20\u00a0seeds")
    assert f"[{signed(result.low)},\u00a0{signed(result.high)}]" in said


def test_evidence_is_numbers_or_a_tally(judged):
    said = {one.claim.id: ledger.evidence(one) for one in judged if one.primary}
    assert said["B3"].startswith("WN − none")
    for one in judged:
        if len(one.primary) > 2:
            held = sum(result.answer == "supported" for result in one.primary)
            assert said[one.claim.id].startswith(f"{held} of {len(one.primary)} tests hold")
            assert "1 are" not in said[one.claim.id]
            assert said[one.claim.id].count("holds") == (held == 1)


def test_missing_runs_are_said_in_words():
    judged = verdicts.judge(CLAIMS.values(), tables.runs([]))
    assert "too few" in ledger.sentence(judged[0].primary)


def test_accuracies_beside_the_sources(table):
    found = comparing.beside(table).set_index("condition")
    assert found.loc["LN", "source B (%)"] == "88.29"
    assert found.loc["LN", "source A (%)"] == "91.0"
    mean = summaries.summary(table, FINAL).set_index("norm").loc["layer", "mean"]
    assert found.loc["LN", "epoch 10: mean [95% interval] (%)"].startswith(f"{mean:.2f} [")


@pytest.mark.parametrize(("runs", "said"), [(1, "(one run)"), (2, "(two runs)")])
def test_a_mean_of_too_few_runs_says_of_how_many(runs, said):
    few = tables.runs(fake_sweep({"layer": runs}))
    mean = summaries.summary(few, FINAL)["mean"].item()
    shown = comparing.beside(few)["epoch 10: mean [95% interval] (%)"].item()
    assert shown == f"{mean:.2f} {said}"


def test_detectable_differences_by_number_of_seeds(table):
    said = comparing.detectable([summaries.differences(table, FINAL)])
    assert "with 5 seeds" in said
    assert said.endswith("with 20 seeds")


def test_protocol_is_the_plans(table):
    settings = protocol.protocol(PLANS["fashion-mnist"]).set_index("setting")["value"]
    assert settings["learning_rate"] == "0.01"
    assert settings["batch_size"] == "100"
    counts = protocol.conditions(PLANS["fashion-mnist"], fake_sweep({"none": 3}))
    assert counts.set_index("condition").loc["none", ["seeds", "recorded"]].tolist() == [20, 3]
    assert counts["seeds"].sum() == 120


def test_gathering_takes_the_plans_runs_only(tmp_path):
    store = Store([tmp_path], write_to=tmp_path)
    for record in (
        fake_record("none", 0),
        fake_record("none", 25),
        fake_record("rms", 0, level=90),
    ):
        store.save(record)
    gathered = gather(PLANS["fashion-mnist"], store=store)
    assert [record.experiment.name for record in gathered.records] == ["none-seed00"]
    assert len(gathered.missing) == 119
    assert "normlib run fashion-mnist" in gathered.report()


def test_other_settings_are_computed_by_the_chapter_itself(tmp_path):
    store = Store([tmp_path], write_to=tmp_path)
    gathered = gather(fashion_mnist(epochs=3), store=store)
    assert "compute=True" in gathered.report()
    assert "normlib run" not in gathered.report()
    assert gathered.label == "fashion-mnist with epochs 3"
    assert gather(PLANS["fashion-mnist"], store=store).label == "fashion-mnist"


def test_all_recorded_is_said(tmp_path):
    store = Store([tmp_path], write_to=tmp_path)
    store.save(fake_record("none", 0))
    plan = fashion_mnist(seeds=1, peer_seeds=0)
    few = type(plan)(plan.name, plan.title, plan.experiments[:1])
    assert gather(few, store=store).report() == "All 1 runs of plan fashion-mnist are recorded."


def test_what_decides_is_said_where_it_differs():
    both = ledger.questions(CLAIMS.values())
    assert set(both["decided by"]) >= {"runs"}
    runs = ledger.questions(one for one in CLAIMS.values() if one.decision == "runs")
    assert list(runs) == ["claim", "the source says", "how it is read"]


def test_readings_name_norms_as_every_table_does():
    asked = ledger.questions(CLAIMS.values()).set_index("claim")["how it is read"]
    assert "BN-minus minus BN is above \N{MINUS SIGN}1 point" in asked["E1"]
    assert "LN minus each of the other five" in asked["A1"]
    assert not any("`" in reading for reading in asked)
    plain = Claim(id="X", source="X", claim="", reading="a: b", decision="computed", chapters=())
    assert ledger.questions([plain])["how it is read"].item() == "a: b", "which names no norm"


@pytest.mark.parametrize("claim", CLAIMS.values(), ids=lambda claim: claim.id)
def test_in_backticks_a_reading_has_norms_alone(claim):
    assert "`" not in claim.claim
    assert set(re.findall("`([^`]*)`", claim.reading)) <= set(ALL_NORMS)
    assert not re.search(r"(?<![\w\]])-\d", claim.reading), "a number's minus is no hyphen"
