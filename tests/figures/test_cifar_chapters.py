"""Chapters 07 and 10 hold whatever is recorded: nothing, a part, or all; no holes in the prose."""

import pytest

from normlib.book import optimizing
from normlib.claims.source_c import PAIR
from normlib.datasets import INFO
from normlib.records import Store
from normlib.sweep import PLANS
from tests.analysis import learnt
from tests.figures.chapter import Chapter

CIFAR, IMAGES = Chapter("07_cifar_optimizers"), Chapter("10_hallucination")
EACH = pytest.mark.parametrize("chapter", [CIFAR, IMAGES], ids=["07", "10"])


@pytest.fixture
def store(tmp_path):
    return Store([tmp_path], write_to=tmp_path)


@pytest.fixture
def execute(store, monkeypatch):
    def run(chapter, records):
        for record in records:
            store.save(record)
        return chapter.execute(store, monkeypatch)

    return run


@EACH
@pytest.mark.parametrize("seeds", [0, 1, 3], ids=["nothing", "one seed", "three seeds"])
def test_every_number_of_the_prose_is_there(execute, chapter, seeds, capsys):
    glued = execute(chapter, learnt.all_cifar_runs(seeds))
    assert chapter.asked()
    assert chapter.asked() <= set(glued)
    assert all(isinstance(value, str) and value for value in glued.values())
    assert "nan" not in " ".join(map(str, glued.values()))
    assert "nan" not in capsys.readouterr().out


def test_verdicts_follow_the_records(execute, capsys):
    glued = execute(IMAGES, learnt.all_cifar_runs(3))
    out = capsys.readouterr().out
    assert "C8 supported" in out
    assert "C7 not decided" in out, "colour is invented alike for all"
    assert "of 18 networks" in glued["10-sure"]
    assert "is 0.70 or more" in glued["10-sure"]


@EACH
def test_the_prose_types_no_result(chapter):
    chapter.assert_types_no(r"\b[3-9]\d\.\d|[+−]0\.\d|p\s*[<=]\s*0")


def test_every_figure_has_caption_alt_text_and_runs():
    drawing = r"^(figures\.\w+|image_grid)\("
    CIFAR.assert_figures(drawing, 4, "Runs: plan cifar-")
    IMAGES.assert_figures(drawing, 4, "Runs: plan cifar-")


@EACH
def test_cells_are_short_and_enough_are_checked(chapter):
    chapter.assert_thin_and_checked(17)


@EACH
def test_they_name_the_plans_that_they_read(chapter):
    named = set(chapter.notebook["metadata"]["normlib"]["plans"])
    assert "cifar-optimizers" in named <= set(PLANS)


def test_images_stand_by_class_and_condition(store):
    from normlib.analysis.hallucinated import hallucinated

    adam = [run for run in learnt.CIFAR.experiments if run.optimizer == "adam" and run.seed == 0]
    for run in adam:
        store.save(learnt.fake_imagined(run))
    runs = hallucinated(store.scan()[0], store)
    shown = optimizing.pictures(runs, PAIR, 0, "smooth", INFO["cifar10"].classes)
    assert shown["columns"] == ["none, SGD", "BN, SGD", "none, Adam", "BN, Adam"]
    assert len(shown["rows"]) == 10
    for number, row in enumerate(shown["images"]):
        assert row[0] is row[1] is None
        own = next(run for run in runs if run.experiment.norm == "batch")
        assert (row[3] == own.arrays["image"][1, number, 0]).all()
        assert shown["notes"][number][0] == ""
        assert shown["notes"][number][3].startswith("1.00 / 0.6")
