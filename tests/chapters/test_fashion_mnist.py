"""Chapter 05 holds whatever is recorded: nothing, a part, or all; its prose has no holes."""

import pytest

from tests.chapters.chapter import Chapter
from tests.fakes import fake_record, fake_sweep

CHAPTER = Chapter("05_fashion_mnist")
PARTIAL = {"none": 20, "batch": 7, "layer": 2, "tensorflow:batch": 1}


@pytest.mark.parametrize(
    "records",
    [
        [],
        fake_sweep(PARTIAL),
        fake_sweep(),
        [fake_record("none", s) for s in range(4)]
        + [fake_record("batch", s, diverged_at=2) for s in range(4)],
    ],
    ids=["nothing", "a part", "all", "diverged"],
)
def test_every_number_of_the_prose_is_there(execute, records, capsys):
    glued = execute(CHAPTER, records)
    CHAPTER.assert_whole(glued, capsys.readouterr().out)


def test_missing_runs_are_named_with_the_command(execute, capsys):
    execute(CHAPTER, fake_sweep(PARTIAL))
    out = capsys.readouterr().out
    assert "30 of 120 runs" in out
    assert "batch 13, layer 18" in out
    assert "normlib run fashion-mnist" in out
