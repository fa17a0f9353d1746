"""What hallucinations left beside records, read back as the quantities of C7 and C8."""

import dataclasses

import numpy as np
import pytest

from normlib.analysis import hallucinated, tables
from normlib.analysis.hallucinated import REGULARIZATIONS
from normlib.engine import judges
from normlib.engine.probes import hallucinating
from normlib.engine.probes.hallucinations import STARTS
from normlib.records import Store
from tests.analysis import learnt

RUNS = [run for run in learnt.CIFAR.experiments if run.seed < 2][:6]


@pytest.fixture
def store(tmp_path):
    found = Store([tmp_path], write_to=tmp_path)
    for run in RUNS:
        found.save(learnt.fake_imagined(run))
    return found


def test_the_order_of_regularizations_is_the_probes():
    assert REGULARIZATIONS == hallucinating.REGULARIZATIONS
    assert hallucinated.CONFIDENT == hallucinating.CONFIDENT
    assert judges.NORMS == hallucinated.JUDGES


def test_quantities_stand_in_the_last_epoch(store):
    records = store.scan()[0]
    runs = hallucinated.hallucinated(records, store)
    assert len(runs) == len(RUNS)
    table = hallucinated.with_measures(tables.runs(records), runs)
    for run in runs:
        own = table[table["key"] == run.key].set_index("epoch")
        arrays = learnt.fake_images(run.experiment)
        judged = arrays["hallucinations/judged"]
        last = own.loc[run.experiment.epochs]
        for place, end in enumerate(("", "_smooth")):
            assert last[f"recognized{end}"] == pytest.approx(100 * judged[:, place].mean())
            colour = arrays["hallucinations/colour_only"][place]
            assert last[f"colour_alone{end}"] == pytest.approx(100 * colour.mean())
            diversity = arrays["hallucinations/diversity"][place]
            assert last[f"diversity{end}"] == pytest.approx(100 * diversity.mean())
        assert own["recognized"].drop(run.experiment.epochs).isna().all()
        assert run.images("smooth").shape == (10, STARTS, 3, 32, 32)


def test_each_judge_is_told_apart(store):
    runs = hallucinated.hallucinated(store.scan()[0], store)
    table = hallucinated.by_judge(runs)
    assert len(table) == len(runs) * 2 * 2
    first = table.iloc[0]
    arrays = learnt.fake_images(runs[0].experiment)
    assert first["recognized"] == pytest.approx(100 * arrays["hallucinations/judged"][0, 0].mean())
    assert set(table["accuracy"].round()) == {70, 80}


def test_other_judges_are_noticed(store):
    runs = hallucinated.hallucinated(store.scan()[0], store)
    assert hallucinated.same_judges(runs)
    other = {**runs[0].arrays, "judges": np.ones((2, 32), np.uint8)}
    changed = dataclasses.replace(runs[0], arrays=other)
    assert not hallucinated.same_judges([changed, *runs[1:]])
    assert hallucinated.same_judges([])


def test_classes_of_which_a_network_is_never_sure_are_listed(store):
    table = hallucinated.unsure(hallucinated.hallucinated(store.scan()[0], store))
    assert len(table) == len(RUNS)
    assert set(table["class"]) == {3}
    assert set(table["regularization"]) == {"none"}
    assert table["confidence"].to_numpy() == pytest.approx(0.7)


def test_a_run_that_diverged_has_no_images(tmp_path):
    store = Store([tmp_path], write_to=tmp_path)
    store.save(learnt.fake_imagined(RUNS[0], {}))
    records = store.scan()[0]
    assert hallucinated.hallucinated(records, store) == []
    table = hallucinated.with_measures(tables.runs(records), [])
    assert table["recognized"].isna().all()
    assert hallucinated.by_judge([]).empty
    assert hallucinated.unsure([]).empty
