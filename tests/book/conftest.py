"""Books to test with."""

from pathlib import Path

import pytest

from normlib.book import pipeline
from normlib.book.layout import Book
from tests.book import small


@pytest.fixture
def book(tmp_path: Path) -> Book:
    """A small book that nothing has been built of."""
    return small.write(tmp_path / "book")


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Book:
    """A small book, built once; tests only read it."""
    book = small.write(tmp_path_factory.mktemp("built") / "book")
    pipeline.build(book, progress=lambda _: None)
    return book
