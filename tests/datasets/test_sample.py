"""The bundled sample is what it says it is."""

from pathlib import Path

import numpy as np
import pytest

from normlib import paths
from normlib.datasets import (
    INFO,
    SPLITS,
    ImageSet,
    MissingDatasetError,
    Split,
    content_hash,
    idx,
    load,
    sample,
    search,
)

FOLDER = Path(__file__).resolve().parents[2] / "data" / "sample"


@pytest.fixture(scope="module")
def full() -> dict[str, ImageSet]:
    try:
        return {split: load(sample.ORIGIN, split) for split in SPLITS}
    except MissingDatasetError:
        pytest.skip("needs the full Fashion-MNIST, see data/README.md")


def committed() -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in FOLDER.glob("*-ubyte")}


@pytest.mark.parametrize("split", SPLITS)
def test_balanced_and_of_its_hash(split: Split) -> None:
    data = load(sample.NAME, split)
    assert np.bincount(data.labels).tolist() == [sample.PER_CLASS[split]] * 10
    assert content_hash(data.images, data.labels) == INFO[sample.NAME].sha256[split]


def test_the_content_hash_decides_every_byte_of_the_files() -> None:
    again = {}
    for split, stem in idx.STEMS.items():
        data = load(sample.NAME, split)
        again[f"{stem}-images-idx3-ubyte"] = idx.encode(data.images[:, 0])
        again[f"{stem}-labels-idx1-ubyte"] = idx.encode(data.labels)
    assert again == committed()


@pytest.mark.usefixtures("full")
def test_written_again_byte_for_byte(tmp_path: Path) -> None:
    assert {path.name: path.read_bytes() for path in sample.write(tmp_path)} == committed()


def test_it_is_part_of_the_full_set_in_its_order(full: dict[str, ImageSet]) -> None:
    for split in SPLITS:
        rows = sample.chosen(full[split].labels, split)
        assert (np.diff(rows) > 0).all()
        np.testing.assert_array_equal(load(sample.NAME, split).images, full[split].images[rows])


def test_the_draw_depends_on_the_seed_and_not_on_the_order_of_classes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    labels = np.random.default_rng(0).integers(0, 10, 5000).astype(np.uint8)
    rows = sample.chosen(labels, "train")
    assert len(set(rows.tolist())) == 2000
    # Relabelling the classes draws the same images, since each position has its own number.
    np.testing.assert_array_equal(sample.chosen(9 - labels, "train"), rows)
    monkeypatch.setattr(sample, "SEED", 1)
    assert not np.array_equal(sample.chosen(labels, "train"), rows)


def test_it_carries_its_licence() -> None:
    text = (paths.data() / "sample" / "LICENSE").read_text(encoding="utf-8")
    assert "MIT License" in text
    assert "Zalando SE" in text
    assert "THE SOFTWARE IS PROVIDED" in text


def test_the_system_package_is_the_official_set() -> None:
    folder = search.SYSTEM / "fashion-mnist"
    if not folder.is_dir():
        pytest.skip("Debian's dataset-fashion-mnist is not installed here")
    info = INFO[sample.ORIGIN]
    for split in SPLITS:
        source = search.find_in(folder, info, split)
        assert source is not None
        source.load(info, split)
