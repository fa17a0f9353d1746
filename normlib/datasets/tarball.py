"""Files out of an archive of unknown good will, without unpacking it."""

import gzip
import io
import tarfile
import zlib
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from normlib.datasets.errors import DatasetError

_REMEDY = "get the official archive again"


class _Bounded(io.RawIOBase):
    """A stream that ends in an error after ``most`` bytes: archives can promise sizes at will."""

    def __init__(self, stream: io.BufferedIOBase, most: int, path: Path) -> None:
        self._stream, self._left, self._most, self._path = stream, most, most, path

    def read(self, size: int = -1) -> bytes:
        content = self._stream.read(self._left + 1 if size < 0 else min(size, self._left + 1))
        self._left -= len(content)
        if self._left < 0:
            raise DatasetError(
                f"{self._path}: decompresses to more than {self._most} bytes; {_REMEDY}"
            )
        return content


def archive(path: Path, wanted: Sequence[str], most: int) -> dict[str, bytes]:
    """Return the content of the regular files in a ``.tar.gz`` whose last name is ``wanted``.

    Nothing is written to disk. Raises `DatasetError` if the archive is damaged, decompresses to
    more than ``most`` bytes, or has a member with a path outside or that is neither a file nor a
    folder: no official archive has one, so this is another file.
    """
    contents = {}
    try:
        with (
            gzip.open(path, "rb") as stream,
            tarfile.open(fileobj=_Bounded(stream, most, path), mode="r|") as tar,
        ):
            for member in tar:
                _refuse_foreign(member, path)
                name = PurePosixPath(member.name).name
                if name in wanted and (file := tar.extractfile(member)):
                    contents[name] = file.read()
    except (tarfile.TarError, EOFError, zlib.error) as error:
        raise DatasetError(f"{path}: damaged archive ({error}); {_REMEDY}") from error
    except OSError as error:
        reason = error.strerror or error
        raise DatasetError(f"{path}: cannot be read ({reason}); {_REMEDY}") from error
    return contents


def unpacked(folder: Path, wanted: Sequence[str], most: int) -> dict[str, bytes]:
    """Return the content of the ``wanted`` files in ``folder``, those it has."""
    contents = {}
    for name in wanted:
        path = folder / name
        try:
            if path.stat().st_size > most:
                raise DatasetError(f"{path}: larger than {most} bytes; {_REMEDY}")
            contents[name] = path.read_bytes()
        except FileNotFoundError:
            continue
        except OSError as error:
            raise DatasetError(f"{path}: cannot be read ({error.strerror}); {_REMEDY}") from error
    return contents


def _refuse_foreign(member: tarfile.TarInfo, path: Path) -> None:
    name = PurePosixPath(member.name)
    if name.is_absolute() or ".." in name.parts:
        raise DatasetError(f"{path}: member {member.name!r} has a path outside; {_REMEDY}")
    # A sparse file can promise any size at no cost; the other kinds have no content of their own.
    if member.issparse() or not (member.isfile() or member.isdir()):
        raise DatasetError(
            f"{path}: member {member.name!r} is a link, a device or a sparse file; {_REMEDY}"
        )
