"""The whole way from committed chapters to a checked book in place."""

import fcntl
import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from normlib.book import api, environment, gate, html, key, stage, verdicts
from normlib.book.execute import Execution, Progress, execute
from normlib.book.layout import Book

#: Pages that are written anew for each book, from it and its executed chapters.
GENERATED: dict[str, Callable[[Book, Sequence[Execution]], str]] = {
    "verdicts": lambda _, executions: verdicts.page(executions),
    "environment": lambda book, _: environment.page(book),
    "api": lambda book, _: api.page(book),
}


def build(book: Book, *, progress: Progress = print) -> Path:
    """Execute what changed, build everything, check it, and return the finished ``index.html``.

    Where nothing changed since the book in place was built, it stays. A book that fails the gate
    is left in ``_build/next`` to be looked at, and the previous one stays where it was.

    Raises:
        BookError: a chapter failed, Jupyter Book warned, or the gate found something.
    """
    start = time.monotonic()
    with _alone(book, progress):
        executions = execute(book, progress=progress)
        named = [name for name in GENERATED if name in book.documents()]
        pages = {f"{name}.md": GENERATED[name](book, executions) for name in named}
        stage.stage(book, executions, pages)
        gate.check_stage(book)
        made_from = {"stage": key.tree(book.stage), "library": key.library(book)}
        if _stamp(book) == made_from | {"html": key.tree(book.html)}:
            progress("pages: unchanged")
        else:
            progress("pages: building")
            built = html.build(book)
            gate.check_html(book, built)
            html.publish(book, built)
            _stamp_file(book).write_text(json.dumps(made_from | {"html": key.tree(book.html)}))
    progress(f"{book.html / 'index.html'} in {time.monotonic() - start:.0f} s")
    return book.html / "index.html"


def _stamp_file(book: Book) -> Path:
    return book.build / "html.json"


def _stamp(book: Book) -> object:
    try:
        return json.loads(_stamp_file(book).read_text())
    except (OSError, ValueError):
        return None


@contextmanager
def _alone(book: Book, progress: Progress) -> Iterator[None]:
    """Let one build at a time use the build folder; the lock goes with its process."""
    book.build.mkdir(parents=True, exist_ok=True)
    with (book.build / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            progress("waiting for another build to end")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
