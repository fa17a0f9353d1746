"""Committed chapters: clean, and refreshed so that nbval has something to compare."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from normlib.book import hygiene, notebook, refresh
from normlib.book.layout import Book, BookError
from tests.book import small

SHOWN = {"output_type": "stream", "name": "stdout", "text": "values: [0.0]\n"}


def clean() -> dict[str, Any]:
    content = small.first()
    content["cells"][3].update(outputs=[dict(SHOWN)], execution_count=4)
    return content


def slips(tmp_path: Path, change: Callable[[dict[str, Any]], object]) -> list[str]:
    content = clean()
    change(content)
    return hygiene.found(small.save(tmp_path, "01_small", content))


def test_a_clean_chapter_has_no_slips(tmp_path: Path) -> None:
    assert slips(tmp_path, lambda _: None) == []


IMPORTS = "import math\nfrom os import (\n    path,\n    sep,\n)\n"
PICTURE = {"output_type": "display_data", "data": {"image/png": "iVBO"}, "metadata": {}}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda c: c["cells"][3].update(outputs=[]), "is tagged nbval-check-output and has no"),
        (lambda c: c["cells"][2].update(outputs=[SHOWN]), "has outputs and is not tagged"),
        (lambda c: c["cells"][3]["outputs"].append(PICTURE), "an output of type image/png"),
        (lambda c: c["cells"][3].update(execution_count=17), "a count that is not its place"),
        (lambda c: c["cells"][2].update(execution_count=3), "a count that is not its place"),
        (lambda c: c["cells"][2].update(source="x = 1\n" * 25), "26 lines, more than 20"),
        (lambda c: c["cells"][2].update(source=IMPORTS + "x = 1\n" * 20), "21 lines, more than"),
        (lambda c: c["cells"][2]["metadata"].update(papermill={}), "has metadata 'papermill'"),
        (lambda c: c["cells"][2]["metadata"].update(collapsed=True), "has metadata 'collapsed'"),
        (lambda c: c["metadata"].update(papermill={}), "notebook metadata 'papermill'"),
        (lambda c: c["metadata"].update(widgets={}), "notebook metadata 'widgets'"),
        (lambda c: c["metadata"].pop("normlib"), "no metadata `normlib`"),
        (lambda c: c["cells"][3]["metadata"].pop("tags"), "nbval would compare nothing"),
        (lambda c: c["cells"][3]["outputs"][0].update(name="stderr"), "an error or a warning"),
        (lambda c: c["metadata"]["normlib"].update(smoke={"cout": 1}), "'cout' is unknown"),
        (lambda c: c["metadata"]["normlib"].update(smoke={"count": "x"}), "'count' is 'x'"),
    ],
)
def test_a_slip(change: Callable[[dict[str, Any]], object], told: str, tmp_path: Path) -> None:
    found = slips(tmp_path, change)
    assert any(told in slip for slip in found), found


def test_imports_do_not_make_a_cell_long(tmp_path: Path) -> None:
    many = IMPORTS * 5 + "x = 1\n" * 19
    assert slips(tmp_path, lambda c: c["cells"][2].update(source=many)) == []


def test_check_lists_all_slips_of_all_chapters(book: Book) -> None:
    with pytest.raises(BookError, match=r"01_small(.|\n)*02_second"):
        hygiene.check(book)


def test_refresh_stores_what_nbval_compares_and_nothing_else(book: Book) -> None:
    content = small.first()
    content["metadata"]["papermill"] = {"duration": 1.5}
    content["cells"][6]["outputs"] = [PICTURE]
    small.save(book.root, "01_small", content)
    assert refresh.refresh(book, progress=lambda _: None) == ["01_small", "02_second"]
    hygiene.check(book)
    stored = notebook.read(book.chapter("01_small"))
    kept = [cell["id"] for _, cell in notebook.code_cells(stored) if cell["outputs"]]
    assert kept == ["values"]
    text = book.chapter("01_small").read_text()
    assert "values: [0.0, 1.0, 2.0, 3.0, 4.0]" in text
    assert re.search("papermill|svg|image/|duration|1\\.5", text) is None
    assert refresh.refresh(book, progress=lambda _: None) == []

    # and nbval agrees with the refreshed chapters, and sees a number that changed
    assert compared(book) == 0
    small.save(book.root, "01_small", json.loads(text.replace("3.0, 4.0]", "3.0, 4.5]")))
    assert compared(book) == 1


def test_refresh_joins_what_was_printed_in_one_go() -> None:
    """In how many pieces the prints of a cell arrive depends on how fast it runs."""

    def printed(*pieces: list[str]) -> notebook.Cell:
        outputs = [{"output_type": "stream", "name": "stdout", "text": piece} for piece in pieces]
        return small.code("one", "print()", ["nbval-check-output"]) | {"outputs": outputs}

    whole = small.notebook([printed(["first\n", "second\n"])])
    pieces = small.notebook([printed(["fir"], ["st\n"], ["second\n"])])
    assert refresh.refreshed("a", whole, pieces) == refresh.refreshed("a", whole, whole)


@pytest.mark.parametrize("source", ["glue('x', 1)", "import pandas as pd; pd.DataFrame()"])
def test_a_checked_cell_that_shows_more_than_text_is_refused(source: str, book: Book) -> None:
    imports = small.code("imports", small.IMPORTS)
    bad = small.notebook([imports, small.code("one", source, ["nbval-check-output"])])
    small.save(book.root, "02_second", bad)
    before = book.chapter("01_small").read_bytes()
    with pytest.raises(BookError, match=r"02_second\.ipynb, cell 2 is tagged .*: print"):
        refresh.refresh(book, progress=lambda _: None)
    assert book.chapter("01_small").read_bytes() == before


def compared(book: Book) -> int:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--nbval-lax"]
    done = subprocess.run(
        [*command, "--nbval-current-env", "--rootdir", str(book.root), str(book.root / "chapters")],
        cwd=book.root,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in (0, 1), done.stdout + done.stderr
    return done.returncode


def test_the_committed_chapters_are_clean() -> None:
    hygiene.check(Book())
