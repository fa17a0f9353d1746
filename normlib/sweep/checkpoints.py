"""Where unfinished runs wait, and what dead sweeps left there."""

import re
from collections.abc import Collection
from pathlib import Path

from normlib import locks, paths

_OWNED = re.compile(r"\.?([0-9a-f]{16})\.")


def folder() -> Path:
    """Return the folder of checkpoints, partial results and locks."""
    return paths.local() / "checkpoints"


def path_of(key: str, within: Path) -> Path:
    """Return the checkpoint file of the run with this ``key``."""
    return within / f"{key}.npz"


def lock_of(key: str, within: Path) -> Path:
    """Return the lock file of the run with this ``key``."""
    return within / f"{key}.lock"


def remove(key: str, within: Path) -> None:
    """Remove everything of the run with this ``key`` but its lock; call it with the lock held."""
    for path in [*within.glob(f"{key}.*"), *within.glob(f".{key}.*")]:
        if path != lock_of(key, within):
            path.unlink(missing_ok=True)


def sweep_out(within: Path, recorded: Collection[str] = ()) -> None:
    """Remove what dead processes left: half-written files, locks, checkpoints of recorded runs.

    A run that is being computed has its lock held, and nothing of it is touched.
    """
    keys = {
        found[1]
        for path in (within.iterdir() if within.is_dir() else ())
        if (found := _OWNED.match(path.name))
    }
    for key in sorted(keys):
        with locks.holding(lock_of(key, within)) as held:
            if not held:
                continue
            if key in recorded:
                remove(key, within)
            for path in [*within.glob(f"{key}.*.tmp"), *within.glob(f".{key}.*.tmp")]:
                path.unlink(missing_ok=True)
