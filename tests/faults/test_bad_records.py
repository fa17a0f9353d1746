"""Files that are no valid records: named, explained, and harmless to the records beside them."""

import json
import os

import pytest

from normlib.records import Experiment, Store
from normlib.records.strictjson import MOST_BYTES
from tests.faults.table import owed, run_command
from tests.sweep.fake import record

GOOD = (Experiment(epochs=2), Experiment(norm="layer", epochs=2, seed=1))
TARGET = Experiment(norm="batch", epochs=2)


def edited(*path, value=None, drop=False):
    """Return what writes the target's record with one place in it changed."""

    def content():
        plain = record(TARGET).to_dict()
        inner = plain
        for step in path[:-1]:
            inner = inner[step]
        if drop:
            del inner[path[-1]]
        else:
            inner[path[-1]] = value
        return json.dumps(plain).encode()

    return content


def replaced(old, new):
    """Return what writes the target's record with one text in it replaced."""

    def content():
        text = record(TARGET).to_json()
        assert old in text
        return text.replace(old, new, 1).encode()

    return content


def valid():
    return record(TARGET).to_json().encode()


# name, content, culprit, part of the reason
FILES = [
    ("empty", lambda: b"", "complete JSON", "line 1"),
    ("truncated", lambda: valid()[: len(valid()) // 2], "complete JSON", "line"),
    ("binary", lambda: os.urandom(50) + b"\xff\xfe", "not UTF-8", "byte"),
    ("null bytes", lambda: b"\0" * 4096, "complete JSON", "line 1"),
    ("pickle", lambda: b"cos\nsystem\n(S'touch hacked'\ntR.", "complete JSON", "line 1"),
    ("huge", lambda: b" " * (MOST_BYTES + 1), "larger", "16 MiB"),
    ("deep", lambda: b"[" * 200_000, "nested", "deep"),
    ("foreign object", lambda: b'{"cells": [], "nbformat": 4}', "another kind", "not a record"),
    ("a list", lambda: b"[1, 2, 3]", "no record", "list"),
    ("a number", lambda: b"3", "no record", "int"),
    ("key twice", replaced('"key":', '"status": "finished",\n  "key":'), "'status'", "twice"),
    ("NaN", replaced('"seconds": [1.0', '"seconds": [NaN'), "NaN", "null"),
    ("Infinity", replaced('"seconds": [1.0', '"seconds": [-Infinity'), "Infinity", "null"),
    ("overflow", replaced('"seconds": [1.0', '"seconds": [1e999'), "1e999", "null"),
    ("400 digits", replaced('"seconds": [1.0', f'"seconds": [{10**400}'), "1000", "64 bits"),
    ("5000 digits", replaced('"threads": 1', f'"threads": 1{"0" * 5000}'), "1000", "64 bits"),
    (
        "half of a character",
        edited("environment", "cpu", value="\ud800"),
        r"\ud800",
        "half of a character",
    ),
    ("other schema", edited("schema", value=2), "schema is 2", "normlib that wrote it"),
    ("schema a bool", edited("schema", value=True), "schema is True", "schema 1"),
    ("schema missing", edited("schema", drop=True), "another kind", "'schema'"),
    ("key wrong", edited("key", value="0" * 16), "key '0000000000000000'", "edited"),
    ("key a number", edited("key", value=7), "key 7", "edited"),
    ("experiment edited", edited("experiment", "seed", value=5), "key", "edited"),
    ("experiment a text", edited("experiment", value="batch"), "experiment", "object of fields"),
    ("field missing", edited("code", drop=True), "lacks", "'code'"),
    ("field unknown", edited("histroy", value=[]), "'histroy'", "did you mean history"),
    ("status unknown", edited("status", value="done"), "'done'", "choose one of"),
    ("status a list", edited("status", value=["finished"]), "status", "choose one of"),
    ("history a list", edited("history", value=[]), "history", "object"),
    ("history short", edited("history", "test_loss", value=[0.5]), "test_loss", "1 values for 2"),
    ("history missing", edited("history", "test_loss", drop=True), "lacks", "'test_loss'"),
    ("history unknown", edited("history", "lr", value=[1, 2]), "'lr'", "choose one of"),
    ("history a number", edited("history", "test_loss", value=1), "test_loss", "list"),
    ("accuracy above 1", edited("history", "test_accuracy", value=[0.5, 91.2]), "91.2", "0..1"),
    ("accuracy negative", edited("history", "test_accuracy", value=[-0.1, 0.5]), "-0.1", "0..1"),
    ("accuracy a bool", edited("history", "test_accuracy", value=[True, 0.5]), "True", "0..1"),
    ("accuracy a text", edited("history", "test_accuracy", value=["1", 0.5]), "'1'", "0..1"),
    ("accuracy null", edited("history", "test_accuracy", value=[None, 0.5]), "None", "0..1"),
    ("loss null", edited("history", "test_loss", value=[0.5, None]), "finished", "a null"),
    ("diverged with all values", edited("status", value="diverged"), "diverged", "no null"),
    ("loss negative", edited("history", "test_loss", value=[0.5, -1.0]), "-1.0", "at least 0"),
    ("seconds null", edited("history", "seconds", value=[None, 1.0]), "seconds", "at least 0"),
    ("epochs skip", edited("history", "epoch", value=[1, 3]), "[1, 3]", "count from 1"),
    ("epochs bools", edited("history", "epoch", value=[True, 2]), "[True, 2]", "count from 1"),
    (
        "validation without a split",
        edited("history", "validation_accuracy", value=[0.1, 0.2]),
        "validation_accuracy",
        "validation_size",
    ),
    ("data of another set", edited("dataset", "name", value="mnist"), "'mnist'", "'fashion-mnist'"),
    ("data hash short", edited("dataset", "train_sha256", value="ab"), "'ab'", "64 hexadecimal"),
    (
        "data hash of other data",
        edited("dataset", "train_sha256", value="0" * 64),
        "other fashion-mnist train data",
        "compute it again",
    ),
    ("threads a text", edited("environment", "threads", value="1"), "threads", "number of threads"),
    ("device missing", edited("environment", "device", drop=True), "lacks", "'device'"),
    ("device a number", edited("environment", "device", value=0), "device", "text"),
    ("dirty a text", edited("code", "dirty", value="no"), "'no'", "true, false or null"),
    ("source hash missing", edited("code", "sha256", value=None), "code sha256", "64 hexadecimal"),
    ("started never", edited("started", value="yesterday"), "'yesterday'", "ISO 8601"),
    ("started local", edited("started", value="2026-01-01T00:00:00"), "2026-01-01", "offset"),
    (
        "finished too early",
        edited("finished", value="2020-01-01T00:00:00+00:00"),
        "2020-01-01",
        "before it started",
    ),
    (
        "arrays elsewhere",
        edited("arrays", value={"file": "../../x.npz", "sha256": "0" * 64}),
        "../../x.npz",
        "name of an .npz",
    ),
    (
        "arrays absent",
        edited("arrays", value={"file": "x.npz", "sha256": "0" * 64}),
        "x.npz",
        "cannot be read",
    ),
    ("arrays a text", edited("arrays", value="x.npz"), "arrays", "object"),
]


@pytest.mark.parametrize(
    ("content", "culprit", "reason"),
    [row[1:] for row in FILES],
    ids=[row[0] for row in FILES],
)
def test_is_named_and_costs_no_other(content, culprit, reason, project):
    store = Store.default()
    for experiment in GOOD:
        store.save(record(experiment))
    bad = store.write_to / "fashion-mnist/cnn" / f"{TARGET.name}-{TARGET.key}.json"
    bad.write_bytes(content())
    before = bad.read_bytes()

    outcome = run_command("records", "check")
    assert outcome.code == 1
    assert len(outcome.errors) == 1, outcome.err
    owed(outcome.errors[0], culprit, reason)
    assert bad.name in outcome.errors[0]
    assert "2 valid records, 1 problem" in outcome.out

    records, _ = store.scan()
    assert {one.key for one in records} >= {experiment.key for experiment in GOOD}
    # The run is computed again beside the damaged file, which stays for a person to look at.
    if store.find(TARGET) is None:
        assert store.save(record(TARGET)) != bad
        assert store.find(TARGET) is not None
    assert bad.read_bytes() == before
    assert not (project / "hacked").exists()


def test_adopt_refuses_the_bad_and_takes_the_good(project):
    own = Store.default()
    good = own.save(record(GOOD[0]))
    bad = good.with_name(f"{TARGET.name}-{TARGET.key}.json")
    bad.write_bytes(valid()[:-40])
    outcome = run_command("records", "adopt")
    assert outcome.code == 1
    assert len(outcome.errors) == 1
    assert bad.name in outcome.errors[0]
    assert bad.exists()
    assert not good.exists()
    assert (project / "data/runs/fashion-mnist/cnn" / good.name).exists()


def test_file_under_a_wrong_name(project):
    store = Store.default()
    path = store.save(record(GOOD[0]))
    path.rename(path.with_name("my-run.json"))
    outcome = run_command("records", "check")
    assert outcome.code == 1
    owed(outcome.errors[0], "my-run.json", f"belongs under the name fashion-mnist/cnn/{path.name}")


def test_stray_file(project):
    path = Store.default().save(record(GOOD[0]))
    path.with_name("weights.pkl").write_bytes(b"cos\nsystem\n(S'touch hacked'\ntR.")
    outcome = run_command("records", "check")
    assert outcome.code == 1
    owed(outcome.errors[0], "weights.pkl", "move it elsewhere")


def test_results_that_contradict_each_other(project):
    store = Store.default()
    one = record(GOOD[0])
    changed = one.history | {"test_loss": [0.5, 0.25]}
    other = type(one).from_dict(one.to_dict() | {"history": changed})
    assert store.save(one) != store.save(other)
    outcome = run_command("records", "check")
    assert outcome.code == 1
    owed(outcome.errors[0], "contradicts", "records verify")
