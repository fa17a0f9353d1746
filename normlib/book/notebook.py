"""A chapter as data: reading, writing, and what its metadata declares."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from normlib.book.layout import BookError

Notebook = dict[str, Any]
Cell = dict[str, Any]


def read(path: Path) -> Notebook:
    """Return the notebook at ``path``.

    Raises:
        BookError: the file is missing or no notebook.
    """
    try:
        notebook = json.loads(path.read_text(encoding="utf8"))
        if not isinstance(notebook["cells"], list):
            raise TypeError
    except FileNotFoundError:
        raise BookError(f"no notebook at {path}: check the name in _toc.yml") from None
    except (ValueError, KeyError, TypeError):
        raise BookError(f"{path} is not a notebook: open and save it in Jupyter") from None
    return dict(notebook)


def write(notebook: Notebook, path: Path) -> None:
    """Write ``notebook`` the way Jupyter does, so that a diff shows only what changed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(notebook, ensure_ascii=False, indent=1, sort_keys=True)
    path.write_text(text + "\n", encoding="utf8")


def source(cell: Cell) -> str:
    """Return a cell's text, which the format stores as a string or as a list of lines."""
    return text(cell.get("source", ""))


def text(value: str | list[str]) -> str:
    """Join what the format may have split into lines."""
    return value if isinstance(value, str) else "".join(value)


def tags(cell: Cell) -> tuple[str, ...]:
    """Return a cell's tags."""
    return tuple(cell.get("metadata", {}).get("tags", ()))


def code_cells(notebook: Notebook) -> Iterator[tuple[int, Cell]]:
    """Yield the code cells, each with its number among all cells, from 1."""
    for number, cell in enumerate(notebook["cells"], start=1):
        if cell.get("cell_type") == "code":
            yield number, cell


def declared(notebook: Notebook, what: str) -> Any:
    """Return what the notebook's metadata declares under ``normlib``: plans, data or smoke."""
    return notebook.get("metadata", {}).get("normlib", {}).get(what) or []
