"""Tables and sentences of source E's ablation: true with no runs, with a few, and with all."""

import dataclasses
import functools
import re

import pandas as pd
import pytest

from normlib.analysis import ablation, searched, tables
from normlib.analysis.contrasts import Cell, difference
from normlib.analysis.coverage import coverage
from normlib.analysis.outcome import Outcome
from normlib.book import ablating, ablation_runs, protocol, sourced
from normlib.book import ablation_words as words
from normlib.book.gathering import gather
from normlib.book.showing import Shown
from normlib.claims import CLAIMS, verdicts
from normlib.claims.forms import above
from normlib.claims.source_e.forms import BATCHES, EPOCH_15, NETWORKS
from normlib.claims.source_e.reported import REPORTED_E, predicted, slips
from normlib.records import Store
from normlib.sweep.plans import resnet_ablation, resnet_grid
from tests.claims.resnets import SOURCES, fake_resnet, fake_table

HERE = [claim for claim in CLAIMS.values() if "08_resnet_ablation" in claim.chapters]
EARLY = Outcome(quantity="test_accuracy", first=5, last=5)
#: What the chapter is drawn from at first: two seeds of one cell.
FEW = [
    fake_resnet(cell, seed, level)
    for cell, level in SOURCES.items()
    if (cell.model, cell.batch_size) == ("resnet18", 50)
    for seed in range(2)
]
CUT = [
    fake_resnet(cell, seed, level, epochs=5)
    for cell, level in SOURCES.items()
    if (cell.model, cell.batch_size) == ("resnet50", 50)
    for seed in range(3)
]
RECORDS = {"none": [], "few": FEW, "all": fake_table(SOURCES)}


@functools.cache
def judged(kind):
    return verdicts.judge(HERE, tables.runs(RECORDS[kind]))


@pytest.fixture(scope="module", params=RECORDS)
def kind(request):
    return request.param


@pytest.fixture(scope="module")
def table(kind):
    return tables.runs(RECORDS[kind])


def test_the_sources_numbers_as_runs():
    cells = ablation.cells(sourced.reported_runs(), NETWORKS, BATCHES, EPOCH_15)
    assert cells["mean"].tolist() == pytest.approx(
        [one.accuracy for one in sorted(REPORTED_E, key=_place)]
    )
    crossed = ablation.factorial(sourced.reported_runs(), ["resnet101"], [20], EPOCH_15)
    # (69.71 + 44.12 - 70.32 - 68.19) / 2 and so on, from its Table 7.
    assert crossed["mean"].tolist() == pytest.approx([-12.34, 13.86, 23.46])


def _place(one):
    cell = one.cell
    return NETWORKS.index(cell.model), cell.batch_size, ablation.METHODS.index(cell.norm)


def test_every_table_can_be_shown(table, kind):
    cells = ablation.cells(table, NETWORKS, BATCHES, EPOCH_15)
    crossed = ablation.factorial(table, NETWORKS, BATCHES, EPOCH_15)
    batches = ablation.between_batches(table, NETWORKS, BATCHES, EPOCH_15)
    theirs, expected = sourced.reported_runs(), predicted(table)
    made = [
        ablating.covered(coverage(resnet_ablation().experiments, RECORDS[kind])),
        *(ablating.beside(cells, expected, model) for model in NETWORKS),
        ablating.means(cells),
        ablating.effects(
            crossed, ablation.factorial(theirs, NETWORKS, BATCHES, EPOCH_15), "effect"
        ),
        ablating.effects(
            batches, ablation.between_batches(theirs, NETWORKS, BATCHES, EPOCH_15), "norm"
        ),
        ablating.searched(searched.selected(table, NETWORKS, 15), resnet_grid().experiments),
        ablating.misplaced(slips()),
        ablation_runs.verdicts(judged(kind)),
    ]
    for one in made:
        assert len(one)
        text = repr(Shown(one, "a caption"))
        assert not re.search(r"\bnan\b|\bNone\b|np\.|batch-minus|`", text)


