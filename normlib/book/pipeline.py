"""The whole way from committed chapters to a checked book in place."""

import time
from pathlib import Path

from normlib.book import api, environment, gate, html, stage
from normlib.book.execute import Progress, execute
from normlib.book.layout import Book


def build(book: Book, *, progress: Progress = print) -> Path:
    """Execute what changed, build everything, check it, and return the finished ``index.html``.

    A book that fails the gate stays in ``_build/next`` to be looked at; the previous one stays
    where it was.

    Raises:
        BookError: a chapter failed, Jupyter Book warned, or the gate found something.
    """
    start = time.monotonic()
    executions = execute(book, progress=progress)
    generated = {"environment": environment.page, "api": api.page}
    named = [name for name in generated if name in book.documents()]
    stage.stage(book, executions, {f"{name}.md": generated[name](book) for name in named})
    gate.check_stage(book)
    progress("jupyter-book: building")
    built = html.build(book)
    gate.check_html(book, built)
    index = html.publish(book, built) / "index.html"
    progress(f"{index} in {time.monotonic() - start:.0f} s")
    return index
