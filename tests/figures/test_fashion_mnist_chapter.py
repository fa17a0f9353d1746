"""Chapter 05 holds whatever is recorded: nothing, a part, or all; its prose has no holes."""

import pytest

from normlib.records import Store
from tests.fakes import fake_record, fake_sweep
from tests.figures.chapter import Chapter

CHAPTER = Chapter("05_fashion_mnist")
PARTIAL = {"none": 20, "batch": 7, "layer": 2, "tensorflow:batch": 1}


@pytest.fixture
def execute(tmp_path, monkeypatch):
    def run(records):
        store = Store([tmp_path], write_to=tmp_path)
        for record in records:
            store.save(record)
        return CHAPTER.execute(store, monkeypatch)

    return run


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
    glued = execute(records)
    assert CHAPTER.asked()
    assert CHAPTER.asked() <= set(glued)
    assert all(isinstance(value, str) and value for value in glued.values())
    assert "nan" not in " ".join(map(str, glued.values()))
    assert "nan" not in capsys.readouterr().out


def test_missing_runs_are_named_with_the_command(execute, capsys):
    execute(fake_sweep(PARTIAL))
    out = capsys.readouterr().out
    assert "30 of 120 runs" in out
    assert "batch 13, layer 18" in out
    assert "normlib run fashion-mnist" in out


def test_the_prose_types_no_result():
    CHAPTER.assert_types_no(r"\b[89]\d\.\d|[+−]0\.\d|p\s*[<=]\s*0")


def test_every_figure_has_caption_alt_text_and_runs():
    CHAPTER.assert_figures(r"^figures\.\w+\(", 10, "Runs: plan fashion-mnist")


def test_cells_are_short_and_enough_are_checked():
    CHAPTER.assert_thin_and_checked(15)
