"""The data set of a run, found or fetched on the machine that computes it."""

import subprocess
import sys
import time
from collections.abc import Callable

from normlib import locks, paths
from normlib.datasets import cache, search
from normlib.datasets.errors import DatasetError
from normlib.datasets.info import SPLITS, Info, Split
from normlib.datasets.loading import missing, named
from normlib.sweep.process import surroundings

_LONGEST = 3600.0  # seconds of a download


def ensure(name: str, announce: Callable[[], None]) -> None:
    """Have the data set ``name`` here; of the processes that miss it one downloads it.

    ``announce`` is called before a download. Raises DatasetError where it can be neither found nor
    fetched.
    """
    info = named(name)
    if not (lacking := _lacking(info)):
        return
    if info.kind != "published":
        raise missing(info, lacking[0])
    announce()
    while True:
        with locks.holding(paths.local() / f"{name}.fetching") as held:
            if held:
                if _lacking(info):
                    _fetch(name)
                return
        time.sleep(1.0)


def _lacking(info: Info) -> list[Split]:
    if info.kind == "synthetic":
        return []
    return [split for split in SPLITS if not _cached(info, split) and not search.find(info, split)]


def _cached(info: Info, split: Split) -> bool:
    return info.kind == "published" and cache.path(info, split).is_file()


def _fetch(name: str) -> None:
    # In a process of its own: decoding takes memory, which the Dask worker would keep.
    command = [sys.executable, "-m", "normlib.cli", "data", "get", name]
    try:
        done = subprocess.run(
            command,
            env=surroundings(1),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_LONGEST,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise DatasetError(f"{name} could not be fetched: {error}; {_REMEDY}") from error
    if done.returncode:
        words = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        why = words.removeprefix("error: ")
        raise DatasetError(f"{name} is missing and could not be fetched ({why}); {_REMEDY}")


_REMEDY = "copy it there and set $NORMLIB_DATA to its folder before the worker is started"
