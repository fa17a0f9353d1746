"""Decoded arrays on disk, since decompressing and decoding takes seconds to minutes.

The file of a split holds the images and then the labels, so that its sha256 is the content hash.
It is mapped into memory: the workers of a sweep share its pages.
"""

import logging
import math
from pathlib import Path

import numpy as np

from normlib import atomic, paths
from normlib.datasets.errors import DatasetError
from normlib.datasets.imageset import ImageSet, checked
from normlib.datasets.info import Info, Split

_log = logging.getLogger(__name__)


def path(info: Info, split: Split) -> Path:
    """Return where the decoded arrays of the split are kept."""
    return paths.local() / "cache" / f"{info.name}-{split}-{info.sha256[split][:16]}.bin"


def recall(info: Info, split: Split) -> ImageSet | None:
    """Return the kept split, or None if there is none or it is damaged; its hash is checked."""
    file = path(info, split)
    size = info.sizes[split]
    pixels = size * math.prod(info.shape)
    try:
        if not file.is_file():
            return None
        if (found := file.stat().st_size) != pixels + size:
            raise DatasetError(f"{file}: {found} bytes, expected {pixels + size}")
        # Copy-on-write: torch warns of arrays that cannot be written to.
        content = np.asarray(np.memmap(file, np.uint8, mode="c"))
        images = content[:pixels].reshape(size, *info.shape)
        return checked(info, split, images, content[pixels:], file)
    except (DatasetError, OSError) as error:
        _log.warning(
            "decoding %s %s again, since its cache is damaged: %s", info.name, split, error
        )
        return None


def keep(data: ImageSet, info: Info) -> ImageSet:
    """Write the arrays to the cache and return them mapped from there.

    Where they cannot be kept (a full disk, a folder that does not allow it) they are returned as
    they are, with a warning in the log: a cache only saves time.
    """
    file = path(info, data.split)
    try:
        atomic.remove_orphans(file.parent)
        with atomic.replacing(file) as temporary, temporary.open("wb") as out:
            out.write(np.ascontiguousarray(data.images).data)
            out.write(np.ascontiguousarray(data.labels).data)
    except atomic.WriteError as error:
        _log.warning(
            "%s %s is not cached and will be decoded again: %s", info.name, data.split, error
        )
        return data
    return recall(info, data.split) or data
