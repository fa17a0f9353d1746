"""The page of versions and environment."""

from normlib.book.layout import Book


def page(book: Book) -> str:
    """Return the page."""
    return "# Environment\n"
