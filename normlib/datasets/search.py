"""Where data sets are looked for, and in which order."""

import os
from collections.abc import Iterator
from pathlib import Path

from normlib import paths
from normlib.datasets import cifar, idx, parquet
from normlib.datasets.errors import DatasetError
from normlib.datasets.info import Info, Split
from normlib.datasets.source import Find, Source

SYSTEM = Path("/usr/share/datasets")  # of Debian's packages dataset-*
_FORMATS: tuple[Find, ...] = (idx.find, cifar.find, parquet.find)


def roots() -> list[Path]:
    """Return the folders of data sets, first to last."""
    named = os.environ.get("NORMLIB_DATA")
    first = [Path(named).expanduser()] if named else []
    return [*first, paths.local(), SYSTEM]


def folders(info: Info) -> Iterator[Path]:
    """Yield every folder in which the files of ``info`` may lie, first to last."""
    for root in [paths.data()] if info.kind == "sample" else roots():
        yield from (root / inner for inner in info.folders)


def find(info: Info, split: Split) -> Source | None:
    """Return the first source that has any file of the split, or None.

    Raises `DatasetError` for a folder that cannot be read and for files of which some are missing.
    """
    for folder in folders(info):
        if source := find_in(folder, info, split):
            return source
    return None


def find_in(folder: Path, info: Info, split: Split) -> Source | None:
    """Return the source of the split in one ``folder``, whatever its format, or None."""
    try:
        names = {path.name for path in folder.iterdir()}
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise DatasetError(
            f"{folder}: cannot be read ({error.strerror}); change its permissions or set "
            f"$NORMLIB_DATA to another folder"
        ) from error
    for find_format in _FORMATS:
        if source := find_format(folder, names, info, split):
            return source
    return None
