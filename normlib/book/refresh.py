"""Store in the committed chapters the outputs that nbval compares, and nothing else."""

from normlib.book import notebook
from normlib.book.execute import Progress, execute
from normlib.book.hygiene import CELL_METADATA, CHECKED, NOTEBOOK_METADATA
from normlib.book.layout import Book
from normlib.book.notebook import Cell, Notebook


def refresh(book: Book, *, progress: Progress = print) -> list[str]:
    """Execute what changed and rewrite the committed chapters; return the names of changed ones.

    Raises:
        BookError: a chapter failed; then no chapter is rewritten.
    """
    changed = []
    for execution in execute(book, progress=progress):
        committed = notebook.read(execution.chapter)
        clean = refreshed(committed, notebook.read(execution.output))
        if clean != committed:
            notebook.write(clean, execution.chapter)
            changed.append(execution.chapter.stem)
            progress(f"{execution.chapter.stem}: refreshed")
    return changed


def refreshed(committed: Notebook, executed: Notebook) -> Notebook:
    """Return ``committed`` with the marked cells' new text outputs and all else stripped."""
    outputs = iter([cell.get("outputs", []) for _, cell in notebook.code_cells(executed)])
    cells: list[Cell] = []
    for cell in committed["cells"]:
        kept = {name: cell[name] for name in ("cell_type", "id", "source") if name in cell}
        kept["metadata"] = _only(cell.get("metadata", {}), CELL_METADATA)
        if cell["cell_type"] == "code":
            new = next(outputs)
            kept["outputs"] = [_plain(o) for o in new if CHECKED in notebook.tags(cell)]
            kept["outputs"] = [output for output in kept["outputs"] if output]
            # nbval refuses outputs of a cell that was never counted; its place never changes
            kept["execution_count"] = len(cells) + 1 if kept["outputs"] else None
        cells.append(kept)
    metadata = _only(committed.get("metadata", {}), NOTEBOOK_METADATA)
    # IPython's version is in there: it would change with the machine
    metadata["language_info"] = {"name": "python"}
    return {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}


def _plain(output: Cell) -> Cell:
    if output["output_type"] == "stream":
        return {name: output[name] for name in ("name", "output_type", "text")}
    text = {k: v for k, v in output.get("data", {}).items() if k == "text/plain"}
    if not text or any(name.startswith("image/") for name in output.get("data", {})):
        return {}
    kept: Cell = {"output_type": output["output_type"], "data": text, "metadata": {}}
    if output["output_type"] == "execute_result":
        kept["execution_count"] = None
    return kept


def _only(metadata: Cell, names: set[str]) -> Cell:
    return {name: value for name, value in metadata.items() if name in names}
