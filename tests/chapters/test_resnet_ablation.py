"""Chapter 08 holds whatever is recorded: nothing, a CPU's part, or all; its prose has no holes."""

import re

import pytest

from tests.chapters.chapter import Chapter
from tests.claims.resnets import SOURCES, fake_resnet, fake_table

CHAPTER = Chapter("08_resnet_ablation")
ON_A_CPU = [
    fake_resnet(cell, seed, level, epochs=epochs)
    for model, seeds, epochs in (("resnet18", 2, 15), ("resnet50", 3, 5))
    for cell, level in SOURCES.items()
    if (cell.model, cell.batch_size) == (model, 50)
    for seed in range(seeds)
]
RECORDS = {
    "nothing": [],
    "one run": ON_A_CPU[:1],
    "a CPU's": ON_A_CPU,
    "all": [*fake_table(SOURCES), *ON_A_CPU[8:]],
}


@pytest.mark.parametrize("records", RECORDS)
def test_every_number_of_the_prose_is_there(execute, records, capsys):
    glued = execute(CHAPTER, RECORDS[records])
    CHAPTER.assert_whole(glued, capsys.readouterr().out)
    assert CHAPTER.asked() == set(glued), "some of it is not used"
    decided = {glued[f"08-{name}"] for name in ("E1", "E3", "E9", "E10")}
    assert (decided == {"not decided by these runs"}) == (records != "all")


def test_a_cpus_runs_are_shown_and_told_apart(execute, capsys):
    glued = execute(CHAPTER, RECORDS["a CPU's"])
    out = capsys.readouterr().out
    assert "8 of 128 runs of plan resnet-ablation" in out
    assert "normlib run resnet-ablation" in out
    assert "runs cut short: 12 of 12" in out
    assert "resnet18, batch 50, batch-minus:" in out
    assert not re.search(r"^resnet50, batch", out, re.M)
    assert glued["08-early"].startswith("BN-minus − none")
    assert glued["08-E3-rests"] == "its runs are missing"


def test_whole_runs_do_not_enter_what_is_said_of_those_cut_short(execute):
    only_whole = execute(CHAPTER, fake_table(SOURCES))
    assert "for lack of" in only_whole["08-early"]
    assert "none of 12 runs" in only_whole["08-cut"]
