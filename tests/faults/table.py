"""Machinery of the bad-input tables: a case, a command's outcome, and what every error owes.

A test module lists `Case`s and calls `refused` on each; `run_command` is the command line in this
process, with its exit code and what it printed.
"""

import contextlib
import hashlib
import io
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from normlib import cli
from normlib.errors import NormlibError


@dataclass(frozen=True)
class Case:
    """A bad input: ``act`` gets a folder of its own and must be refused.

    ``culprit`` and ``remedy`` are parts of the message; both are found, ignoring case.
    """

    name: str
    act: Callable[[Path], Any]
    culprit: str
    remedy: str


@dataclass(frozen=True)
class Outcome:
    """What a command did."""

    code: int
    out: str
    err: str

    @property
    def errors(self) -> list[str]:
        """The lines that begin with ``error:``."""
        return [line for line in self.err.splitlines() if line.startswith("error:")]


def named(cases):
    """Parametrize a test over ``cases``, under their names."""
    assert len({case.name for case in cases}) == len(cases), "two cases have one name"
    return pytest.mark.parametrize("case", cases, ids=[case.name for case in cases])


def refused(case: Case, folder: Path) -> NormlibError:
    """Assert that ``case`` is refused in one line with culprit and remedy, and costs no file."""
    before = snapshot(folder)
    with pytest.raises(NormlibError) as caught:
        case.act(folder)
    owed(str(caught.value), case.culprit, case.remedy)
    assert snapshot(folder).items() >= before.items(), "a file was lost or changed"
    return caught.value


def owed(message: str, culprit: str, remedy: str) -> None:
    """Assert that a message is one readable line with culprit and remedy."""
    assert "\n" not in message.strip(), message
    assert len(message) < 1000, f"too long to read: {message}"
    assert "Traceback" not in message
    assert culprit.lower() in message.lower(), f"{culprit!r} is not named in: {message}"
    assert remedy.lower() in message.lower(), f"{remedy!r} is not advised in: {message}"


def run_command(*arguments: str) -> Outcome:
    """Run ``normlib`` with ``arguments`` in this process."""
    out, err = io.StringIO(), io.StringIO()
    before = sys.argv
    sys.argv = ["normlib", *arguments]
    code = 0
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            cli.app()
    except SystemExit as left:
        code = left.code if isinstance(left.code, int) else int(left.code is not None)
    finally:
        sys.argv = before
    return Outcome(code, out.getvalue(), err.getvalue())


def snapshot(folder: Path) -> dict[str, str]:
    """Return the content hash of every file under ``folder``."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
