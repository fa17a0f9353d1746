"""From committed chapters to a book in place."""

import filecmp
import json
import os
import shutil
from pathlib import Path

import pytest

from normlib.book import execute, key, pipeline
from normlib.book.layout import Book, BookError
from tests.book import small


def files(folder: Path) -> list[str]:
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


def copied(built: Book, to: Path) -> Book:
    shutil.copytree(built.root, to, symlinks=True)
    return Book(root=to, build=to / "_build")


def told_by_build(book: Book) -> list[str]:
    """What ``build`` tells of two chapters and the pages, the chapters in the order of the book.

    Chapters are looked at side by side, so either may be the first to tell.
    """
    told: list[str] = []
    pipeline.build(book, progress=told.append)
    *lines, _ = told  # the last line says where the book is and how long it took
    return [*sorted(lines[:2]), *lines[2:]]


def test_the_book_shows_what_the_chapters_computed(built: Book) -> None:
    index = (built.html / "index.html").read_text()
    assert "The largest value is" in index
    assert "4.00" in index
    chapter = (built.html / "chapters" / "01_small.html").read_text()
    assert "values: [0.0, 1.0, 2.0, 3.0, 4.0]" in chapter
    assert "A line that rises from zero to four" in chapter
    assert (built.html / "_static" / "mathjax.js").stat().st_size > 1_000_000


def test_committed_chapters_are_not_touched(built: Book) -> None:
    committed = json.loads((built.root / "chapters" / "01_small.ipynb").read_text())
    assert committed == small.first()


def test_nothing_is_done_twice(built: Book, tmp_path: Path) -> None:
    book = copied(built, tmp_path / "again")
    assert told_by_build(book) == [
        "01_small: unchanged",
        "02_second: unchanged",
        "pages: unchanged",
    ]


def test_a_page_that_was_damaged_is_built_again(built: Book, tmp_path: Path) -> None:
    book = copied(built, tmp_path / "damaged")
    (book.html / "index.html").write_text("")
    assert "pages: building" in told_by_build(book)
    assert "A small book" in (book.html / "index.html").read_text()


def test_two_folders_give_the_same_bytes(built: Book, tmp_path: Path) -> None:
    other = small.write(tmp_path / "a folder with another name {x}" / "deep")
    pipeline.build(other, progress=lambda _: None)
    assert files(built.html) == files(other.html)
    _, different, errors = filecmp.cmpfiles(
        built.html, other.html, files(built.html), shallow=False
    )
    assert (different, errors) == ([], [])


def test_new_prose_reaches_the_page_without_a_new_execution(built: Book, tmp_path: Path) -> None:
    book = copied(built, tmp_path / "prose")
    changed = small.first()
    changed["cells"][0]["source"] = "# Another title"
    small.save(book.root, "01_small", changed)
    assert told_by_build(book) == [
        "01_small: unchanged",
        "02_second: unchanged",
        "pages: building",
    ]
    assert "Another title" in (book.html / "chapters" / "01_small.html").read_text()


def test_a_failed_cell_names_the_chapter_and_keeps_the_old_book(
    built: Book, tmp_path: Path
) -> None:
    book = copied(built, tmp_path / "failing")
    before = key.tree(book.html)
    bad = small.second()
    bad["cells"][3]["source"] = "1 / 0"
    small.save(book.root, "02_second", bad)
    with pytest.raises(BookError, match=r"02_second\.ipynb failed: cell 4: ZeroDivisionError"):
        pipeline.build(book, progress=lambda _: None)
    assert key.tree(book.html) == before
    assert [p.name for p in book.executed.iterdir() if p.name.startswith(".")] == []


def test_slips_in_prose_are_all_named_and_keep_the_old_book(built: Book, tmp_path: Path) -> None:
    book = copied(built, tmp_path / "slips")
    before = key.tree(book.html)
    slips = ["{numref}`fig-nowhere`", "{cite:t}`nobody1900`", "{glue:text}`never-glued`"]
    with (book.root / "index.md").open("a") as page:
        page.write("\n\n" + "\n\n".join([*slips, "[dead](nowhere.md)"]) + "\n")
    with pytest.raises(BookError) as error:
        pipeline.build(book, progress=lambda _: None)
    for culprit in ("fig-nowhere", "nobody1900", "never-glued", "nowhere.md"):
        assert culprit in str(error.value)
    assert key.tree(book.html) == before


def test_a_chapter_that_never_ends_is_stopped_with_its_kernel(book: Book, tmp_path: Path) -> None:
    mark = tmp_path / "kernel"
    wait = f"import os, time\nopen({str(mark)!r}, 'w').write(str(os.getpid()))\ntime.sleep(600)"
    chapter = small.save(book.root, "02_second", small.notebook([small.code("wait", wait)]))
    with pytest.raises(BookError, match=r"02_second\.ipynb failed: not finished after 8 s"):
        execute.run(book, chapter, tmp_path / "out.ipynb", seconds=8)
    assert not (tmp_path / "out.ipynb").exists()
    if mark.exists():  # else the kernel had not come up on a busy machine
        with pytest.raises(ProcessLookupError):
            os.kill(int(mark.read_text()), 0)


def test_a_dead_kernel_is_not_tried_again(book: Book, tmp_path: Path) -> None:
    mark = tmp_path / "starts"
    die = f"import os\nopen({str(mark)!r}, 'a').write('x')\nos._exit(1)"
    chapter = small.save(book.root, "02_second", small.notebook([small.code("die", die)]))
    with pytest.raises(BookError, match=r"02_second\.ipynb failed"):
        execute.run(book, chapter, tmp_path / "out.ipynb")
    assert mark.read_text() == "x"


def test_a_kernel_that_does_not_start_is_tried_once_more(
    book: Book, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempts: list[int] = []

    def attempt(*_: object) -> tuple[int, str]:
        attempts.append(1)
        return execute.kernel.NO_KERNEL, "Kernel died before replying to kernel_info"

    monkeypatch.setattr(execute, "_attempt", attempt)
    with pytest.raises(BookError, match="Kernel died before replying"):
        execute.run(book, book.chapters()[1], tmp_path / "out.ipynb")
    assert len(attempts) == 2


def test_a_run_with_parameters_leaves_chapter_and_book_alone(book: Book, tmp_path: Path) -> None:
    chapter = book.chapter("01_small")
    before = chapter.read_bytes()
    execute.run(book, chapter, tmp_path / "out.ipynb", {"count": 3, "scale": 2.0})
    assert "values: [0.0, 2.0, 4.0]" in (tmp_path / "out.ipynb").read_text()
    assert chapter.read_bytes() == before
    assert not book.html.exists()


def test_an_unknown_chapter_names_those_there_are(book: Book) -> None:
    with pytest.raises(BookError, match="'03_none': choose one of 01_small, 02_second"):
        book.chapter("03_none")