def test_coverage_says_how_many_which_and_where():
    found = ablating.covered(coverage(resnet_ablation().experiments, FEW)).set_index(
        ["network", "batch"]
    )
    assert len(found) == 8
    row = found.loc[("ResNet18", 50)]
    assert row["BN"] == "2\N{NO-BREAK SPACE}of\N{NO-BREAK SPACE}4 (seeds 0, 1)"
    one = ablating.covered(coverage(resnet_ablation().experiments, FEW[:1])).set_index(
        ["network", "batch"]
    )
    assert one.loc[("ResNet18", 50)].str.endswith("4 (seed 0)").sum() == 1
    assert row["computed on"] == "an invented processor, 1 thread"
    assert found.loc[("ResNet50", 20), "none"] == "0\N{NO-BREAK SPACE}of\N{NO-BREAK SPACE}4"
    assert pd.isna(found.loc[("ResNet50", 20), "computed on"])


def test_ours_beside_the_source():
    cells = ablation.cells(tables.runs(RECORDS["all"]), NETWORKS, BATCHES, EPOCH_15)
    rows = ablating.beside(cells, predicted(tables.runs(RECORDS["all"])), "resnet50")
    assert rows["source E (%)"].tolist()[:4] == ["74.69", "69.57", "55.97", "67.86"]
    assert (rows["seeds"] == 4).all()
    assert rows["mean [95% interval] (%)"].str.match(r"\d\d\.\d\d \[\d\d\.\d\d,\u00a0\d").all()
    few = ablation.cells(tables.runs(FEW), NETWORKS, BATCHES, EPOCH_15)
    shown = ablating.beside(few, predicted(tables.runs(FEW)), "resnet18")
    assert shown["mean [95% interval] (%)"].dropna().str.endswith("(two runs)").all()
    assert shown["inside"].isna().all()


def test_runs_cut_short_stand_alone():
    early = ablation.cells(tables.runs(CUT), ["resnet50"], [50], EARLY)
    assert ablating.means(early)["seeds"].tolist() == [3, 3, 3, 3]
    final = ablation.cells(tables.runs(CUT), ["resnet50"], [50], EPOCH_15)
    assert ablating.means(final)["mean [95% interval] (%)"].isna().all()


def test_a_settings_table_names_every_origin():
    rows = protocol.protocol(resnet_ablation(), ablating.ORIGINS).set_index("setting")
    assert rows.loc["batch_size", "value"] == "20, 50"
    assert rows.loc["learning_rate", ["value", "stated by"]].tolist() == ["0.001", "E"]
    assert rows.loc["input_scaling", "stated by"] == "not stated"


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("none", "Of the main table, none of 128 runs is recorded yet."),
        ("few", "8 of 128 runs are recorded: 0 of 32 cells are whole, and 0 have at least three"),
        ("all", "128 of 128 runs are recorded: 32 of 32 cells are whole, and 32 have"),
    ],
)
def test_what_is_recorded(kind, said):
    found = coverage(resnet_ablation().experiments, RECORDS[kind])
    assert said in words.recorded(found, "the main table")


def test_sentences_on_the_sources_numbers_and_on_interactions():
    empty, whole = tables.runs([]), tables.runs(RECORDS["all"])
    assert "yet, for lack of runs" in words.inside(predicted(empty))
    assert re.search(r"32 numbers 32 can be compared, and \d+ lies? inside", words.inside(
        predicted(whole)))  # fmt: skip
    nothing = words.adding_up(ablation.factorial(empty, NETWORKS, BATCHES, EPOCH_15))
    assert nothing.startswith("No cell has three seeds")
    said = words.adding_up(ablation.factorial(whole, NETWORKS, BATCHES, EPOCH_15))
    counts = list(map(int, re.findall(r"\d+", said)))
    assert counts[0] == 8 == sum(counts[1:])
    assert counts[1] >= 4


def test_what_a_verdict_rests_on():
    def rests(kind):
        return {one.claim.id: words.standing(one) for one in judged(kind)}

    assert set(rests("none").values()) == {"its runs are missing"}
    few = rests("few")
    assert few["E1"] == "0 of 2 tests hold, 2 lack runs", "at batch 20 there is none"
    assert few["E3"] == "its runs are missing"
    alike = {cell: level for cell, level in SOURCES.items() if cell.model == "resnet18"}
    for seeds in (1, 2):
        (e1,) = verdicts.judge([CLAIMS["E1"]], tables.runs(fake_table(alike, seeds)))
        assert words.standing(e1) == f"{seeds} of the three seeds that it takes"
    full = rests("all")
    assert re.match(r"BN-minus − BN, ResNet18, batch 20 [+−]?\d", full["E1"])
    assert full["E13"] == "0 of 4 tests hold, 4 are reversed"
    part = {cell: level for cell, level in SOURCES.items() if cell.model != "resnet101"}
    assert words.standing(
        *verdicts.judge([CLAIMS["E13"]], tables.runs(fake_table(part)))
    ) == "0 of 4 tests hold, 3 are reversed, 1 lacks runs"  # fmt: skip


