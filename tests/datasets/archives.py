"""Small look-alikes of the real data sets, in every format they come in."""

import gzip
import hashlib
import io
import json
import struct
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from normlib.datasets import INFO, SPLITS, Info, content_hash, idx

SIZES = {"train": 20, "test": 4}


@dataclass(frozen=True)
class Fake:
    """A data set of 24 random images under a real one's name, and its own description."""

    info: Info
    arrays: Mapping[str, tuple[np.ndarray, np.ndarray]]

    def __getitem__(self, split: str) -> tuple[np.ndarray, np.ndarray]:
        return self.arrays[split]


def fake(name: str, seed: int = 0) -> Fake:
    rng = np.random.default_rng(seed)
    shape = INFO[name].shape
    arrays = {
        split: (
            rng.integers(0, 256, (size, *shape), np.uint8),
            rng.integers(0, 10, size).astype(np.uint8),
        )
        for split, size in SIZES.items()
    }
    hashes = {split: content_hash(*arrays[split]) for split in SPLITS}
    return Fake(replace(INFO[name], sizes=SIZES, sha256=hashes), arrays)


def write_idx(folder: Path, data: Fake, *, packed: bool = True) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for split, stem in idx.STEMS.items():
        images, labels = data[split]
        for what, array in (("images-idx3", images[:, 0]), ("labels-idx1", labels)):
            content, name = idx.encode(array), f"{stem}-{what}-ubyte"
            if packed:
                (folder / f"{name}.gz").write_bytes(gzip.compress(content, mtime=0))
            else:
                (folder / name).write_bytes(content)
    return folder


def encoded(image: np.ndarray, kind: str = "PNG") -> bytes:
    pixels = image[0] if image.shape[0] == 1 else image.transpose(1, 2, 0)
    out = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(out, kind, lossless=True)
    return out.getvalue()


def shard(
    path: Path,
    rows: list[bytes | None],
    labels: list[int | None],
    *,
    image: str = "image",
    label: str = "label",
) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    struct_type = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    column = pa.array([{"bytes": row, "path": None} for row in rows], struct_type)
    table = pa.table({image: column, label: pa.array(labels, pa.int64())})
    meta = {"huggingface": json.dumps({"info": {}})}
    pq.write_table(table.replace_schema_metadata(meta), path, compression="zstd")
    return path


def write_parquet(
    folder: Path, data: Fake, *, shards: int = 1, kind: str = "PNG", label: str = "label"
) -> Path:
    for split in SPLITS:
        images, labels = data[split]
        for number, rows in enumerate(np.array_split(np.arange(len(labels)), shards)):
            shard(
                folder / f"{split}-{number:05d}-of-{shards:05d}.parquet",
                [encoded(images[row], kind) for row in rows],
                labels[rows].tolist(),
                label=label,
            )
    return folder


def batches(data: Fake) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return CIFAR-10's six batches of ``data``."""
    images, labels = data["train"]
    cut = {
        f"data_batch_{k + 1}": (images[k * 4 : k * 4 + 4], labels[k * 4 : k * 4 + 4])
        for k in range(5)
    }
    return {**cut, "test_batch": data["test"]}


def binary(data: Fake) -> dict[str, bytes]:
    return {
        f"{name}.bin": np.column_stack([labels, images.reshape(len(labels), -1)]).tobytes()
        for name, (images, labels) in batches(data).items()
    }


def pickled(data: Fake) -> dict[str, bytes]:
    return {name: python2_pickle(*batch) for name, batch in batches(data).items()}


def python2_pickle(images: np.ndarray, labels: np.ndarray) -> bytes:
    """Return the bytes that Python 2 wrote for a batch: byte strings, and integers for booleans."""

    def text(value: bytes) -> bytes:
        return b"U" + bytes([len(value)]) + value

    def number(value: int) -> bytes:
        return b"J" + struct.pack("<i", value)

    dtype = b"cnumpy\ndtype\n" + text(b"u1") + b"K\0K\1\x87R(K\3" + text(b"|") + b"NNN"
    dtype += number(-1) + number(-1) + b"K\0tb"
    pixels = images.tobytes()
    array = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\0\x85" + text(b"b")
    array += b"\x87R(K\1" + number(len(labels)) + number(len(pixels) // len(labels)) + b"\x86"
    array += dtype + b"\x89T" + struct.pack("<i", len(pixels)) + pixels + b"tb"
    targets = b"](" + b"".join(b"K" + bytes([label]) for label in labels) + b"e"
    items = text(b"batch_label") + text(b"a batch") + text(b"labels") + targets
    return b"\x80\x02}(" + items + text(b"data") + array + b"u."


def md5s(contents: Mapping[str, bytes]) -> dict[str, str]:
    return {name: hashlib.md5(content).hexdigest() for name, content in contents.items()}


def tar(path: Path, contents: Mapping[str, bytes], *, inside: str = "cifar-10") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w:gz") as out:
        for name, content in contents.items():
            member = tarfile.TarInfo(f"{inside}/{name}")
            member.size = len(content)
            out.addfile(member, io.BytesIO(content))
    return path
