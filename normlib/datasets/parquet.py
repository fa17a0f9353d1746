"""Image parquet as Hugging Face writes it: one row per image, an encoded file and a label.

Shards are called ``<split>-KKKKK-of-NNNNN.parquet``. The images are a struct column with a field
``bytes``, the labels an integer column ``label`` or ``fine_label``.
"""

import io
import re
import warnings
from collections.abc import Set
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from normlib.datasets.errors import DatasetError
from normlib.datasets.imageset import Bytes
from normlib.datasets.info import Info, Split
from normlib.datasets.source import Arrays, Source

_LABELS = ("label", "fine_label")
_REMEDY = "get the file again"


def find(folder: Path, names: Set[str], info: Info, split: Split) -> Source | None:
    """Return the split's shards among ``names``, or None; raises if some of them are missing."""
    pattern = re.compile(rf"{split}-(\d{{5}})-of-(\d{{5}})\.parquet")
    shards = sorted(name for name in names if pattern.fullmatch(name))
    if not shards:
        return None
    total = int(shards[0][-13:-8])
    for number in range(total):
        if (wanted := f"{split}-{number:05d}-of-{total:05d}.parquet") not in shards:
            raise DatasetError(f"{folder / wanted}: missing beside {shards[0]}; get it too")
    if len(shards) > total:
        raise DatasetError(f"{folder / shards[-1]}: not one of {total} shards; remove it")
    files = [folder / shard for shard in shards]
    return Source(files[0], lambda: read(files, info, split))


def read(files: list[Path], info: Info, split: Split) -> Arrays:
    """Return the images and labels of all shards; raises `DatasetError` naming file and row."""
    # Imported here: half a second that a data set in another format need not wait for.
    import pyarrow as pa
    import pyarrow.parquet as pq

    images = np.empty((info.sizes[split], *info.shape), np.uint8)
    labels = np.empty(info.sizes[split], np.int64)
    done = 0
    for path in files:
        try:
            with pq.ParquetFile(path) as file:
                image, label = _columns(file, path)
                rows = file.metadata.num_rows
                if rows > len(labels) - done:
                    raise DatasetError(
                        f"{path}: {rows} rows, but only {len(labels) - done} of {info.name} "
                        f"{split} are missing; {_REMEDY}"
                    )
                _refuse_bomb(file, path, rows, info)
                for batch in file.iter_batches(1000, columns=[f"{image}.bytes", label]):
                    column = batch.column(image)
                    encoded = column.field("bytes") if column.null_count == 0 else column
                    labels[done : done + len(batch)] = _whole(batch.column(label), path, done)
                    for row, content in enumerate(encoded, done):
                        images[row] = _decode(content.as_py(), info, f"{path}: row {row}")
                    done += len(batch)
        except (pa.ArrowException, OSError) as error:
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise DatasetError(f"{path}: damaged or not parquet ({reason}); {_REMEDY}") from error
    return images[:done], labels[:done]


def _columns(file: Any, path: Path) -> tuple[str, str]:
    import pyarrow as pa

    schema = file.schema_arrow
    structs = [
        field.name
        for field in schema
        if pa.types.is_struct(field.type) and field.type.get_field_index("bytes") >= 0
    ]
    labels = [name for name in _LABELS if name in schema.names]
    if len(structs) != 1 or not labels or not pa.types.is_integer(schema.field(labels[0]).type):
        raise DatasetError(
            f"{path}: columns {', '.join(schema.names)}, but expected one struct with `bytes` and "
            f"an integer `label` or `fine_label`; {_REMEDY}"
        )
    return structs[0], labels[0]


def _refuse_bomb(file: Any, path: Path, rows: int, info: Info) -> None:
    # An encoded image is hardly larger than its pixels; far more is a file made to fill the memory.
    most = rows * (4 * int(np.prod(info.shape)) + 4096)
    groups = (file.metadata.row_group(i) for i in range(file.metadata.num_row_groups))
    if (size := sum(group.total_byte_size for group in groups)) > most:
        raise DatasetError(
            f"{path}: decompresses to {size} bytes, more than {most} for {rows} images; {_REMEDY}"
        )


def _whole(column: Any, path: Path, first: int) -> NDArray[np.int64]:
    if column.null_count:
        raise DatasetError(f"{path}: a label is missing near row {first}; {_REMEDY}")
    return np.asarray(column.to_numpy(zero_copy_only=False), np.int64)


def _decode(content: object, info: Info, source: str) -> Bytes:
    from PIL import Image, UnidentifiedImageError

    if not isinstance(content, bytes):
        raise DatasetError(f"{source}: no image; {_REMEDY}")
    channels, height, width = info.shape
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            image = Image.open(io.BytesIO(content), formats=("PNG", "WEBP"))
        # Compared before the pixels are decoded, so that a small file cannot fill the memory.
        if image.size != (width, height) or image.mode != {1: "L", 3: "RGB"}[channels]:
            raise DatasetError(
                f"{source}: a {image.mode} image of {image.width} x {image.height} pixels, but "
                f"{info.name} has {channels} x {height} x {width}; {_REMEDY}"
            )
        pixels = np.asarray(image, np.uint8)
    except UnidentifiedImageError as error:
        # Its own message is the address of our buffer.
        raise DatasetError(f"{source}: not a PNG or WebP image; {_REMEDY}") from error
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError, Warning) as error:
        raise DatasetError(f"{source}: not a PNG or WebP image ({error}); {_REMEDY}") from error
    return pixels.reshape(height, width, channels).transpose(2, 0, 1)
