"""Are the committed chapters clean? A stripped notebook would pass nbval without a comparison."""

import ast
from collections.abc import Iterator
from pathlib import Path

from normlib.book import notebook, parameters
from normlib.book.layout import Book, BookError
from normlib.book.notebook import Notebook

CHECKED = "nbval-check-output"
LONGEST = 20  # lines of a cell beside imports; a longer one belongs in normlib, with a test
NOTEBOOK_METADATA = {"kernelspec", "language_info", "normlib"}
CELL_METADATA = {"tags", "mystnb"}


def check(book: Book) -> None:
    """Check every committed chapter.

    Raises:
        BookError: names every slip, one per line.
    """
    slips = [slip for chapter in book.chapters() for slip in found(chapter)]
    if slips:
        raise BookError("chapters need tidying (normlib book refresh):\n  " + "\n  ".join(slips))


def found(chapter: Path) -> list[str]:
    """Return what is not clean in ``chapter``, each as one line."""
    read = notebook.read(chapter)
    return [f"{chapter.name}: {slip}" for slip in (*_whole(read), *_cells(read), *_own(chapter))]


def _whole(read: Notebook) -> Iterator[str]:
    for name in sorted(set(read.get("metadata", {})) - NOTEBOOK_METADATA):
        yield f"notebook metadata {name!r}"
    if "normlib" not in read.get("metadata", {}):
        yield "no metadata `normlib` to name its plans and data"
    if not any(CHECKED in notebook.tags(cell) for _, cell in notebook.code_cells(read)):
        yield f"no cell tagged {CHECKED}: nbval would compare nothing"


def _own(chapter: Path) -> Iterator[str]:
    try:
        parameters.validated(chapter, notebook.declared(notebook.read(chapter), "smoke") or {})
    except parameters.ParameterError as error:
        yield f"smoke settings: {error}"


def _cells(read: Notebook) -> Iterator[str]:
    for number, cell in enumerate(read["cells"], start=1):
        for name in sorted(set(cell.get("metadata", {})) - CELL_METADATA):
            yield f"cell {number} has metadata {name!r}"
    for number, cell in notebook.code_cells(read):
        lines = _lines(notebook.source(cell))
        if lines > LONGEST:
            yield f"cell {number} has {lines} lines, more than {LONGEST}: move them to normlib"
        outputs = cell.get("outputs", [])
        if cell.get("execution_count") != (number if outputs else None):
            yield f"cell {number} has a count that is not its place, or no output to count"
        marked = CHECKED in notebook.tags(cell)
        if marked and not outputs:
            yield f"cell {number} is tagged {CHECKED} and has no output"
        if outputs and not marked:
            yield f"cell {number} has outputs and is not tagged {CHECKED}"
        for output in outputs:
            for mime in output.get("data", {}):
                if not mime.startswith("text/plain"):
                    yield f"cell {number} keeps an output of type {mime}"
            if output["output_type"] == "error" or output.get("name") == "stderr":
                yield f"cell {number} keeps an error or a warning"


def _lines(code: str) -> int:
    """Return how many lines a cell has beside its imports."""
    imports = [
        node for node in ast.parse(code).body if isinstance(node, ast.Import | ast.ImportFrom)
    ]
    taken = sum((node.end_lineno or node.lineno) - node.lineno + 1 for node in imports)
    return code.count("\n") + 1 - taken
