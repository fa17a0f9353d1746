"""Full disks, locked folders and bad commands: one line, a non-zero exit, nothing else lost."""

import errno
import os

import pytest

from normlib import atomic
from normlib.records import Experiment, Store
from normlib.records.export import export
from normlib.sweep import budget, named
from tests.faults import table
from tests.faults.table import Case, owed, refused, run_command, snapshot
from tests.sweep.fake import record

CASES = [
    Case("plan unknown", lambda _: named("fashion"), "'fashion'", "did you mean fashion-mnist"),
    Case("plan empty", lambda _: named(""), "plan ''", "choose one of"),
    Case("plan a path", lambda _: named("../smoke"), "'../smoke'", "did you mean smoke"),
    *(
        Case(f"budget {text!r}", lambda _, text=text: budget.seconds(text), repr(text), "30m")
        for text in ("", "30", "m", "-5m", "1e3s", "30 minutes", "0s", "٣m", "nan", "9" * 30 + "d")
    ),
    Case("export to text", lambda to: export(Store([], to), to / "x.txt"), "'x.txt'", ".csv"),
    Case("write on a folder", lambda to: atomic.write(to, b"x"), "cannot write", "check the path"),
]


@table.named(CASES)
def test_is_refused(case, tmp_path):
    refused(case, tmp_path)


@pytest.mark.parametrize(
    ("arguments", "culprit", "remedy"),
    [
        (("run", "smok"), "'smok'", "did you mean smoke"),
        (("run", "smoke", "--budget", "soon"), "'soon'", "30m"),
        (("run", "smoke", "--only", "("), "'('", "regular expression"),
        (("run", "smoke", "--only", "dropout"), "'dropout'", "names are like"),
        (("run", "smoke", "--device", "tpu"), "'tpu'", "choose cpu or cuda"),
        (("records", "verify"), "no such record", "normlib run"),
        (("records", "verify", "--plan", "smok"), "'smok'", "did you mean smoke"),
        (("records", "adopt", "/nowhere/at/all"), "/nowhere/at/all", "name a folder"),
        (("records", "export", "x.txt"), "'x.txt'", ".csv"),
        (("records", "export", "/dev/null/x.csv"), "/dev/null/x.csv", "check the path"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_command_is_refused(arguments, culprit, remedy, project):
    kept = Store.default().save(record(Experiment(norm="rms", epochs=1)))
    if arguments == ("records", "verify"):
        kept.unlink()
    before = snapshot(project)
    outcome = run_command(*arguments)
    assert outcome.code == 2
    assert len(outcome.err.splitlines()) == 1
    owed(outcome.errors[0], culprit, remedy)
    assert snapshot(project) == before


@pytest.fixture
def full_disk(monkeypatch):
    """Every flush to disk fails as on a full one."""

    def refuse(handle):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", refuse)


@pytest.mark.usefixtures("full_disk")
def test_full_disk_leaves_nothing_half_written(project):
    store = Store.default()
    folder = store.write_to / "fashion-mnist/cnn"
    folder.mkdir(parents=True)
    older = folder / "note.txt"
    older.write_text("mine")
    with pytest.raises(atomic.WriteError) as caught:
        store.save(record(Experiment(epochs=1)))
    owed(str(caught.value), "the disk is full", "free some space")
    assert list(folder.iterdir()) == [older]


@pytest.mark.usefixtures("full_disk")
def test_full_disk_keeps_the_file_that_was_there(project):
    path = project / "kept.json"
    path.write_text("old")
    with pytest.raises(atomic.WriteError, match="disk is full"):
        atomic.write(path, b"new")
    assert path.read_text() == "old"
    assert list(project.iterdir()) == [path]


def test_full_disk_while_adopting_keeps_the_source(project, request):
    path = Store.default().save(record(Experiment(epochs=1)))
    request.getfixturevalue("full_disk")
    outcome = run_command("records", "adopt")
    assert outcome.code == 2
    owed(outcome.errors[0], "disk is full", "free some space")
    assert path.exists()


def test_really_full_device():
    """The kernel's own full device, where there is one."""
    try:
        stream = open("/dev/full", "wb", buffering=0)  # noqa: PTH123, SIM115
    except OSError:
        pytest.skip("no /dev/full here")
    with stream, pytest.raises(OSError) as caught:  # noqa: PT011
        stream.write(b"x")
    assert "disk is full" in atomic._reason(caught.value)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_folder_that_may_not_be_written(project):
    store = Store.default()
    store.write_to.mkdir(parents=True)
    store.write_to.chmod(0o500)
    with pytest.raises(atomic.WriteError) as caught:
        store.save(record(Experiment(epochs=1)))
    owed(str(caught.value), str(store.write_to), "permissions")


def test_folder_that_is_a_file(project):
    store = Store.default()
    store.write_to.parent.mkdir(parents=True)
    store.write_to.write_text("in the way")
    with pytest.raises(atomic.WriteError) as caught:
        store.save(record(Experiment(epochs=1)))
    owed(str(caught.value), str(store.write_to), "check the path")
    assert store.write_to.read_text() == "in the way"


@pytest.mark.parametrize("options", [("--replicas", "1"), ("--workers", "1")], ids=" ".join)
def test_local_folder_that_is_a_file(options, project, monkeypatch):
    """A checkpoint's lock is the first thing that cannot be made."""
    (project / "local").write_text("in the way")
    monkeypatch.setenv("NORMLIB_LOCAL", str(project / "local"))
    outcome = run_command("run", "smoke", "--only", "^none-.*seed00", *options)
    assert outcome.code > 0
    owed(outcome.errors[0], str(project / "local"), "$NORMLIB_LOCAL")
    assert "Traceback" not in outcome.err


def test_denied_folder_is_told_apart(project, monkeypatch):
    def deny(self, *args, **options):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(type(project), "write_bytes", deny)
    with pytest.raises(atomic.WriteError) as caught:
        atomic.write(project / "x.json", b"x")
    owed(str(caught.value), "x.json", "permissions")
