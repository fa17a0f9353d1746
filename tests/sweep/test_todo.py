"""What a sweep finds to do, in one look at the store."""

from normlib.records import Store, store
from normlib.sweep import PLANS
from normlib.sweep.todo import prepared
from tests.sweep.fake import record

SMOKE = PLANS["smoke"].experiments


def test_every_record_is_read_once(project, monkeypatch):
    own = Store.default()
    paths = [own.save(record(run)) for run in SMOKE[:3]]
    read = []
    monkeypatch.setattr(
        store, "read", lambda path, plain=store.read: read.append(path) or plain(path)
    )
    todo = prepared([*SMOKE, SMOKE[0]], own, ())
    assert todo.runs == list(SMOKE[3:])
    assert todo.done == [run.key for run in SMOKE[:3]]
    assert {one.key for one in todo.records} == set(todo.done)
    assert sorted(read) == sorted(paths)
