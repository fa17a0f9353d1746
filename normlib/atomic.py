"""Files that are whole or absent, whatever happens while they are written."""

import contextlib
import errno
import os
import re
import socket
import time
from collections.abc import Iterator
from pathlib import Path

from normlib.errors import NormlibError

_TEMPORARY = re.compile(r"^\..+\.(?P<host>[A-Za-z0-9_-]+)\.(?P<pid>\d+)\.tmp$")
_DAY = 86400.0


class WriteError(NormlibError, OSError):
    """A file that could not be written; nothing of it is left behind."""


def _host() -> str:
    return re.sub(r"[^A-Za-z0-9_-]", "-", socket.gethostname()) or "host"


def temporary_name(path: Path) -> Path:
    """Return the hidden neighbour of ``path`` that this process writes to first."""
    return path.with_name(f".{path.name}.{_host()}.{os.getpid()}.tmp")


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path; on success flush it to disk and rename it to ``path``.

    On failure the temporary file is removed. Raises WriteError for a full disk, a folder that
    cannot be written, and the like.
    """
    temporary = temporary_name(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        _flush(temporary)
        temporary.replace(path)
        _flush(path.parent)
    except OSError as error:
        _remove(temporary)
        raise WriteError(f"cannot write {path}: {_reason(error)}") from error
    except BaseException:
        _remove(temporary)
        raise


def write(path: Path, content: bytes) -> None:
    """Write ``content`` to ``path`` so that a reader sees the old file, the new one or none."""
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def remove_orphans(folder: Path) -> list[Path]:
    """Remove the temporary files that dead processes left anywhere under ``folder``.

    A file of a living process of this machine, or of another machine, stays until it is a day
    old: a sweep running beside this one still needs it.
    """
    removed = []
    for path in folder.rglob(".*.tmp") if folder.is_dir() else ():
        found = _TEMPORARY.match(path.name)
        if found and not _in_use(path, found["host"], int(found["pid"])):
            _remove(path)
            removed.append(path)
    return removed


def _in_use(path: Path, host: str, pid: int) -> bool:
    try:
        young = time.time() - path.stat().st_mtime < _DAY
    except OSError:
        return False
    return young and (host != _host() or _alive(pid))


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True


def _flush(path: Path) -> None:
    # A rename can reach the disk before the data it names; fsync orders them.
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)


def _reason(error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "the disk is full; free some space and run the same command again"
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return "the folder does not allow it; change its permissions or choose another folder"
    return f"{error.strerror or error}; check the path and run the same command again"
