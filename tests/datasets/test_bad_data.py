"""Bad input, one row each: an error of one line that names the culprit and the remedy.

And nothing else happens: no code runs, no file appears or changes, no other data set is lost.
"""

import errno
import os
import pickle
import re
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from normlib import atomic
from normlib.datasets import DatasetError, cache, load, tarball
from tests.datasets import archives
from tests.datasets.archives import Fake
from tests.datasets.conftest import Machine
from tests.datasets.damage import (
    BINARY,
    IMAGES,
    LABELS,
    PYTHON,
    SHARD,
    Evil,
    array,
    claimed_png,
    content,
    evil,
    idx_bomb,
    idx_with,
    known_pickle,
    member,
    one,
    one_bit,
    one_shard_too_many,
    parquet_bomb,
    parquet_changed,
    picture,
    shards_with,
    table,
    tar_bomb,
    tar_changed,
    tarred,
    unreadable,
    without,
)


@dataclass(frozen=True)
class Case:
    """What is wrong: how the files come to be, which of them is named, and what is said of it."""

    make: Callable[[Machine, Fake, Path], object]
    culprit: str
    says: str
    name: str = "mnist"


CASES: dict[str, Case] = {
    # IDX
    "missing": Case(lambda *_: None, "mnist train", "not found in .*; to get it"),
    "labels missing": Case(
        lambda m, d, f: (archives.write_idx(f, d) / LABELS).unlink(), LABELS, "missing beside"
    ),
    "empty file": Case(idx_with(IMAGES, lambda b: b""), IMAGES, "0 bytes, too short"),
    "empty content": Case(idx_with(IMAGES, content(lambda b: b"")), IMAGES, "0 bytes, too short"),
    "truncated gzip": Case(idx_with(IMAGES, lambda b: b[: len(b) // 2]), IMAGES, "damaged gzip"),
    "gzip of wrong checksum": Case(
        idx_with(IMAGES, lambda b: b[:-8] + b"\0\0\0\0" + b[-4:]), IMAGES, "damaged gzip"
    ),
    "damaged deflate stream": Case(
        idx_with(IMAGES, lambda b: b[:10] + b"\xff" * 20 + b[30:]), IMAGES, "damaged gzip"
    ),
    "not gzip": Case(idx_with(IMAGES, lambda b: b"<html>404</html>"), IMAGES, "damaged gzip"),
    "truncated header": Case(
        idx_with(IMAGES, content(lambda b: b[:9])), IMAGES, "ends inside its header"
    ),
    "truncated values": Case(
        idx_with(IMAGES, content(lambda b: b[:-1])), IMAGES, "values, but its header promises"
    ),
    "more values than promised": Case(
        idx_with(LABELS, content(lambda b: b + b"\0")), LABELS, "21 values, but its header"
    ),
    "wrong magic": Case(
        idx_with(IMAGES, content(lambda b: b"\x7fELF" + b[4:])), IMAGES, "starts with 7f454c46"
    ),
    "wrong dtype": Case(
        idx_with(IMAGES, content(lambda b: b"\0\0\x0d" + b[3:])), IMAGES, "holds float32 values"
    ),
    "wrong shape": Case(
        idx_with(IMAGES, array(lambda a: a.reshape(20, 14, 56))), IMAGES, r"\(20, 1, 14, 56\)"
    ),
    "wrong number of dimensions": Case(
        idx_with(IMAGES, array(lambda a: a.reshape(20, 784))), IMAGES, r"\(20, 1, 784\)"
    ),
    "images and labels of different length": Case(
        idx_with(LABELS, array(lambda a: a[:-1])), LABELS, r"labels of shape \(19,\)"
    ),
    "images and labels exchanged": Case(
        lambda m, d, f: (
            (archives.write_idx(f, d) / LABELS).replace(f / IMAGES)
            and archives.write_idx(f.with_name("spare"), d).joinpath(IMAGES).replace(f / LABELS)
        ),
        "train-",
        "get the file again|in its place",
    ),
    "label out of range": Case(idx_with(LABELS, array(one(10))), LABELS, "label 10, but mnist"),
    "wrong hash": Case(idx_with(IMAGES, content(one_bit)), IMAGES, "the content hash of mnist"),
    "another set under this name": Case(
        lambda m, d, f: archives.write_idx(f, archives.fake("fashion-mnist", seed=9)),
        IMAGES,
        "the content hash of mnist",
    ),
    "gzip bomb": Case(idx_bomb, IMAGES, "holds more than the 15680 bytes"),
    "a folder in place of a file": Case(
        lambda m, d, f: (f / IMAGES).mkdir(parents=True) or (f / LABELS).touch(),
        IMAGES,
        "cannot be read",
    ),
    "unreadable folder": Case(unreadable, "mnist", "Permission denied"),
    # Parquet
    "parquet: empty file": Case(parquet_changed(lambda b: b""), SHARD, "not parquet"),
    "parquet: truncated": Case(parquet_changed(lambda b: b[:-20]), SHARD, "not parquet"),
    "parquet: damaged page": Case(
        parquet_changed(lambda b: b[:60] + b"\xff" * 200 + b[260:]), SHARD, "damaged"
    ),
    "parquet: no image column": Case(table(label=[1]), SHARD, "columns label, but expected"),
    "parquet: no label column": Case(shards_with(label="class"), SHARD, "columns image, class"),
    "parquet: labels are texts": Case(
        table(image=[{"bytes": b""}], label=["cat"]), SHARD, "an integer `label`"
    ),
    "parquet: bytes of another type": Case(
        table(image=[{"bytes": 1.5}] * 20, label=[1] * 20), SHARD, "row 0: no image"
    ),
    "parquet: no image in a row": Case(shards_with(row=None), SHARD, "row 7: no image"),
    "parquet: no label in a row": Case(shards_with(number=None), SHARD, "a label is missing"),
    "parquet: label out of range": Case(shards_with(number=-1), SHARD, "label -1, but mnist"),
    "parquet: label of 64 bits": Case(shards_with(number=2**40), SHARD, "label 1099511627776"),
    "parquet: not an image": Case(
        shards_with(row=b"#!/bin/sh"), SHARD, "row 7: not a PNG or WebP image"
    ),
    "parquet: truncated image": Case(
        shards_with(row=archives.encoded(archives.fake("mnist")["train"][0][0])[:-40]),
        SHARD,
        "row 7: not a PNG or WebP image",
    ),
    "parquet: lossy image": Case(
        shards_with(row=picture((28, 28), kind="JPEG")), SHARD, "row 7: not a PNG or WebP image"
    ),
    "parquet: image of wrong size": Case(
        shards_with(row=picture((32, 28))), SHARD, "L image of 32 x 28 pixels, but mnist has 1 x 28"
    ),
    "parquet: image in color": Case(
        shards_with(row=picture((28, 28), "RGB")), SHARD, "a RGB image of 28 x 28"
    ),
    "parquet: image bomb": Case(
        shards_with(row=claimed_png(12_000, 12_000)), SHARD, "row 7: .*exceeds limit"
    ),
    "parquet: large image": Case(
        shards_with(row=claimed_png(5_000, 5_000)), SHARD, "L image of 5000 x 5000"
    ),
    "parquet: bomb": Case(parquet_bomb, SHARD, "decompresses to .* for 20 images"),
    "parquet: too many rows": Case(
        table(image=[{"bytes": b""}] * 21, label=[1] * 21), SHARD, "21 rows, but only 20"
    ),
    "parquet: too few rows": Case(
        lambda m, d, f: archives.shard(f / SHARD, [archives.encoded(d["train"][0][0])], [1]),
        SHARD,
        r"shape \(1, 1, 28, 28\)",
    ),
    "parquet: missing shard": Case(
        without("train-00001-of-00003.parquet"), "train-00001-of-00003.parquet", "missing beside"
    ),
    "parquet: one shard too many": Case(
        one_shard_too_many, "train-00002-of-00002.parquet", "not one of 2 shards; remove it"
    ),
    # CIFAR-10's archives
    "tar: empty file": Case(tar_changed(lambda b: b""), BINARY, "damaged archive", "cifar10"),
    "tar: truncated": Case(
        tar_changed(lambda b: b[: len(b) // 2]), BINARY, "damaged archive", "cifar10"
    ),
    "tar: not gzip": Case(
        tar_changed(lambda b: b"PK\3\4" + b[4:]), BINARY, "Not a gzipped file", "cifar10"
    ),
    "tar: path outside": Case(
        tarred(archives.binary, inside="../.."), BINARY, "has a path outside", "cifar10"
    ),
    "tar: absolute path": Case(
        member(name="/etc/passwd"), BINARY, "'/etc/passwd' has a path outside", "cifar10"
    ),
    "tar: symbolic link": Case(
        member(type=tarfile.SYMTYPE, linkname="/etc/passwd"), BINARY, "is a link", "cifar10"
    ),
    "tar: hard link": Case(
        member(type=tarfile.LNKTYPE, linkname="/etc/passwd"), BINARY, "is a link", "cifar10"
    ),
    "tar: device": Case(member(type=tarfile.CHRTYPE), BINARY, "is a link, a device or", "cifar10"),
    "tar: bomb": Case(tar_bomb, BINARY, "decompresses to more than 1048576 bytes", "cifar10"),
    "tar: batch missing": Case(
        tarred(lambda d: {k: v for k, v in archives.binary(d).items() if "_3" not in k}),
        BINARY,
        "data_batch_3.bin is missing",
        "cifar10",
    ),
    "tar: batch of a broken record": Case(
        tarred(lambda d: {k: v + b"?" for k, v in archives.binary(d).items()}),
        BINARY,
        "12293 bytes, not a multiple of 3073",
        "cifar10",
    ),
    "tar: wrong hash": Case(
        tarred(lambda d: {k: one_bit(v) for k, v in archives.binary(d).items()}),
        BINARY,
        "the content hash of cifar10",
        "cifar10",
    ),
    "pickle with code": Case(evil, PYTHON, "so it was not unpickled", "cifar10"),
    "pickle with code and the right MD5": Case(
        lambda m, d, f: evil(m, d, f, known=True),
        PYTHON,
        "asks for posix.mkdir, which no",
        "cifar10",
    ),
    "pickle that is damaged": Case(
        known_pickle(b"\x80\x02}(U"), PYTHON, "data_batch_1 cannot be unpickled", "cifar10"
    ),
    "pickle of a list": Case(known_pickle([1]), PYTHON, "holds a list, not a batch", "cifar10"),
    "pickle without images": Case(
        known_pickle(b"\x80\x02}U\x06labels]K\x01as."), PYTHON, "data_batch_1 holds", "cifar10"
    ),
}


@pytest.mark.parametrize("what", CASES)
def test_bad_data(what: str, machine: Machine) -> None:
    case = CASES[what]
    data = machine.know(archives.fake(case.name))
    other = machine.know(archives.fake("fashion-mnist", seed=1))
    archives.write_idx(machine.named / "fashion-mnist", other)
    case.make(machine, data, machine.named / case.name)
    before = {path: path.read_bytes() for path in machine.files()}

    with pytest.raises(DatasetError, match=case.says) as caught:
        load(case.name, "train")

    message = str(caught.value)
    assert "\n" not in message
    assert case.culprit in message
    assert str(machine.named / case.name) in message
    remedy = "again|get it|in its place|remove it|permissions|check the file"
    assert re.search(remedy, message), message
    assert {path: path.read_bytes() for path in machine.files()} == before
    assert not (machine.root / "executed").exists()
    assert len(load("fashion-mnist", "train").labels) == archives.SIZES["train"]


def test_the_pickle_would_run_code(machine: Machine) -> None:
    # Otherwise the cases above would prove nothing.
    pickle.loads(pickle.dumps(Evil(), 2))
    assert (machine.root / "executed").exists()


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EROFS, errno.EACCES])
def test_disk_full_while_caching_loses_nothing(
    error: int, machine: Machine, caplog: pytest.LogCaptureFixture
) -> None:
    data = machine.know(archives.fake("mnist"))
    archives.write_idx(machine.named / "mnist", data)

    def full(path: Path) -> None:
        raise OSError(error, os.strerror(error))

    machine.patch.setattr(atomic, "_flush", full)
    np.testing.assert_array_equal(load("mnist", "train").images, data["train"][0])
    (record,) = caplog.records
    assert str(cache.path(data.info, "train")) in record.getMessage()
    assert "\n" not in record.getMessage()
    assert not [path for path in machine.files() if machine.root in path.parents]


def test_an_unpacked_folder_is_as_bounded_as_an_archive(tmp_path: Path) -> None:
    (tmp_path / "batch").write_bytes(bytes(11))
    with pytest.raises(DatasetError, match="larger than 10 bytes"):
        tarball.unpacked(tmp_path, ["batch"], 10)


@pytest.mark.parametrize(
    ("name", "split", "says"),
    [
        ("nist", "train", "'nist'; choose from fashion-mnist, mnist"),
        ("../../etc", "train", "'../../etc'; choose from"),
        ("mnist", "validation", "'validation'; choose from train, test"),
    ],
)
def test_names_that_do_not_exist(name: str, split: str, says: str) -> None:
    with pytest.raises(DatasetError, match=says):
        load(name, split)  # type: ignore[arg-type]
