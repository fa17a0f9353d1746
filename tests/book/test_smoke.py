"""Every chapter runs anew, training what it needs, tiny, on the bundled sample."""

import json
from pathlib import Path

import pytest

from normlib.book import execute, notebook, parameters
from normlib.book.gate import notebooks
from normlib.book.layout import Book

CHAPTERS = [path.stem for path in Book().chapters()]


@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", CHAPTERS)
def test_chapter(name: str, tmp_path: Path) -> None:
    book = Book()
    chapter = book.chapter(name)
    settings = notebook.declared(notebook.read(chapter), "smoke")
    assert settings, f"{name} names no smoke settings in its metadata"
    values = parameters.validated(chapter, settings)
    output = tmp_path / "stage" / f"{name}.ipynb"
    execute.run(
        Book(root=book.root, build=tmp_path),
        chapter,
        output,
        values,
        seconds=800,
        variables={"NORMLIB_LOCAL": str(tmp_path / "local"), "NORMLIB_RUNS": ""},
    )
    executed = json.loads(output.read_text())
    assert any("injected-parameters" in notebook.tags(cell) for cell in executed["cells"])
    assert [slip for slip in notebooks.found(output.parent) if "failed" in slip] == []
