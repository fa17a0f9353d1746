"""What is done to Jupyter Book's pages, and how they come into place."""

from pathlib import Path

from normlib.book import html, key
from normlib.book.layout import Book


def test_lists_hold_items_and_tables_can_be_reached() -> None:
    page = '<div role="list"><div role="doc-biblioentry">x</div></div>'
    assert html.accessible(page) == '<div role="list"><div role="listitem">x</div></div>'
    table = html.accessible('<div class="output text_html"><table></table></div>')
    assert 'tabindex="0"' in table


def test_no_trace_of_the_previous_book_stays(tmp_path: Path) -> None:
    book = Book(root=tmp_path, build=tmp_path / "_build")
    book.html.mkdir(parents=True)
    (book.html / "old.html").write_text("old")
    new = book.build / "next" / "_build" / "html"
    new.mkdir(parents=True)
    (new / "index.html").write_text("new")
    html.publish(book, new)
    assert [path.name for path in book.html.iterdir()] == ["index.html"]
    assert [path.name for path in book.build.iterdir()] == ["html"]


def test_a_folder_outside_git_has_a_date_too(tmp_path: Path) -> None:
    assert html._epoch(tmp_path) == html.EPOCH


def test_a_tree_is_its_names_and_contents(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("1")
    before = key.tree(tmp_path)
    (tmp_path / "a").rename(tmp_path / "b")
    assert key.tree(tmp_path) != before
