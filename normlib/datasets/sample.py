"""The bundled part of Fashion-MNIST: how it was chosen, and the command that makes it again.

``python -m normlib.datasets.sample [FOLDER]`` writes, from the full data set, the same bytes that
are in ``data/sample``: uncompressed IDX files, since compressed bytes differ between versions of
the compressor.
"""

import hashlib
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from normlib import paths
from normlib.datasets import idx
from normlib.datasets.imageset import Bytes
from normlib.datasets.info import Split

NAME = "fashion-mnist-sample"
ORIGIN = "fashion-mnist"
SEED = 0
PER_CLASS: dict[Split, int] = {"train": 200, "test": 100}


def chosen(labels: Bytes, split: Split, classes: int = 10) -> NDArray[np.int64]:
    """Return the positions of the sample in the full set, in the official order.

    Of each class, the images whose position has the smallest sha256 under the seed: a draw that
    needs no random number generator, so that every version of NumPy makes the same one.
    """
    keep: list[int] = []
    for label in range(classes):
        positions = np.flatnonzero(labels == label).tolist()
        drawn = sorted(
            positions, key=lambda i: hashlib.sha256(f"sample/{SEED}/{split}/{i}".encode()).digest()
        )
        keep += drawn[: PER_CLASS[split]]
    return np.array(sorted(keep), np.int64)


def write(folder: Path) -> list[Path]:
    """Write the sample's four IDX files into ``folder`` and return them; needs the full set."""
    from normlib.datasets.loading import load

    files = []
    for split, stem in idx.STEMS.items():
        full = load(ORIGIN, split)
        rows = chosen(full.labels, split)
        folder.mkdir(parents=True, exist_ok=True)
        arrays = {"images-idx3": full.images[rows, 0], "labels-idx1": full.labels[rows]}
        for what, array in arrays.items():
            files.append(folder / f"{stem}-{what}-ubyte")
            files[-1].write_bytes(idx.encode(array))
    return files


if __name__ == "__main__":
    for file in write(Path(sys.argv[1]) if len(sys.argv) > 1 else paths.data() / "sample"):
        print(file)
