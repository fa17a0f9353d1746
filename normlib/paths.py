"""Where the project keeps its files."""

import os
from pathlib import Path


def root() -> Path:
    """Return the project's folder: ``$NORMLIB_ROOT``, the checkout, or the current folder."""
    if named := os.environ.get("NORMLIB_ROOT"):
        return Path(named).resolve()
    above = Path(__file__).resolve().parent.parent
    return above if (above / "pyproject.toml").is_file() else Path.cwd()


def data() -> Path:
    """Return the folder of the sample and of the recorded runs."""
    return root() / "data"


def local() -> Path:
    """Return the folder of downloads and a person's own runs: ``$NORMLIB_LOCAL``, ``data/local``.

    Git ignores it.
    """
    if named := os.environ.get("NORMLIB_LOCAL"):
        return Path(named).resolve()
    return data() / "local"


def build() -> Path:
    """Return the folder of everything that can be made again."""
    return root() / "_build"
