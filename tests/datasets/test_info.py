"""The table of data sets agrees with the data."""

import math
import subprocess
import sys
from fractions import Fraction

import numpy as np
import pytest

from normlib.datasets import INFO, SPLITS, MissingDatasetError, content_hash, load

ALWAYS = ["fashion-mnist-sample", "synthetic-gray", "synthetic-color"]


@pytest.mark.parametrize("name", INFO)
def test_sizes_hashes_and_moments(name: str) -> None:
    info = INFO[name]
    try:
        data = {split: load(name, split) for split in SPLITS}
    except MissingDatasetError:
        assert name not in ALWAYS
        pytest.skip(f"{name} is not on this machine, see data/README.md")
    for split, found in data.items():
        assert found.images.shape == (info.sizes[split], *info.shape)
        assert sorted(set(found.labels.tolist())) == list(range(len(info.classes)))
        assert content_hash(found.images, found.labels) == info.sha256[split] == found.sha256
    # In integers and fractions, so that every digit of the table is held to.
    images = data["train"].images
    count = images.size // images.shape[1]
    for channel, (mean, std) in enumerate(zip(info.mean, info.std, strict=True)):
        levels = np.bincount(images[:, channel].ravel(), minlength=256).tolist()
        first = Fraction(sum(level * n for level, n in enumerate(levels)), 255 * count)
        second = Fraction(sum(level**2 * n for level, n in enumerate(levels)), 255**2 * count)
        assert mean == float(first)
        assert std == pytest.approx(math.sqrt(second - first**2), rel=1e-15)


@pytest.mark.parametrize("name", INFO)
def test_entries_are_whole(name: str) -> None:
    info = INFO[name]
    assert info.name == name
    assert len(info.classes) == len(set(info.classes)) == 10
    assert len(info.mean) == len(info.std) == info.shape[0]
    assert all(len(info.sha256[split]) == 64 for split in SPLITS)
    assert info.licence
    assert info.origin
    assert bool(info.ways) == (info.kind != "synthetic")


def test_no_two_sets_share_a_hash() -> None:
    hashes = [info.sha256[split] for info in INFO.values() for split in SPLITS]
    assert len(set(hashes)) == len(hashes)


def test_content_hash_is_of_images_then_labels() -> None:
    import hashlib

    images = np.arange(24, dtype=np.uint8).reshape(2, 3, 2, 2)
    labels = np.array([7, 8], np.uint8)
    expected = hashlib.sha256(bytes(range(24)) + bytes([7, 8])).hexdigest()
    assert content_hash(images, labels) == expected
    turned = np.ascontiguousarray(images.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
    assert not turned.flags.c_contiguous
    assert content_hash(turned, labels) == expected


def test_import_is_light() -> None:
    code = (
        "import sys, normlib.datasets as d; d.load('fashion-mnist-sample', 'test');"
        "heavy = {'torch', 'torchvision', 'pyarrow', 'PIL', 'pandas'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"
