"""Where a book's sources lie, where its results go, and which chapters it has."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from normlib import paths
from normlib.errors import NormlibError


class BookError(NormlibError):
    """The book cannot be built; the message says what to put right."""


@dataclass(frozen=True, kw_only=True)
class Book:
    """One book: its folder of sources and its folder of results.

    Attributes:
        root: holds ``_config.yml``, ``_toc.yml``, the pages and ``chapters/``.
        build: everything made goes here; ``build / "html"`` is the finished book.
    """

    root: Path = field(default_factory=paths.root)
    build: Path = field(default_factory=paths.build)

    @property
    def executed(self) -> Path:
        """The chapters as papermill left them, one file each."""
        return self.build / "executed"

    @property
    def stage(self) -> Path:
        """What Jupyter Book reads: executed chapters beside pages and configuration."""
        return self.build / "stage"

    @property
    def html(self) -> Path:
        """The finished book."""
        return self.build / "html"

    def documents(self) -> tuple[str, ...]:
        """Return the documents named in ``_toc.yml``, without suffix, in reading order."""
        toc = self.root / "_toc.yml"
        if not toc.is_file():
            raise BookError(f"no table of contents at {toc}: start in the project's folder")
        return tuple(_named(yaml.safe_load(toc.read_text(encoding="utf8"))))

    def chapters(self) -> tuple[Path, ...]:
        """Return the notebooks of the table of contents, in reading order."""
        notebooks = (self.root / f"{name}.ipynb" for name in self.documents())
        return tuple(path for path in notebooks if path.is_file())

    def chapter(self, name: str) -> Path:
        """Return the notebook called ``name``: ``05_fashion_mnist``, with or without suffix.

        Raises:
            BookError: no chapter has that name.
        """
        wanted = Path(name).name.removesuffix(".ipynb")
        for path in self.chapters():
            if path.stem == wanted:
                return path
        known = ", ".join(path.stem for path in self.chapters())
        raise BookError(f"no chapter {name!r}: choose one of {known}")


def _named(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        for key in ("root", "file"):
            if key in node:
                yield str(node[key]).removesuffix(".md").removesuffix(".ipynb")
        for key in ("parts", "chapters", "sections"):
            yield from _named(node.get(key))
    elif isinstance(node, list):
        for item in node:
            yield from _named(item)
