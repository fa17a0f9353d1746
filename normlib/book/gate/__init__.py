"""What ``jupyter-book -W`` lets through and readers must not see: checked before publishing."""

from pathlib import Path

from normlib.book.layout import Book


def check_stage(book: Book) -> None:
    """Check the staged notebooks."""


def check_html(book: Book, html: Path) -> None:
    """Check the built pages."""
