"""Where data sets are looked for, and in which order."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from normlib import paths
from normlib.datasets import idx
from normlib.datasets.errors import DatasetError
from normlib.datasets.info import Info, Split

Arrays = tuple[NDArray[np.generic], NDArray[np.generic]]
SYSTEM = Path("/usr/share/datasets")  # of Debian's packages dataset-*


@dataclass(frozen=True)
class Source:
    """Files that should hold one split, and the function that reads them."""

    path: Path
    read: Callable[[], Arrays]


def roots() -> list[tuple[str, Path]]:
    """Return the named folders that are searched, first to last."""
    named = os.environ.get("NORMLIB_DATA")
    first = [("$NORMLIB_DATA", Path(named).expanduser())] if named else []
    return [*first, ("data/local", paths.local()), ("the system's packages", SYSTEM)]


def folders(info: Info) -> Iterator[Path]:
    """Yield every folder in which ``info``'s files may lie."""
    if info.kind == "sample":
        yield from (paths.data() / inner for inner in info.folders)
        return
    for _, root in roots():
        yield from (root / inner for inner in info.folders)


def find(info: Info, split: Split) -> Source | None:
    """Return the first source that has any file of the split, or None.

    Raises `DatasetError` for a folder that cannot be read.
    """
    for folder in folders(info):
        try:
            if source := _idx(folder, info, split):
                return source
        except PermissionError as error:
            raise DatasetError(f"{folder}: cannot be read ({error.strerror})") from error
    return None


def _idx(folder: Path, info: Info, split: Split) -> Source | None:
    files = []
    for what in ("images-idx3", "labels-idx1"):
        stem = folder / f"{idx.STEMS[split]}-{what}-ubyte"
        choices = [stem, stem.with_name(stem.name + ".gz")]
        files.append(next((file for file in choices if file.is_file()), None))
    images, labels = files
    if images is None or labels is None:
        return None
    size, (_, height, width) = info.sizes[split], info.shape

    def read() -> Arrays:
        pixels = idx.read(images, size * height * width)
        return pixels[:, None] if pixels.ndim == 3 else pixels, idx.read(labels, size)

    return Source(images, read)
