"""One process at a time computes a run, and only a living one holds it back."""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from normlib.errors import NormlibError


class LockError(NormlibError, OSError):
    """A lock file that cannot be made."""


@contextlib.contextmanager
def holding(path: Path) -> Iterator[bool]:
    """Yield whether this process now holds the lock file ``path``; never waits.

    The kernel releases the lock of a process that dies. The file is removed on release. Raises
    LockError if its folder cannot be written.
    """
    handle = _take(path)
    try:
        yield handle is not None
    finally:
        if handle is not None:
            # Removed before it is released: whoever locks the removed file sees that below.
            path.unlink(missing_ok=True)
            os.close(handle)


def _take(path: Path) -> int | None:
    while True:
        handle = _opened(path)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.fstat(handle).st_ino == path.stat().st_ino:
                return handle
        except BlockingIOError:
            os.close(handle)
            return None
        except FileNotFoundError:
            pass
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)  # somebody removed the file in between: lock its successor


def _opened(path: Path) -> int:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise LockError(
            f"cannot make {path}: {error.strerror}; check the folder, or name another one by "
            "$NORMLIB_LOCAL"
        ) from error
