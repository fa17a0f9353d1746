"""What ``jupyter-book -W`` lets through and readers must not see: checked before publishing."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from normlib.book.gate import links, notebooks, pages
from normlib.book.layout import Book, BookError


def check_stage(book: Book) -> None:
    """Check the staged notebooks.

    Raises:
        BookError: lists everything found: failed cells, widgets, warnings, figures without words.
    """
    _tell("staged notebooks", notebooks.found(book.stage))


def check_html(book: Book, html: Path) -> None:
    """Check the built pages in ``html``.

    Raises:
        BookError: lists everything found: requests, leaked reprs and paths, holes, dead links.
    """
    if not (html / "index.html").is_file():
        raise BookError(f"no book at {html}: run make book")
    read = pages.read(html)
    places = pages.machine_places(book)
    _tell("pages", [*pages.found(read, places), *pages.styles(html), *links.found(read)])


def _tell(what: str, slips: Iterable[str]) -> None:
    found: Sequence[str] = list(slips)
    if found:
        raise BookError(f"the gate stops at {len(found)} in {what}:\n  " + "\n  ".join(found))
