"""What a plan needs measured is measured, once, whichever plan comes first."""

import dataclasses

import pytest

from normlib import atomic
from normlib.datasets import INFO
from normlib.records import Experiment, Store
from normlib.records.check import check
from normlib.sweep import PLANS, checkpoints, compute, missing
from normlib.sweep.gathering import gather
from normlib.sweep.listing import table
from normlib.sweep.plan import Plan
from normlib.sweep.probing import probes_of
from normlib.sweep.todo import prepared
from normlib.sweep.verify import verify
from tests.sweep.fake import record
from tests.sweep.test_local import CHECKOUT, LONG, fake, leftovers

RUNS = tuple(Experiment(dataset="fashion-mnist-sample", epochs=2, seed=seed) for seed in range(2))
PROBED = Plan("probed", "runs with arrays", RUNS, probes=("p",))


@pytest.fixture(autouse=True)
def importable(project, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(CHECKOUT))


def arrays(store):
    return {one.key: store.arrays_of(one)["p/chain"].tobytes() for one in store.scan()[0]}


def test_runs_are_computed_with_their_arrays():
    store = Store.default()
    outcome = compute(RUNS, store, probes=["p"], trainer=fake())
    assert len(outcome.recorded) == len(RUNS)
    assert missing(RUNS, store, ["p"]) == []
    assert len(arrays(store)) == len(RUNS)
    assert check(store, INFO)[1] == []
    assert leftovers() == []
    assert compute(RUNS, store, probes=["p"], trainer=fake()).recorded == []


def test_a_run_without_arrays_is_computed_again_for_a_plan_that_needs_them():
    store = Store.default()
    compute(RUNS, store, trainer=fake())
    assert (missing(RUNS, store), missing(RUNS, store, ["p"])) == ([], list(RUNS))
    assert "probed     2         0        2" in table([PROBED], store)
    assert len(compute(RUNS, store, probes=["p"], trainer=fake()).recorded) == len(RUNS)
    assert missing(RUNS, store, ["p"]) == []
    assert len(store.stored()) == 2 * len(RUNS), "no record is overwritten"
    assert len(store.scan()[0]) == len(RUNS)
    assert check(store, INFO)[1] == []


def test_a_plan_is_listed_as_it_is_computed():
    """An older record with fewer arrays, which is the one to take elsewhere, hides no other."""
    store = Store.default()
    compute(RUNS, store, probes=["p"], trainer=fake())
    compute(RUNS, store, probes=["p", "q"], trainer=fake())
    both = dataclasses.replace(PROBED, probes=("p", "q"))
    assert missing(RUNS, store, both.probes) == []
    assert "probed     2         2        0" in table([both], store)


def test_whichever_plan_comes_first_measures_for_the_others(monkeypatch):
    monkeypatch.setitem(PLANS, "probed", PROBED)
    assert probes_of(RUNS[0]) == ("p",)
    assert probes_of(RUNS[0], ["q"]) == ("p", "q")
    assert probes_of(RUNS[0].replace(seed=7)) == ()
    store = Store.default()
    compute(RUNS, store, trainer=fake())
    assert missing(RUNS, store, ["p"]) == []


def test_a_sweep_spares_the_checkpoints_of_other_plans(monkeypatch):
    """A run recorded for one plan may be half way through for another one's probes."""
    monkeypatch.setitem(PLANS, "probed", PROBED)
    store = Store.default()
    for run in RUNS:
        store.save(record(run))
    compute(RUNS[1:], store, probes=["p"], trainer=fake())
    there = [checkpoints.path_of(run.key, checkpoints.folder()) for run in RUNS]
    for path in there:
        atomic.write(path, b"hours of work")
    todo = prepared(RUNS, store, (), checkpoints.folder())
    assert [path.exists() for path in there] == [True, False], "the second has its arrays"
    assert (todo.runs, todo.done) == ([], [RUNS[1].key])


def test_stopped_runs_end_with_the_same_arrays(project, monkeypatch):
    monkeypatch.setenv("FAKE_PAUSE", "0.05")
    store = Store.default()
    outcome = compute(LONG[:2], store, workers=2, budget=0.7, probes=["p"], trainer=fake())
    assert len(outcome.left) == 2
    monkeypatch.setenv("FAKE_PAUSE", "0.001")
    compute(LONG[:2], store, probes=["p"], trainer=fake())
    whole = Store([], project / "whole")
    waiting = project / "waiting"
    compute(LONG[:2], whole, probes=["p"], trainer=fake(), waiting=waiting)
    assert arrays(store) == arrays(whole)


def test_a_cluster_gathers_arrays(project):
    there = Store([], project / "there")
    compute(RUNS[:1], there, probes=["p"], trainer=fake())
    files = {
        path.relative_to(there.write_to).as_posix(): path.read_bytes()
        for path in there.write_to.rglob("*")
        if path.is_file()
    }
    assert len(files) == 2
    here = Store([], project / "here")
    assert gather(RUNS[0], files, here, ["p"])[0] == "saved"
    assert arrays(here) == arrays(there)
    assert gather(RUNS[0], files, here, ["p"])[0] == "present"
    without = {name: content for name, content in files.items() if name.endswith(".json")}
    kind, values = gather(RUNS[0], without, Store([], project / "third"), ["p"])
    assert kind == "failed"
    assert "cannot be read" in values["error"]


def test_verification_after_a_plan_has_gained_a_probe(monkeypatch):
    """What is measured more than then does not differ from it."""
    store = Store.default()
    compute(RUNS[:1], store, probes=["p"], trainer=fake())
    monkeypatch.setitem(PLANS, "probed", dataclasses.replace(PROBED, probes=("p", "q")))
    verdicts, _ = verify(store.scan()[0], trainer=fake(), among=store)
    assert [one.agrees for one in verdicts] == [True]


def test_verification_measures_again():
    store = Store.default()
    compute(RUNS, store, probes=["p"], trainer=fake())
    verdicts, _ = verify(store.scan()[0], trainer=fake(), among=store)
    assert [one.agrees for one in verdicts] == [True, True]
    taken = store.scan()[0]
    swapped = [
        dataclasses.replace(one, arrays=other.arrays)
        for one, other in zip(taken, reversed(taken), strict=True)
    ]
    verdicts, _ = verify(swapped, trainer=fake(), among=store)
    assert [one.agrees for one in verdicts] == [False, False]
    assert "other arrays" in verdicts[0].words
