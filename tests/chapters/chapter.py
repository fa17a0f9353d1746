"""What the tests of every chapter on experiments do with its notebook."""

import json
import re
from pathlib import Path

import pytest

from normlib import paths
from normlib.book import gluing


class Chapter:
    """A committed notebook of the book, by its name without suffix."""

    def __init__(self, name: str) -> None:
        self.path: Path = paths.root() / "chapters" / f"{name}.ipynb"
        self.notebook = json.loads(self.path.read_text(encoding="utf8"))

    def cells(self, kind: str) -> list[dict]:
        """Return its cells of one kind, "code" or "markdown"."""
        return [cell for cell in self.notebook["cells"] if cell["cell_type"] == kind]

    def execute(self, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
        """Run its code cells on the records of the default store; return what they glued."""
        glued: dict[str, str] = {}
        monkeypatch.setattr(
            gluing, "glue", lambda name, value: glued.update({name: gluing.plain(name, value)})
        )
        names: dict = {}
        for cell in self.cells("code"):
            exec(compile(lines(cell), str(self.path), "exec"), names)
        return glued

    def asked(self) -> set[str]:
        """Return the names that its prose takes from glue."""
        return set(re.findall(r"\{glue:text\}`([^`:]+)", "\n".join(map(lines, self.prose))))

    @property
    def prose(self) -> list[dict]:
        """Its cells of text."""
        return self.cells("markdown")

    def assert_whole(self, glued: dict[str, str], out: str) -> None:
        """What it glued fills every place in its prose; no number there or in ``out`` is missing.

        ``out`` is what it printed.
        """
        assert self.asked()
        assert self.asked() <= set(glued)
        assert all(isinstance(value, str) and value for value in glued.values())
        assert not re.search(r"\bnan\b|\bNone\b(?! of)", " ".join(glued.values()) + out)

    def assert_types_no(self, result: str) -> None:
        """No text outside code and roles looks like a ``result`` (a pattern)."""
        for cell in self.prose:
            text = re.sub(r"`[^`]*`|\{[^}]*\}", "", lines(cell))
            assert not re.search(result, text)

    def assert_figures(self, drawing: str, count: int, runs: str) -> None:
        """So many cells draw (begin a line with this pattern), each with words and ``runs``."""
        found = [cell for cell in self.cells("code") if re.search(drawing, lines(cell), re.M)]
        assert len(found) == count
        names = [cell["metadata"]["mystnb"]["figure"]["name"] for cell in found]
        assert len(set(names)) == len(names)
        for cell in found:
            about = cell["metadata"]["mystnb"]
            assert runs in about["figure"]["caption"]
            assert len(about["image"]["alt"]) > 60

    def assert_thin_and_checked(self, longest: int) -> None:
        """No cell is longer than that, and nbval compares at least five."""
        code = self.cells("code")
        assert max(len(lines(cell).split("\n")) for cell in code) <= longest
        tags = [(cell, cell["metadata"].get("tags", ())) for cell in code]
        checked = [cell for cell, tagged in tags if "nbval-check-output" in tagged]
        assert len(checked) >= 5
        assert all(cell["outputs"] for cell in checked)


def lines(cell: dict) -> str:
    """Return the source of a cell."""
    return "".join(cell["source"])
