import dataclasses
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from normlib.records import Experiment, Record, Store
from tests.analysis import learnt
from tests.sweep.fake import record

RUN = Experiment(norm="batch", epochs=2)
BEGIN = datetime(2026, 1, 2, tzinfo=UTC)


def made(*, device="cpu", status="finished", day=0, loss=0.5, run=RUN):
    plain = record(run).to_dict()
    plain["environment"] |= {"device": device}
    end = None if status == "diverged" else loss
    plain["history"] |= {"test_loss": [*[loss] * (run.epochs - 1), end]}
    plain |= {"status": status, "started": BEGIN.isoformat()}
    return Record.from_dict(plain | {"finished": (BEGIN + timedelta(days=day)).isoformat()})


def test_file_name(tmp_path):
    path = Store([], tmp_path).save(made())
    assert path == tmp_path / "fashion-mnist/cnn" / f"batch-epochs2-seed00-{RUN.key}.json"
    assert path.stat().st_mode & 0o444 == 0o444, "others may read what is committed"


def test_folders_are_read_as_one(tmp_path):
    first, second = Store([], tmp_path / "a"), Store([], tmp_path / "b")
    first.save(made())
    second.save(made(run=Experiment(seed=7, epochs=2)))
    both = Store([tmp_path / "a", tmp_path / "b", tmp_path / "absent"], tmp_path / "a")
    assert len(both.scan()[0]) == 2
    assert both.find(RUN) == first.find(RUN)
    assert both.find(Experiment(seed=7, epochs=2)) is not None
    assert both.find(Experiment(seed=8)) is None


def test_default_reads_three_places_and_writes_to_the_local_one(project, monkeypatch):
    named = project / "elsewhere"
    monkeypatch.setenv("NORMLIB_RUNS", os.pathsep.join([str(named), ""]))
    store = Store.default()
    assert store.folders == (project / "data/runs", project / "data/local/runs", named)
    assert store.write_to == project / "data/local/runs"
    assert Store.default(adopt=True).write_to == project / "data/runs"


def test_same_results_are_kept_once(tmp_path):
    store = Store([], tmp_path)
    assert store.save(made(day=0)) == store.save(made(day=3))
    assert store.find(RUN).finished == made(day=0).finished


def test_same_results_of_another_machine_are_kept_once(tmp_path):
    store = Store([], tmp_path)
    first = store.save(made())
    second = store.save(made(device="x"))
    assert store.save(made(device="x", day=3)) == second != first
    first.unlink()
    assert store.save(made(device="x", day=4)) == second
    assert len(store.stored()) == 1


def test_another_machine_gets_a_file_of_its_own(tmp_path):
    store = Store([], tmp_path)
    paths = {
        store.save(made(device=device, loss=loss)) for device, loss in (("cpu", 0.5), ("x", 1))
    }
    assert len(paths) == 2
    assert len(store.stored()) == 2
    assert store.problems == []
    assert len(store.scan()[0]) == 1


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        (made(status="finished", device="gpu", day=9), made(status="diverged", day=0)),
        (made(device="cpu", day=9), made(device="gpu", day=0)),
        (made(day=1, loss=0.1), made(day=2, loss=0.2)),
    ],
    ids=["finished before diverged", "cpu before others", "earliest"],
)
@pytest.mark.parametrize("reverse", [False, True])
def test_which_record_a_plan_takes(better, worse, reverse, tmp_path):
    store = Store([], tmp_path)
    for one in (worse, better) if reverse else (better, worse):
        store.save(one)
    assert store.find(RUN) == better
    assert store.scan()[0] == [better]


def test_a_plan_that_gained_a_probe_takes_the_record_that_has_it(tmp_path):
    """However old the other one is: else the run would neither be shown nor be computed."""
    store = Store([], tmp_path)
    newer = learnt.fake_imagined(learnt.CIFAR.experiments[0])
    packed = learnt.pack({"steps/loss": np.ones(3, np.float32)})
    older = dataclasses.replace(
        newer,
        arrays=learnt.described(newer.experiment, packed, ["steps"]),
        packed=packed,
        started="2020-01-01T00:00:00+00:00",
        finished="2020-01-02T00:00:00+00:00",
    )
    for one in (newer, older):
        store.save(one)
    assert store.problems == []
    assert store.scan()[0][0].probes == ("steps",)
    assert store.scan(["hallucinations"])[0] == [store.find(newer.experiment, ["hallucinations"])]
    assert store.recorded(["hallucinations"]) == {newer.key}


def test_name_decides_between_records_of_one_moment(tmp_path):
    store = Store([], tmp_path)
    both = [made(loss=0.1), made(loss=0.2)]
    names = {store.save(one).name: one for one in both}
    assert store.find(RUN) == names[min(names)]


def test_file_being_written_is_no_problem(tmp_path):
    store = Store([], tmp_path)
    path = store.save(made())
    path.with_name(f".{path.name}.host.1.tmp").write_text("{")
    path.with_name(f".{path.name}").write_text("{")
    assert len(store.scan()[0]) == 1
    assert store.problems == []


def test_deleted_while_reading_is_a_problem_not_a_crash(tmp_path):
    store = Store([], tmp_path)
    path = store.save(made())
    path.rename(path.with_suffix(".bak"))
    path.symlink_to(path.with_name("nowhere.json"))
    assert store.scan()[0] == []
    assert "cannot be read" in str(store.problems[0])


def test_no_framework_is_imported():
    heavy = "torch tensorflow keras pandas matplotlib"
    code = (
        "import sys, normlib.records, normlib.records.check, normlib.sweep, normlib.sweep.worker, "
        f"normlib.cli; print(*set('{heavy}'.split()) & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == []
