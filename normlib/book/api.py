"""The page of the library's public face, made from its docstrings."""

from normlib.book.layout import Book


def page(book: Book) -> str:
    """Return the page."""
    return "# API\n"
