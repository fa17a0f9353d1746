"""Tables of the generated pages, in MyST Markdown."""

from collections.abc import Sequence


def table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table that looks like those of the chapters; a cell may hold Markdown."""
    lines = [titles, ["---"] * len(titles), *rows]
    text = "\n".join("| " + " | ".join(map(_cell, line)) + " |" for line in lines)
    return f"```{{table}}\n:class: dataframe\n\n{text}\n```"


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split("\n"))
