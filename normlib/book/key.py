"""The key of an executed chapter: a hash of everything that its outputs depend on."""

import hashlib
import json
import platform
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from normlib.book import notebook
from normlib.book.layout import Book, BookError

if TYPE_CHECKING:
    from normlib.records import Record

PACKAGE = Path(__file__).resolve().parent.parent

Records = Callable[[str], Iterable[str]]


def keys(
    book: Book, chapters: Sequence[Path], *, package: Path = PACKAGE, records: Records | None = None
) -> dict[Path, str]:
    """Return each chapter's key, 64 hexadecimal characters.

    A key changes with: code cells, their order and tags; the chapter's metadata (``normlib``);
    any file of the ``normlib`` package; the records of the plans it names; the files it names;
    ``uv.lock``; the Python version. It does not change with prose or captions.

    Args:
        book: where ``uv.lock`` and the named files are.
        chapters: notebooks.
        package: the library's folder.
        records: a plan's name to the texts of its records; by default, the store's.

    Raises:
        BookError: a chapter names a plan or a file that does not exist.
    """
    records = records or recorded
    common = library(book, package)
    plans: dict[str, str] = {}
    result = {}
    for chapter in chapters:
        read = notebook.read(chapter)
        named, files = notebook.declared(read, "plans"), notebook.declared(read, "data")
        for plan in named:
            if plan not in plans:
                plans[plan] = _digest(sorted(records(plan)))
        cells = [[notebook.source(c), *notebook.tags(c)] for _, c in notebook.code_cells(read)]
        parts = [
            ("library", common),
            ("cells", cells),
            ("declared", read.get("metadata", {}).get("normlib", {})),
            ("plans", [plans[plan] for plan in named]),
            ("data", [_named(book.root, chapter, name) for name in files]),
        ]
        result[chapter] = _digest(parts)
    return result


def library(book: Book, package: Path = PACKAGE) -> str:
    """Return a hash of the Python version, the lock file and every file of the package."""
    return _digest([platform.python_version(), _file(book.root / "uv.lock"), tree(package)])


def recorded(plan: str) -> Iterator[str]:
    """Yield the JSON of every record that ``plan`` would read."""
    return (record.to_json() for record in records_of(plan))


def records_of(plan: str) -> Iterator["Record"]:
    """Yield every record that ``plan`` would read, with its probes' arrays, in its order."""
    from normlib.records import Store
    from normlib.sweep.plans import named

    store, wanted = Store.default(), named(plan)
    found = (store.find(experiment, wanted.probes) for experiment in wanted.experiments)
    return (record for record in found if record is not None)


def tree(folder: Path) -> str:
    """Return a hash of every file below ``folder``, names included, compiled files not."""
    files = sorted(
        path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts
    )
    return _digest([(path.relative_to(folder).as_posix(), _file(path)) for path in files])


def _named(root: Path, chapter: Path, name: str) -> str:
    path = root / name
    if path.is_dir():
        return tree(path)
    if not path.is_file():
        raise BookError(f"{chapter.name} names data {name!r}, which is not in {root}: correct it")
    return _file(path)


def _file(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "none"


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
