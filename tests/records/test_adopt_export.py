import csv
import dataclasses
import hashlib

import numpy as np
import pytest

from normlib.datasets import INFO
from normlib.records import Experiment, Record, Store, StoreError
from normlib.records.adopt import adopt
from normlib.records.arrays import described, pack
from normlib.records.check import check
from normlib.records.export import export
from tests.sweep.fake import record

RUNS = [Experiment(norm=norm, epochs=2, seed=seed) for norm in ("none", "batch") for seed in (0, 1)]


@pytest.fixture
def own(tmp_path):
    store = Store([], tmp_path / "own")
    for run in RUNS:
        store.save(record(run))
    return store


@pytest.fixture
def committed(tmp_path):
    return Store([], tmp_path / "committed")


def test_moves_every_record(own, committed):
    done = adopt(own.write_to, committed, INFO, move=True)
    assert len(done.paths) == len(RUNS)
    assert not list(own.write_to.rglob("*.json"))
    assert {one.key for one in committed.scan()[0]} == {run.key for run in RUNS}


def test_copies_from_elsewhere(own, committed):
    adopt(own.write_to, committed, INFO, move=False)
    assert len(own.scan()[0]) == len(committed.scan()[0]) == len(RUNS)


def test_never_overwrites(own, committed):
    other = record(RUNS[0]).to_dict()
    other["environment"] |= {"cpu": "another"}
    path = committed.save(Record.from_dict(other))
    before = path.read_bytes()
    done = adopt(own.write_to, committed, INFO, move=True)
    assert path.read_bytes() == before
    assert len(committed.stored()) == len(RUNS) + 1
    assert len(done.paths) == len(RUNS)


def test_twice_is_once(own, committed):
    adopt(own.write_to, committed, INFO, move=False)
    again = adopt(own.write_to, committed, INFO, move=True)
    assert (len(again.paths), again.already) == (0, len(RUNS))
    assert not list(own.write_to.rglob("*.json"))


def test_adopting_a_store_into_itself_keeps_it(own):
    adopt(own.write_to, own, INFO, move=True)
    assert len(own.scan()[0]) == len(RUNS)


def test_arrays_come_along(own, committed):
    content = pack({"p/x": np.zeros(1)})
    name = "probes.npz"
    arrays = {"file": name, "sha256": hashlib.sha256(content).hexdigest(), "probes": ["p"]}
    run = Experiment(norm="layer", epochs=1)
    path = own.save(Record.from_dict(record(run).to_dict() | {"arrays": arrays}))
    path.with_name(name).write_bytes(content)
    adopt(own.write_to, committed, INFO, move=True)
    assert committed.find(run).arrays == arrays
    assert (committed.write_to / "fashion-mnist/cnn" / name).read_bytes() == content
    assert check(committed, INFO)[1] == []
    assert check(own, INFO)[1] == []


@pytest.mark.parametrize("damage", [b"other", None], ids=["changed", "absent"])
def test_record_without_its_arrays_stays(damage, own, committed):
    arrays = {"file": "probes.npz", "sha256": hashlib.sha256(b"some").hexdigest()}
    run = Experiment(norm="layer", epochs=1)
    path = own.save(Record.from_dict(record(run).to_dict() | {"arrays": arrays}))
    if damage is not None:
        path.with_name("probes.npz").write_bytes(damage)
    done = adopt(own.write_to, committed, INFO, move=True)
    assert [problem.path for problem in done.problems] == [path]
    assert path.exists()
    assert committed.find(run) is None
    assert len(done.paths) == len(RUNS)


def claiming(run, content, probes):
    arrays = described(run, content, probes)
    return dataclasses.replace(record(run), arrays=arrays, packed=content)


def held_out(run):
    plain = record(run.replace(validation_size=0)).history
    return record(run, plain | {"validation_accuracy": [0.5] * run.epochs})


