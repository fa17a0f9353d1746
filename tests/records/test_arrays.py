"""Arrays of probes beside their records: the same bytes, nothing lost, nothing executed."""

import dataclasses
import io

import numpy as np
import pytest

from normlib.datasets import INFO
from normlib.records import Experiment, RecordError, Store, strictjson
from normlib.records.adopt import adopt
from normlib.records.arrays import described, pack, unpack
from normlib.records.check import check
from normlib.records.export import export
from tests.sweep.fake import record

RUN = Experiment(norm="layer", epochs=1)
ARRAYS = {
    "p/bin": np.arange(500, dtype=np.uint16),
    "p/scale": np.array([[0.5, np.nan]]),
    "p/none": np.zeros(0),
}


def probed(arrays=ARRAYS, run=RUN, **changes):
    packed = pack(arrays)
    plain = record(run)
    return dataclasses.replace(
        plain, arrays=described(run, packed, ["p"]), packed=packed, **changes
    )


@pytest.fixture
def store(tmp_path):
    return Store([], tmp_path / "store")


def same(one, other):
    assert one.keys() == other.keys()
    for name, array in one.items():
        np.testing.assert_array_equal(array, other[name], strict=True)


def test_the_same_arrays_make_the_same_bytes():
    assert pack(ARRAYS) == pack(dict(reversed(ARRAYS.items())))
    same(unpack(pack(ARRAYS)), ARRAYS)


def test_a_store_keeps_them_with_the_record(store):
    path = store.save(probed())
    found = store.find(RUN, ["p"])
    assert found.probes == ("p",)
    assert path.with_name(found.arrays["file"]).exists()
    same(store.arrays_of(found), ARRAYS)
    assert store.arrays_of(record(RUN)) == {}
    assert check(store, INFO)[1] == []


def test_a_record_without_them_is_none_for_a_plan_that_needs_them(store):
    store.save(record(RUN))
    assert store.find(RUN).arrays is None
    assert store.find(RUN, ["p"]) is None
    assert (store.recorded(), store.recorded(["p"])) == ({RUN.key}, set())
    store.save(probed())
    assert store.recorded(["p"]) == {RUN.key}
    assert store.recorded(["p", "q"]) == set()
    for found in (store.find(RUN), store.find(RUN, ["p"]), store.scan()[0][0]):
        assert found.probes == ("p",), "the fuller one is taken"
    assert len(store.stored()) == 2
    assert check(store, INFO)[1] == []


def test_a_record_with_them_holds_one_without(store):
    path = store.save(probed())
    assert store.save(record(RUN)) == path
    assert len(store.stored()) == 1


def test_other_arrays_never_take_their_place(store):
    store.save(probed())
    store.save(probed({"p/bin": np.zeros(3)}))
    assert len(store.stored()) == 2
    assert check(store, INFO)[1] == []


def test_two_records_of_the_same_arrays_move_with_them(store, tmp_path):
    one = probed()
    for cpu in ("one", "another"):
        store.save(dataclasses.replace(one, environment=one.environment | {"cpu": cpu}))
    committed = Store([], tmp_path / "committed")
    done = adopt(store.write_to, committed, INFO, move=True)
    assert (len(done.paths), done.problems) == (2, [])
    assert check(committed, INFO)[1] == []
    assert not [path for path in store.write_to.rglob("*") if path.is_file()]


def test_an_export_brings_them_along(store, tmp_path):
    store.save(probed())
    store.save(record(RUN.replace(seed=1)))
    file = tmp_path / "all.jsonl"
    export(store, file)
    elsewhere = Store([], tmp_path / "elsewhere")
    done = adopt(file, elsewhere, INFO, move=False)
    assert (len(done.paths), done.problems) == (2, [])
    same(elsewhere.arrays_of(elsewhere.find(RUN)), ARRAYS)
    file.write_bytes(file.read_bytes().replace(b'"packed": "', b'"packed": "AAAA'))
    damaged = adopt(file, Store([], tmp_path / "third"), INFO, move=False)
    assert len(damaged.paths) == 1
    assert "damaged" in damaged.problems[0].reason
    file.write_bytes(file.read_bytes().replace(b'"packed": "', b'"packed": "?'))
    assert len(adopt(file, Store([], tmp_path / "fourth"), INFO, move=False).problems) == 1


def test_an_export_brings_along_as_many_as_a_store_holds(store, tmp_path):
    """In base 64 they take more than a record without them ever may."""
    large = {"p/noise": np.frombuffer(np.random.default_rng(0).bytes(13 * 2**20), np.uint8)}
    store.save(probed(large))
    file = tmp_path / "all.jsonl"
    assert export(store, file).problems == ()
    assert file.stat().st_size > strictjson.MOST_BYTES
    elsewhere = Store([], tmp_path / "elsewhere")
    assert adopt(file, elsewhere, INFO, move=False).problems == []
    same(elsewhere.arrays_of(elsewhere.find(RUN)), large)


def test_lost_or_damaged_arrays_are_named(store):
    path = store.save(probed())
    file = path.with_name(store.find(RUN).arrays["file"])
    whole = file.read_bytes()
    file.write_bytes(whole[:-1])
    with pytest.raises(RecordError, match="damaged"):
        store.arrays_of(store.find(RUN))
    assert "damaged" in check(store, INFO)[1][0].reason
    file.unlink()
    with pytest.raises(RecordError, match="in no folder"):
        store.arrays_of(store.find(RUN))


def pickled():
    content = io.BytesIO()
    np.savez(content, array=np.array([print], dtype=object))
    return content.getvalue()


@pytest.mark.parametrize(
    "content", [b"", b"text", pack(ARRAYS)[:-30], pickled()], ids=["empty", "text", "cut", "pickle"]
)
def test_what_is_no_archive_of_numbers_is_refused(content):
    with pytest.raises(RecordError, match="no archive"):
        unpack(content)


def test_what_would_fill_the_memory_is_refused():
    with pytest.raises(RecordError, match="larger than"):
        unpack(pack({"zeros": np.zeros(2**24)}))


def test_names_of_probes_are_texts(store):
    with pytest.raises(RecordError, match="list of names"):
        dataclasses.replace(
            record(RUN), arrays={"file": "x.npz", "sha256": "0" * 64, "probes": [1]}
        )
