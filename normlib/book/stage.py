"""Lay out what Jupyter Book reads: pages as committed, chapters with their executed outputs."""

import re
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

from normlib.book import notebook
from normlib.book.execute import Execution
from normlib.book.layout import Book
from normlib.book.notebook import Cell, Notebook

# Cell metadata that readers' pages need; everything else differs between builds or machines.
KEPT = ("tags", "mystnb")
ADDRESS = re.compile(r" at 0x[0-9a-f]+")


def stage(book: Book, executions: Iterable[Execution], pages: Mapping[str, str]) -> Path:
    """Fill the stage anew and return it.

    Args:
        book: the sources.
        executions: the executed chapters.
        pages: generated pages, name with suffix to text.
    """
    shutil.rmtree(book.stage, ignore_errors=True)
    book.stage.mkdir(parents=True)
    for name in ("_config.yml", "_toc.yml", "references.bib"):
        shutil.copyfile(book.root / name, book.stage / name)
    shutil.copytree(book.root / "assets", book.stage / "assets")
    shutil.copyfile(mathjax(), book.stage / "assets" / "mathjax.js")
    for document in book.documents():
        page = book.root / f"{document}.md"
        if page.is_file():
            (book.stage / document).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(page, book.stage / f"{document}.md")
    for name, text in pages.items():
        (book.stage / name).write_text(text, encoding="utf8")
    for execution in executions:
        committed, executed = notebook.read(execution.chapter), notebook.read(execution.output)
        target = book.stage / execution.chapter.relative_to(book.root)
        notebook.write(merge(committed, executed), target)
    return book.stage


def merge(committed: Notebook, executed: Notebook) -> Notebook:
    """Return ``committed``'s text with ``executed``'s outputs, and nothing that varies by build.

    Prose and captions may be newer than the execution: only code decides the cached outputs.
    """
    outputs = iter([cell.get("outputs", []) for _, cell in notebook.code_cells(executed)])
    cells = [_cell(cell, outputs) for cell in committed["cells"]]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    language = {"name": "python", "file_extension": ".py", "pygments_lexer": "ipython3"}
    metadata = {"kernelspec": kernel, "language_info": language}
    return {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}


def _cell(cell: Cell, outputs: Iterable[list[Cell]]) -> Cell:
    metadata = {name: value for name, value in cell.get("metadata", {}).items() if name in KEPT}
    plain: Cell = {"cell_type": cell["cell_type"], "metadata": metadata, "id": cell.get("id", "")}
    plain["source"] = notebook.source(cell)
    if cell["cell_type"] == "code":
        plain["execution_count"] = None
        plain["outputs"] = [_output(output) for output in next(iter(outputs))]
    return plain


def _output(output: Cell) -> Cell:
    kept = {name: value for name, value in output.items() if name != "execution_count"}
    if kept["output_type"] == "execute_result":
        kept["execution_count"] = None
    data = kept.get("data", {})
    if any(name.startswith("image/") for name in data):
        # beside its picture a figure's text is only its repr
        kept["data"] = {name: value for name, value in data.items() if name != "text/plain"}
    return kept


def mathjax() -> Path:
    """Return MathJax as one file, so that formulas need no network."""
    from importlib.metadata import files

    for path in files("sphinx-mathjax-offline") or ():
        if path.name == "tex-svg-full.js":
            return Path(str(path.locate()))
    raise FileNotFoundError("tex-svg-full.js of sphinx-mathjax-offline: run make book again")
