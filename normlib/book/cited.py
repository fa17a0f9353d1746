"""A table of the book in which papers are citations: Markdown, since HTML cannot cite."""

import re
from pathlib import Path

import pandas as pd

from normlib import paths
from normlib.book.showing import text

ENTRY = re.compile(r"^@\w+\{(?P<key>[^,\s]+),\n(?P<fields>.*?)^\}", re.M | re.S)
FIELD = re.compile(r"^ *(\w+) = \{(.*)\},?$", re.M)


class Cited:
    """A data frame that a notebook shows as a Markdown table, roles and links in its cells alive.

    The cell that shows it needs ``{"mystnb": {"markdown_format": "myst"}}`` in its metadata.
    """

    def __init__(self, frame: pd.DataFrame, caption: str) -> None:
        self.caption = caption
        self.header = [str(column) for column in frame.columns]
        self.rows = [[text(cell) for cell in row] for row in frame.itertuples(index=False)]

    def _repr_markdown_(self) -> str:
        lines = [self.header, ["---"] * len(self.header), *self.rows]
        table = "\n".join("| " + " | ".join(map(_kept, line)) + " |" for line in lines)
        return f"*{self.caption}*\n\n```{{table}}\n:class: dataframe\n\n{table}\n```\n"

    def __repr__(self) -> str:
        return "\n".join([self.caption, *(" | ".join(line) for line in [self.header, *self.rows])])


def papers(table: pd.DataFrame, bibliography: Path | None = None) -> list[str]:
    """Return each row's paper as a citation, or as a link or words where there is no entry for it.

    Args:
        table: ``analysis.catalogued.methods``: paper, authors, year and url.
        bibliography: The entries; by default the book's.
    """
    file = bibliography or paths.root() / "references.bib"
    found = entries(file.read_text(encoding="utf8"))
    return [_paper(row, found) for _, row in table.iterrows()]


def entries(bibliography: str) -> dict[str, dict[str, str]]:
    """Return the fields of every entry, by its key."""
    return {
        entry["key"]: dict(FIELD.findall(entry["fields"])) for entry in ENTRY.finditer(bibliography)
    }


def _paper(row: pd.Series, found: dict[str, dict[str, str]]) -> str:
    if not row["paper"]:
        return ""
    for key, fields in found.items():
        if _same(row, fields):
            return f"{{cite:t}}`{key}`"
    words = f"{row['authors']} {row['year']}"
    return f"[{words}]({row['url']})" if row["url"] else words


def _same(row: pd.Series, fields: dict[str, str]) -> bool:
    """Whether entry and paper have one address, or, for want of one, first author and year."""
    if row["url"]:
        return bool(row["url"] == fields.get("url"))
    first = re.split(r",| and | et al", row["authors"])[0]
    authored = fields.get("author", "").startswith(f"{first},")
    return authored and fields.get("year") == str(row["year"])


def _kept(cell: str) -> str:
    return cell.replace("|", "\\|").replace("\n", " ")