def test_how_many_claims_are_decided():
    none = words.decided(judged("none"))
    assert none == f"None of the {len(HERE)} claims is decided by the runs there are."
    part = list(judged("all"))
    assert re.match(rf"Of the {len(part)} claims \d+ are decided", words.decided(part))
    settled = [one for one in part if one.answer in ("supported", "contradicted")]
    assert words.decided(settled) == f"All {len(settled)} claims are decided."


def test_verdicts_name_their_runs_and_only_those_that_decide():
    both = pd.concat([tables.runs(FEW), tables.runs(CUT)])
    runs = ablation_runs.verdicts(verdicts.judge(HERE, both)).set_index("claim")["runs (seeds)"]
    assert runs["E1"] == "ResNet18, batch 50: BN (2), BN-minus (2)"
    assert runs["E3"] == runs["E9"] == "no seed complete"
    full = ablation_runs.verdicts(judged("all"))
    lines = full.set_index("claim")["runs (seeds)"]
    networks = "ResNet18, ResNet34, ResNet50, ResNet101, batch 20, 50"
    assert lines["E6"] == f"{networks}: BN (4), Affine (4), BN-minus (4), none (4)"
    assert lines["E13"] == f"{networks}: BN (4)"
    assert lines["E5"].split("\n") == [
        "ResNet101, batch 20, 50: BN (4), Affine (4), BN-minus (4), none (4)",
        "ResNet50, ResNet18, ResNet34, batch 20, 50: Affine (4)",
    ]


def test_runs_under_any_norm_are_told():
    cells = [Cell(model="resnet18", batch_size=50, norm=norm) for norm in ("layer", "none")]
    claim = dataclasses.replace(CLAIMS["E1"], tests=(above(difference(*cells), EPOCH_15),))
    (judged,) = verdicts.judge([claim], tables.runs(fake_table(dict.fromkeys(cells, 70.0))))
    assert ablation_runs.runs(judged) == "ResNet18, batch 50: none (4), LN (4)"


def test_runs_of_a_search_are_told_by_their_setting():
    usual = Cell(model="resnet18", batch_size=50, norm="batch", validation_size=5_000)
    other = dataclasses.replace(usual, optimizer="sgd", learning_rate=0.01)
    records = fake_table({usual: 70.0, other: 60.0}, seeds=3)
    (judged,) = verdicts.judge([CLAIMS["E9"]], tables.runs(records))
    assert ablation_runs.runs(judged).split("\n") == [
        "ResNet18, batch 50, 5000 images held out: BN (3)",
        "ResNet18, batch 50, SGD 0.01, 5000 images held out: BN (3)",
    ]
    assert words.standing(judged) == "1 of 40 tests holds, 39 lack runs"


def test_early_readings_are_said_once():
    said = words.early(verdicts.judge(HERE, tables.runs(CUT)), 5)
    assert said.count("BN-minus − none") == 1
    assert "none − BN-minus" not in said
    assert said.count(";") + 1 == 7
    assert said.endswith("] (3 seeds)")
    assert said.count("seeds") == 1
    assert "ResNet50" not in said
    assert "for lack of" in words.early(judged("few"), 5)


def test_a_search_of_no_runs_has_a_name_and_a_report(tmp_path):
    gathered = gather(resnet_grid(seeds=0), store=Store([tmp_path], write_to=tmp_path))
    assert gathered.label == "resnet-grid"
    assert gathered.report().startswith("All 0 runs")


def test_slips_are_counted():
    said = words.slips(slips())
    assert "Of the 8 numbers, 7 stand" in said
    assert "2 are not the largest" in said
    moved = ablating.misplaced(slips())
    assert moved.loc[0, "reported for"] == "ResNet18, batch 20"
