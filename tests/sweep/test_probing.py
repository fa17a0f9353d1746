"""What a plan needs measured is measured, once, whichever plan comes first."""

import dataclasses

import pytest

from normlib.records import Experiment, Store
from normlib.records.check import check
from normlib.sweep import PLANS, compute, missing
from normlib.sweep.gathering import gather
from normlib.sweep.listing import table
from normlib.sweep.plan import Plan
from normlib.sweep.probing import probes_of
from normlib.sweep.verify import verify
from tests.faults.kill_sweep import OFFICIAL
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
    assert check(store, OFFICIAL)[1] == []
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
    assert check(store, OFFICIAL)[1] == []


def test_whichever_plan_comes_first_measures_for_the_others(monkeypatch):
    monkeypatch.setitem(PLANS, "probed", PROBED)
    assert probes_of(RUNS[0]) == ("p",)
    assert probes_of(RUNS[0], ["q"]) == ("p", "q")
    assert probes_of(RUNS[0].replace(seed=7)) == ()
    store = Store.default()
    compute(RUNS, store, trainer=fake())
    assert missing(RUNS, store, ["p"]) == []


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
