"""Bad data sets of every kind: what each function here writes, or returns for others to write."""

import errno
import gzip
import io
import os
import pickle
import struct
import tarfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from normlib.datasets import idx, pickled
from tests.datasets import archives
from tests.datasets.archives import Fake
from tests.datasets.conftest import Machine

IMAGES, LABELS = "train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"
SHARD = "train-00000-of-00001.parquet"
BINARY, PYTHON = "cifar-10-binary.tar.gz", "cifar-10-python.tar.gz"


def idx_with(file: str, change: Callable[[bytes], bytes]) -> Callable[..., None]:
    """Write good IDX files but for one, whose packed bytes are changed."""

    def make(machine: Machine, data: Fake, folder: Path) -> None:
        path = archives.write_idx(folder, data) / file
        path.write_bytes(change(path.read_bytes()))

    return make


def content(change: Callable[[bytes], bytes]) -> Callable[[bytes], bytes]:
    return lambda packed: gzip.compress(change(gzip.decompress(packed)))


def array(change: Callable[[np.ndarray], np.ndarray]) -> Callable[[bytes], bytes]:
    return content(lambda raw: idx.encode(change(idx.decode(raw, "good"))))


def one(value: int) -> Callable[[np.ndarray], np.ndarray]:
    return lambda a: np.concatenate([a[:1] * 0 + np.uint8(value), a[1:]])


def unreadable(machine: Machine, data: Fake, folder: Path) -> None:
    archives.write_idx(folder, data)
    listing = Path.iterdir

    # Tests may run as root, who may read everything.
    def refuse(path: Path) -> object:
        if path == folder:
            raise PermissionError(errno.EACCES, "Permission denied")
        return listing(path)

    machine.patch.setattr(Path, "iterdir", refuse)


def bomb(size: int) -> bytes:
    """Return a gzip file of ``size`` zeros, built without holding them."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    block = bytes(1 << 20)
    return b"".join(packer.compress(block) for _ in range(size >> 20)) + packer.flush()


def idx_bomb(machine: Machine, data: Fake, folder: Path) -> None:
    archives.write_idx(folder, data)
    (folder / IMAGES).write_bytes(bomb(64 << 20))


def shards_with(**columns: object) -> Callable[..., None]:
    def make(machine: Machine, data: Fake, folder: Path) -> None:
        images, labels = data["train"]
        rows: list[bytes | None] = [archives.encoded(image) for image in images]
        numbers: list[int | None] = labels.tolist()
        if "row" in columns:
            rows[7] = columns["row"]  # type: ignore[call-overload]
        if "number" in columns:
            numbers[7] = columns["number"]  # type: ignore[call-overload]
        names = {key: columns[key] for key in ("image", "label") if key in columns}
        archives.shard(folder / SHARD, rows, numbers, **names)  # type: ignore[arg-type]

    return make


def table(**columns: object) -> Callable[..., None]:
    def make(machine: Machine, data: Fake, folder: Path) -> None:
        folder.mkdir(parents=True)
        pq.write_table(pa.table(columns), folder / SHARD)

    return make


def parquet_changed(change: Callable[[bytes], bytes]) -> Callable[..., None]:
    def make(machine: Machine, data: Fake, folder: Path) -> None:
        path = archives.write_parquet(folder, data) / SHARD
        path.write_bytes(change(path.read_bytes()))

    return make


def without(name: str) -> Callable[..., None]:
    def make(machine: Machine, data: Fake, folder: Path) -> None:
        (archives.write_parquet(folder, data, shards=3) / name).unlink()

    return make


def one_shard_too_many(machine: Machine, data: Fake, folder: Path) -> None:
    archives.write_parquet(folder, data, shards=2)
    (folder / "train-00002-of-00002.parquet").write_bytes(b"?")


def parquet_bomb(machine: Machine, data: Fake, folder: Path) -> None:
    rows: list[bytes | None] = [bytes(1 << 20)] * 20
    archives.shard(folder / SHARD, rows, data["train"][1].tolist())


def picture(size: tuple[int, int], mode: str = "L", kind: str = "PNG") -> bytes:
    out = io.BytesIO()
    Image.new(mode, size).save(out, kind)
    return out.getvalue()


def claimed_png(width: int, height: int) -> bytes:
    """Return a PNG of a few bytes that claims to be huge."""
    sizes = struct.pack(">2I5B", width, height, 8, 0, 0, 0, 0)
    chunks = ((b"IHDR", sizes), (b"IDAT", zlib.compress(bytes(99))), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in chunks
    )


def tarred(
    contents: Callable[[Fake], dict[str, bytes]], *, name: str = BINARY, inside: str = "cifar-10"
) -> Callable[..., None]:
    def make(machine: Machine, data: Fake, folder: Path) -> None:
        archives.tar(folder / name, contents(data), inside=inside)

    return make


def member(**attributes: object) -> Callable[..., None]:
    """Write an archive whose one member has these attributes."""

    def make(machine: Machine, data: Fake, folder: Path) -> None:
        folder.mkdir(parents=True)
        with tarfile.open(folder / BINARY, "w:gz") as out:
            info = tarfile.TarInfo("data_batch_1.bin")
            for key, value in attributes.items():
                setattr(info, key, value)
            out.addfile(info)

    return make


def tar_changed(change: Callable[[bytes], bytes]) -> Callable[..., None]:
    def make(machine: Machine, data: Fake, folder: Path) -> None:
        path = archives.tar(folder / BINARY, archives.binary(data))
        path.write_bytes(change(path.read_bytes()))

    return make


def tar_bomb(machine: Machine, data: Fake, folder: Path) -> None:
    machine.patch.setattr("normlib.datasets.cifar._MOST", 1 << 20)
    folder.mkdir(parents=True)
    header = tarfile.TarInfo("cifar-10/readme.html")
    header.size = 8 << 20
    (folder / BINARY).write_bytes(gzip.compress(header.tobuf() + bytes(8 << 20)))


class Evil:
    """Runs code when unpickled."""

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return os.mkdir, (os.environ["NORMLIB_ROOT"] + "/executed",)


def evil(machine: Machine, data: Fake, folder: Path, *, known: bool = False) -> None:
    contents = archives.pickled(data)
    contents["data_batch_1"] = pickle.dumps({"data": Evil()}, 2)
    archives.tar(folder / PYTHON, contents)
    if known:  # as if somebody had found a second file of that MD5
        machine.patch.setattr(pickled, "MD5", archives.md5s(contents))


def known_pickle(what: object) -> Callable[..., None]:
    """Write an archive whose first batch is ``what``, and let its MD5 be the official one."""

    def make(machine: Machine, data: Fake, folder: Path) -> None:
        first = what if isinstance(what, bytes) else pickle.dumps(what, 2)
        contents = {**archives.pickled(data), "data_batch_1": first}
        archives.tar(folder / PYTHON, contents)
        machine.patch.setattr(pickled, "MD5", archives.md5s(contents))

    return make


def one_bit(raw: bytes) -> bytes:
    return raw[:-1] + bytes([raw[-1] ^ 1])
