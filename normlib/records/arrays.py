"""The small arrays that probes leave beside a record: one ``.npz``, no pickles."""

import hashlib
import io
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from normlib.records.experiment import Experiment
from normlib.records.schema import RecordError

MOST_BYTES = 64 * 1024 * 1024
"""No honest probe leaves so much; unpacking stops before memory does."""
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the same arrays make the same file, whenever they are packed

Arrays = dict[str, NDArray[Any]]


def pack(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """Return the content of an ``.npz`` file, compressed, the same for the same arrays.

    Raises ValueError if an array holds Python objects.
    """
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name in sorted(arrays):
            member = zipfile.ZipInfo(f"{name}.npy", _EPOCH)
            one = io.BytesIO()
            np.lib.format.write_array(one, np.asarray(arrays[name]), allow_pickle=False)
            archive.writestr(member, one.getvalue(), zipfile.ZIP_DEFLATED, 9)
    return content.getvalue()


def unpack(content: bytes) -> Arrays:
    """Return the arrays in the content of an ``.npz`` file.

    Raises RecordError, with a reason, if it is damaged, too large or holds Python objects.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            size = sum(member.file_size for member in archive.infolist())
        if size > MOST_BYTES:
            raise RecordError(f"its arrays are larger than {MOST_BYTES // 2**20} MiB when unpacked")
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except RecordError:
        raise
    except Exception as error:  # a damaged archive can raise nearly anything
        raise RecordError(f"its arrays are no archive ({error})") from None


def described(experiment: Experiment, content: bytes, probes: Sequence[str]) -> dict[str, Any]:
    """Return a record's field ``arrays``: the file, named by its content, and whose arrays it has.

    So another run's, or another version of these, never takes their place.
    """
    sha256 = hashlib.sha256(content).hexdigest()
    file = f"{experiment.name}-{experiment.key}-{sha256[:8]}.npz"
    return {"file": file, "sha256": sha256, "probes": list(probes)}


def content(packed: bytes | None, path: Path, arrays: Mapping[str, Any]) -> bytes:
    """Return the content that ``arrays`` describes: ``packed``, else of the file as `read` does."""
    return read(path, arrays) if packed is None else checked(arrays["file"], packed, arrays)


def read(path: Path, arrays: Mapping[str, Any]) -> bytes:
    """Return the content of the file that ``arrays`` describes, beside the record in ``path``.

    Raises RecordError if it is not there, or another one.
    """
    file = path.with_name(arrays["file"])
    try:
        content = file.read_bytes()
    except OSError as error:
        words = f"its arrays {file.name} cannot be read: {error.strerror}"
        raise RecordError(words) from None
    return checked(file.name, content, arrays)


def checked(name: str, content: bytes, arrays: Mapping[str, Any]) -> bytes:
    """Return ``content`` if it is what ``arrays`` describes; RecordError with the reason if not."""
    if hashlib.sha256(content).hexdigest() != arrays["sha256"]:
        raise RecordError(f"its arrays {name} are damaged: other sha256")
    return content
