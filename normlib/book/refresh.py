"""Store in the committed chapters the outputs that nbval compares, and nothing else."""

from normlib.book import notebook
from normlib.book.execute import Progress, execute
from normlib.book.hygiene import CELL_METADATA, CHECKED, NOTEBOOK_METADATA
from normlib.book.layout import Book, BookError
from normlib.book.notebook import Cell, Notebook


def refresh(book: Book, *, progress: Progress = print) -> list[str]:
    """Execute what changed and rewrite the committed chapters; return the names of changed ones.

    Raises:
        BookError: a chapter failed, or shows what nbval cannot compare; none is rewritten.
    """
    clean = {}
    for execution in execute(book, progress=progress):
        committed, executed = notebook.read(execution.chapter), notebook.read(execution.output)
        new = refreshed(execution.chapter.name, committed, executed)
        if new != committed:
            clean[execution.chapter] = new
    for chapter, new in clean.items():
        notebook.write(new, chapter)
        progress(f"{chapter.stem}: refreshed")
    return [chapter.stem for chapter in clean]


def refreshed(name: str, committed: Notebook, executed: Notebook) -> Notebook:
    """Return ``committed`` with the marked cells' new text outputs and all else stripped.

    Raises:
        BookError: a marked cell shows more than text, which nbval could not compare.
    """
    outputs = iter([cell.get("outputs", []) for _, cell in notebook.code_cells(executed)])
    cells: list[Cell] = []
    for cell in committed["cells"]:
        kept = {field: cell[field] for field in ("cell_type", "id", "source") if field in cell}
        kept["metadata"] = _only(cell.get("metadata", {}), CELL_METADATA)
        if cell["cell_type"] == "code":
            new = next(outputs)
            place = f"{name}, cell {len(cells) + 1}"
            checked = CHECKED in notebook.tags(cell)
            kept["outputs"] = _joined([_plain(place, o) for o in new]) if checked else []
            # nbval refuses outputs of a cell that was never counted; its place never changes
            kept["execution_count"] = len(cells) + 1 if kept["outputs"] else None
        cells.append(kept)
    metadata = _only(committed.get("metadata", {}), NOTEBOOK_METADATA)
    # IPython's version is in there: it would change with the machine
    metadata["language_info"] = {"name": "python"}
    return {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}


def _plain(place: str, output: Cell) -> Cell:
    if output["output_type"] == "stream" and output["name"] == "stdout":
        return {name: output[name] for name in ("name", "output_type", "text")}
    data = output.get("data", {})
    if set(data) != {"text/plain"}:
        shows = ", ".join(data) or output.get("name", output["output_type"])
        raise BookError(
            f"{place} is tagged {CHECKED} and shows {shows}: print what is to be compared, and "
            f"move glue, tables and figures to another cell"
        )
    kept: Cell = {"output_type": output["output_type"], "data": dict(data), "metadata": {}}
    if output["output_type"] == "execute_result":
        kept["execution_count"] = None
    return kept


def _joined(outputs: list[Cell]) -> list[Cell]:
    """Join what was printed in one go: in how many pieces it arrives differs between runs."""
    joined: list[Cell] = []
    for output in outputs:
        if joined and output["output_type"] == joined[-1]["output_type"] == "stream":
            text = notebook.text(joined[-1]["text"]) + notebook.text(output["text"])
            joined[-1]["text"] = text.splitlines(keepends=True)
        else:
            joined.append(output)
    return joined


def _only(metadata: Cell, names: set[str]) -> Cell:
    return {name: value for name, value in metadata.items() if name in names}
