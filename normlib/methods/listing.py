"""The catalogue as a table of text, and as rows for the book."""

from collections.abc import Iterable
from dataclasses import fields
from typing import Any

from normlib.columns import aligned
from normlib.methods.method import Method

SHOWN = ("name", "title", "family", "kind", "axes", "learnable", "batch", "paper")


def table(methods: Iterable[Method]) -> str:
    """Return a line per method, with the names of the columns above."""
    rows = [
        (
            m.name,
            m.title,
            m.family,
            m.kind,
            m.axes,
            m.learnable,
            "yes" if m.batch_statistics else "no",
            m.paper.partition(", http")[0],
        )
        for m in methods
    ]
    return aligned(SHOWN, rows, ruled=True)


def details(method: Method) -> str:
    """Return all that the catalogue says of one method, a line each."""
    rows: list[tuple[str, str]] = []
    for field in fields(method):
        value: Any = getattr(method, field.name)
        if callable(value) or value in ("", None):
            continue
        if isinstance(value, bool):
            value = "yes" if value else "no"
        elif isinstance(value, frozenset):
            value = ", ".join(sorted(value)) or "nothing"
        elif isinstance(value, dict):
            rows += [(f"in {name}", text) for name, text in value.items()]
            continue
        rows.append((field.name.replace("_", " "), str(value)))
    width = max(len(name) for name, _ in rows)
    return "\n".join(f"{name.ljust(width)}  {text}" for name, text in rows)
