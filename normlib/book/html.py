"""Turn the stage into HTML with Jupyter Book, and put finished HTML in place."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from normlib.book.layout import Book, BookError

EPOCH = "1735689600"  # outside a git checkout: 1 January 2025
# jupyter-book as a module of this interpreter, whatever is first in PATH
JUPYTER_BOOK = "from jupyter_book.cli.main import main; main()"


COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def build(book: Book) -> Path:
    """Build the stage into ``_build/next`` and return the folder of the HTML.

    Raises:
        BookError: Jupyter Book failed or warned; its words are in ``_build/jupyter-book.log``.
    """
    folder = book.build / "next"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    log = book.build / "jupyter-book.log"
    # the stage is named by a relative path, so that no page can show where it was built
    command = [
        *(sys.executable, "-c", JUPYTER_BOOK, "build", book.stage.name),
        *("--path-output", folder.name, "--all", "-W", "--keep-going", "-n", "-q"),
    ]
    done = subprocess.run(
        command,
        cwd=book.build,
        env={
            **os.environ,
            "SOURCE_DATE_EPOCH": _epoch(book.root),
            "PYTHONHASHSEED": "0",
            "TZ": "UTC",
            "NO_COLOR": "1",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    log.write_text(done.stdout + done.stderr, encoding="utf8")
    html = folder / "_build" / "html"
    if done.returncode != 0 or not (html / "index.html").is_file():
        lines = COLOUR.sub("", done.stdout + done.stderr).splitlines()
        told = [line for line in lines if "WARNING" in line or "ERROR" in line] or lines[-3:]
        raise BookError(f"jupyter-book: {'; '.join(told[:8])} (all of it in {log})")
    # a hash of the configuration, for incremental builds only
    (html / ".buildinfo").unlink(missing_ok=True)
    for page in html.rglob("*.html"):
        page.write_text(accessible(page.read_text(encoding="utf8")), encoding="utf8")
    return html


def accessible(page: str) -> str:
    """Return ``page`` as it also serves readers who hear it or have no mouse.

    A list's children must be list items, or a screen reader announces an empty bibliography. A
    wide table, which scrolls on a phone, must be reachable by the keyboard.
    """
    page = page.replace('role="doc-biblioentry"', 'role="listitem"')
    return page.replace(
        '<div class="output text_html">', '<div class="output text_html" tabindex="0">'
    )


def publish(book: Book, html: Path) -> Path:
    """Move checked ``html`` into place; until then the previous book stays as it was."""
    previous = book.build / "previous"
    shutil.rmtree(previous, ignore_errors=True)
    if book.html.exists():
        book.html.rename(previous)
    html.rename(book.html)
    shutil.rmtree(previous, ignore_errors=True)
    shutil.rmtree(book.build / "next", ignore_errors=True)
    return book.html


def _epoch(root: Path) -> str:
    """Return the time of the last commit, so that two builds of it carry the same dates."""
    if not shutil.which("git"):
        return EPOCH
    done = subprocess.run(
        ["git", "log", "-1", "--format=%ct"], cwd=root, capture_output=True, text=True, check=False
    )
    return done.stdout.strip() or EPOCH
