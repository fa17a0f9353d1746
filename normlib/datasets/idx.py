"""The IDX format of MNIST and its relatives: a magic number, big-endian sizes, then the values."""

import gzip
import math
import struct
import zlib
from collections.abc import Set
from pathlib import Path

import numpy as np

from normlib.datasets.errors import DatasetError
from normlib.datasets.imageset import Bytes
from normlib.datasets.info import Info, Split
from normlib.datasets.source import Arrays, Source

# Files are called <stem>-images-idx3-ubyte and <stem>-labels-idx1-ubyte.
STEMS: dict[Split, str] = {"train": "train", "test": "t10k"}

# The third byte of the magic number names the type of the values, the fourth the dimensions.
_UINT8 = 0x08
_TYPES = {0x09: "int8", 0x0B: "int16", 0x0C: "int32", 0x0D: "float32", 0x0E: "float64"}
_MOST_DIMENSIONS = 4


def encode(array: Bytes) -> bytes:
    """Return ``array``, of 1 to 4 dimensions, as the content of an IDX file."""
    sizes = struct.pack(f">{array.ndim}I", *array.shape)
    return bytes((0, 0, _UINT8, array.ndim)) + sizes + np.ascontiguousarray(array).tobytes()


def decode(content: bytes, source: str) -> Bytes:
    """Return the array that ``content`` describes, or raise `DatasetError` naming ``source``."""
    remedy = "get the file again"
    if len(content) < 4:
        raise DatasetError(f"{source}: {len(content)} bytes, too short for an IDX file; {remedy}")
    zeros, kind, dimensions = content[:2], content[2], content[3]
    if zeros != b"\0\0" or kind not in (_UINT8, *_TYPES) or not 1 <= dimensions <= _MOST_DIMENSIONS:
        raise DatasetError(
            f"{source}: starts with {content[:4].hex()}, not the magic number of an IDX file "
            f"(0000 08 0d, d dimensions); {remedy}"
        )
    if kind != _UINT8:
        raise DatasetError(f"{source}: holds {_TYPES[kind]} values, not uint8; {remedy}")
    start = 4 + 4 * dimensions
    if len(content) < start:
        raise DatasetError(f"{source}: ends inside its header of {start} bytes; {remedy}")
    sizes = struct.unpack_from(f">{dimensions}I", content, 4)
    if len(content) - start != math.prod(sizes):
        raise DatasetError(
            f"{source}: {len(content) - start} values, but its header promises "
            f"{' x '.join(map(str, sizes))}; {remedy}"
        )
    # A copy, because torch warns of arrays that cannot be written to.
    return np.frombuffer(content, np.uint8, offset=start).reshape(sizes).copy()


def read(path: Path, most: int) -> Bytes:
    """Return the array in ``path``, decompressed if it ends in ``.gz``.

    At most ``most`` values and a header are ever held, so that a small file cannot fill the memory.
    Raises `DatasetError` for a file that cannot be read, is damaged, or holds more.
    """
    room = most + 4 + 4 * _MOST_DIMENSIONS
    try:
        with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as file:
            content = file.read(room + 1)
            if len(content) > room:
                raise DatasetError(
                    f"{path}: holds more than the {most} bytes expected; get the file again"
                )
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DatasetError(f"{path}: damaged gzip file ({error}); get the file again") from error
    except OSError as error:
        reason = error.strerror or error
        raise DatasetError(f"{path}: cannot be read ({reason}); check the file") from error
    return decode(content, str(path))


def find(folder: Path, names: Set[str], info: Info, split: Split) -> Source | None:
    """Return the split's pair of IDX files among ``names``, compressed or not, or None."""
    if info.shape[0] != 1:
        return None
    stems = [f"{STEMS[split]}-{what}-ubyte" for what in ("images-idx3", "labels-idx1")]
    found = [name for stem in stems for name in (stem, f"{stem}.gz") if name in names]
    if not found:
        return None
    for stem in stems:
        if not any(name.startswith(stem) for name in found):
            raise DatasetError(f"{folder / stem}.gz: missing beside {found[0]}; get it too")
    images, labels = (
        folder / next(name for name in found if name.startswith(stem)) for stem in stems
    )
    size, (_, height, width) = info.sizes[split], info.shape

    def read_both() -> Arrays:
        # IDX has no axis of channels.
        return np.expand_dims(read(images, size * height * width), 1), read(labels, size)

    return Source(images, read_both, labels)
