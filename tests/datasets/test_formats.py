"""Every format gives back exactly the arrays that went into it."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from normlib.datasets import SPLITS, load
from tests.datasets import archives
from tests.datasets.archives import Fake
from tests.datasets.conftest import Machine

Write = Callable[[Path, Fake], object]

FORMATS: dict[str, tuple[str, Write]] = {
    "idx.gz": ("mnist", lambda f, d: archives.write_idx(f / "mnist", d)),
    "idx": ("mnist", lambda f, d: archives.write_idx(f / "mnist", d, packed=False)),
    "idx as torchvision": ("mnist", lambda f, d: archives.write_idx(f / "MNIST/raw", d)),
    "parquet of PNG": ("mnist", lambda f, d: archives.write_parquet(f / "mnist", d)),
    "parquet of WebP, three shards, fine_label": (
        "cifar10",
        lambda f, d: archives.write_parquet(
            f / "cifar10", d, shards=3, kind="WEBP", label="fine_label"
        ),
    ),
    "cifar binary": (
        "cifar10",
        lambda f, d: archives.tar(f / "cifar10/cifar-10-binary.tar.gz", archives.binary(d)),
    ),
    "cifar python": (
        "cifar10",
        lambda f, d: archives.tar(f / "cifar10/cifar-10-python.tar.gz", archives.pickled(d)),
    ),
    "cifar python beside the folder": (
        "cifar10",
        lambda f, d: archives.tar(f / "cifar-10-python.tar.gz", archives.pickled(d)),
    ),
    "cifar binary unpacked": ("cifar10", lambda f, d: unpack(f, "bin", archives.binary(d))),
    "cifar python unpacked": ("cifar10", lambda f, d: unpack(f, "py", archives.pickled(d))),
}


def unpack(folder: Path, version: str, contents: dict[str, bytes]) -> None:
    target = folder / f"cifar-10-batches-{version}"
    target.mkdir()
    for name, content in contents.items():
        (target / name).write_bytes(content)


@pytest.mark.parametrize("form", FORMATS)
def test_round_trip(
    form: str, machine: Machine, know: Callable[[str], Fake], monkeypatch: pytest.MonkeyPatch
) -> None:
    name, write = FORMATS[form]
    data = know(name)
    write(machine.named, data)
    for split in SPLITS:
        images, labels = data[split]
        decoded = load(name, split)
        monkeypatch.delenv("NORMLIB_DATA")
        recalled = load(name, split)  # from the cache, there being no source any more
        monkeypatch.setenv("NORMLIB_DATA", str(machine.named))
        for found in (decoded, recalled):
            np.testing.assert_array_equal(found.images, images)
            np.testing.assert_array_equal(found.labels, labels)
            assert (found.images.dtype, found.labels.dtype) == (np.uint8, np.uint8)
            assert (found.name, found.split, found.sha256) == (name, split, data.info.sha256[split])
            assert found.classes == data.info.classes


def test_arrays_can_be_written_to_without_touching_the_cache(
    machine: Machine, know: Callable[[str], Fake]
) -> None:
    data = know("mnist")
    archives.write_idx(machine.named / "mnist", data)
    first = load("mnist", "train")
    first.images[:] = 0
    first.labels[:] = 0
    np.testing.assert_array_equal(load("mnist", "train").images, data["train"][0])


def test_reading_an_archive_writes_only_the_cache(
    machine: Machine, know: Callable[[str], Fake]
) -> None:
    data = know("cifar10")
    path = archives.tar(machine.named / "cifar-10-python.tar.gz", archives.pickled(data))
    load("cifar10", "train")
    assert machine.files() == sorted([path, machine.cached(data)])
