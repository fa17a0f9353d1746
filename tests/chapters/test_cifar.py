"""Chapters 07 and 10 hold whatever is recorded: nothing, a part, or all; no holes in the prose."""

import pytest

from normlib.book import optimizing
from normlib.claims.source_c import PAIR
from normlib.datasets import INFO
from tests.analysis import learnt
from tests.chapters.chapter import Chapter

CIFAR, IMAGES = Chapter("07_cifar_optimizers"), Chapter("10_hallucination")
EACH = pytest.mark.parametrize("chapter", [CIFAR, IMAGES], ids=["07", "10"])


@EACH
@pytest.mark.parametrize("seeds", [0, 1, 3], ids=["nothing", "one seed", "three seeds"])
def test_every_number_of_the_prose_is_there(execute, chapter, seeds, capsys):
    glued = execute(chapter, learnt.all_cifar_runs(seeds))
    chapter.assert_whole(glued, capsys.readouterr().out)


def test_verdicts_follow_the_records(execute, capsys):
    glued = execute(IMAGES, learnt.all_cifar_runs(3))
    out = capsys.readouterr().out
    assert "C8 supported" in out
    assert "sharpness (%), distance (%)" in out
    assert "C7 not decided" in out, "colour is invented alike for all"
    assert "of 18 networks" in glued["10-sure"]
    assert "is 0.70 or more" in glued["10-sure"]


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
