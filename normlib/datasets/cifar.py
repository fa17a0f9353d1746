"""The official archives of CIFAR-10: the binary and the python version, packed or unpacked."""

from collections.abc import Sequence, Set
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from normlib.datasets import pickled, tarball
from normlib.datasets.errors import DatasetError
from normlib.datasets.info import Info, Split
from normlib.datasets.source import Arrays, Source

_BATCHES: dict[Split, tuple[str, ...]] = {
    "train": tuple(f"data_batch_{number}" for number in range(1, 6)),
    "test": ("test_batch",),
}
_MOST = 256 << 20  # bytes; the archives decompress to 186 MB
_REMEDY = "get the official archive again"


def find(folder: Path, names: Set[str], info: Info, split: Split) -> Source | None:
    """Return CIFAR-10's archive or unpacked folder among ``names``, or None.

    The binary version goes first, having nothing to unpickle.
    """
    if info.name != "cifar10":
        return None
    for short, long in (("bin", "binary"), ("py", "python")):
        for name in (f"cifar-10-batches-{short}", f"cifar-10-{long}.tar.gz"):
            if name in names:
                read = partial(read_binary if short == "bin" else read_python, folder / name)
                return Source(folder / name, partial(read, info, split))
    return None


def read_binary(path: Path, info: Info, split: Split) -> Arrays:
    """Return the images and labels of the binary version: a byte of label, then the pixels, ..."""
    record = 1 + int(np.prod(info.shape))
    rows = []
    for name, content in _contents(path, [f"{batch}.bin" for batch in _BATCHES[split]]).items():
        if len(content) % record:
            raise DatasetError(
                f"{path}: {name} has {len(content)} bytes, not a multiple of {record}; {_REMEDY}"
            )
        rows.append(np.frombuffer(content, np.uint8).reshape(-1, record))
    table = np.concatenate(rows)
    return table[:, 1:].reshape(-1, *info.shape), table[:, 0]


def read_python(path: Path, info: Info, split: Split) -> Arrays:
    """Return the images and labels of the python version, each batch a pickle."""
    images, labels = [], []
    for name, content in _contents(path, _BATCHES[split]).items():
        pixels, targets = _arrays(pickled.load(content, name, f"{path}: {name}"))
        if pixels.dtype != np.uint8 or pixels.shape != (len(targets), int(np.prod(info.shape))):
            raise DatasetError(
                f"{path}: {name} holds {pixels.dtype} of shape {pixels.shape} and {len(targets)} "
                f"labels; {_REMEDY}"
            )
        images.append(pixels.reshape(-1, *info.shape))
        labels.append(targets)
    return np.concatenate(images), np.concatenate(labels)


def _arrays(batch: dict[bytes, Any]) -> tuple[NDArray[Any], NDArray[np.int64]]:
    pixels, targets = batch.get(b"data"), batch.get(b"labels")
    if not isinstance(pixels, np.ndarray) or not isinstance(targets, list):
        return np.empty(0), np.empty(0, np.int64)
    return pixels, np.array([t if isinstance(t, int) else -1 for t in targets], np.int64)


def _contents(path: Path, wanted: Sequence[str]) -> dict[str, bytes]:
    read = tarball.unpacked if path.is_dir() else tarball.archive
    contents = read(path, wanted, _MOST)
    for name in wanted:
        if name not in contents:
            raise DatasetError(f"{path}: {name} is missing; {_REMEDY}")
    return {name: contents[name] for name in wanted}