RUN = Experiment(norm="layer", epochs=1)
REFUSED = {
    "more images than there are": (
        record(RUN.replace(train_size=60_001)),
        "its train_size=60001 and validation_size=0 do not fit into the 60000 training images of "
        "fashion-mnist; no run computed it, so delete it",
    ),
    "all images held out": (
        held_out(RUN.replace(validation_size=60_000)),
        "train_size=None and validation_size=60000 do not fit",
    ),
    "too many held out": (
        held_out(RUN.replace(train_size=50_000, validation_size=10_001)),
        "train_size=50000 and validation_size=10001 do not fit",
    ),
    "other data": (
        dataclasses.replace(record(RUN), dataset=record(RUN).dataset | {"train_sha256": "0" * 64}),
        "other fashion-mnist train data",
    ),
    "no archive": (claiming(RUN, b"no archive at all", ["p"]), "no archive"),
    "a probe without arrays": (claiming(RUN, pack({"p/x": np.zeros(1)}), ["p", "q"]), "probe 'q'"),
}


@pytest.mark.parametrize(("one", "why"), REFUSED.values(), ids=list(REFUSED))
@pytest.mark.parametrize("as_lines", [False, True], ids=["folder", "jsonl"])
def test_what_a_check_rejects_is_not_adopted(as_lines, one, why, own, committed, tmp_path):
    path = own.save(one)
    assert [(bad.path, why in bad.reason) for bad in check(own, INFO)[1]] == [(path, True)]
    file = tmp_path / "all.jsonl"
    assert export(own, file).rows == len(RUNS) + 1
    done = adopt(file if as_lines else own.write_to, committed, INFO, move=True)
    assert [why in problem.reason for problem in done.problems] == [True]
    assert len(done.paths) == len(RUNS)
    assert path.exists()
    assert check(committed, INFO)[1] == []


def test_all_images_may_be_used(own):
    own.save(held_out(RUN.replace(train_size=50_000, validation_size=10_000)))
    own.save(held_out(RUN.replace(validation_size=59_999)))
    assert check(own, INFO)[1] == []


def test_a_run_that_diverged_may_lack_the_arrays_of_its_end(own):
    plain = claiming(RUN, pack({"p/x": np.zeros(1)}), ["p", "q"])
    history = plain.history | {"test_loss": [None]}
    own.save(dataclasses.replace(plain, status="diverged", history=history))
    assert check(own, INFO)[1] == []


def test_every_record_of_a_run_is_exported_but_one_without_its_arrays(own, tmp_path):
    for probe in ("p", "q"):
        own.save(claiming(RUN, pack({f"{probe}/x": np.zeros(1)}), [probe]))
    file = tmp_path / "all.jsonl"
    assert export(own, file).rows == len(RUNS) + 2
    assert export(own, file, {RUN.key}).rows == 2
    damaged, _ = own.write_to.rglob("*.npz")
    damaged.write_bytes(b"x")
    done = export(own, file)
    assert done.rows == len(file.read_bytes().splitlines()) == len(RUNS) + 1
    assert [damaged.name in problem.reason for problem in done.problems] == [True]


def test_export_of_everything_comes_back(own, committed, tmp_path):
    file = tmp_path / "all.jsonl"
    assert export(own, file).rows == len(RUNS)
    file.write_bytes(file.read_bytes() + b'{"schema": 1\n')
    done = adopt(file, committed, INFO, move=True)
    assert committed.scan()[0] == own.scan()[0]
    assert "line 5" in str(done.problems[0])
    assert file.exists()


def test_csv_is_tidy(own, tmp_path):
    file = tmp_path / "all.csv"
    rows = export(own, file).rows
    with file.open(newline="") as stream:
        table = list(csv.DictReader(stream))
    assert rows == len(table) == 2 * len(RUNS)
    assert {(row["key"], row["epoch"]) for row in table} == {
        (run.key, str(epoch)) for run in RUNS for epoch in (1, 2)
    }
    assert {row["norm"] for row in table} == {"none", "batch"}
    assert all(float(row["test_accuracy"]) == 0.5 for row in table)
    assert all(row["validation_accuracy"] == "" for row in table)


def test_export_elsewhere_is_refused(tmp_path):
    with pytest.raises(StoreError, match=r"choose a \.csv"):
        export(Store([], tmp_path), tmp_path / "all.parquet")
