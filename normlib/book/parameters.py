"""Check a chapter's parameters before papermill sees them: it would run a hostile name as code."""

import ast
import keyword
import math
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import NoReturn

from normlib.book import notebook
from normlib.book.layout import BookError

LONGEST = 2000  # characters of a value; a longer one is a mistake


class ParameterError(BookError, ValueError):
    """A parameter that its chapter does not have, or a value that it cannot take."""


def defaults(chapter: Path) -> dict[str, object]:
    """Return the names and default values in the cell of ``chapter`` tagged ``parameters``.

    Raises:
        ParameterError: there is not exactly one such cell, or it holds more than literals.
    """
    tagged = [
        cell
        for _, cell in notebook.code_cells(notebook.read(chapter))
        if "parameters" in notebook.tags(cell)
    ]
    if not tagged:
        return {}
    if len(tagged) > 1:
        raise ParameterError(f"{chapter.name} has {len(tagged)} cells tagged parameters: keep one")
    found: dict[str, object] = {}
    try:
        for statement in ast.parse(notebook.source(tagged[0])).body:
            name, value = _assignment(statement)
            found[name] = ast.literal_eval(value)
    except (ValueError, SyntaxError):
        raise ParameterError(
            f"{chapter.name}'s parameters cell may hold only lines like name = 3: move the rest"
        ) from None
    return found


def _assignment(statement: ast.stmt) -> tuple[str, ast.expr]:
    match statement:
        case ast.Assign(targets=[ast.Name(id=name)], value=value):
            return name, value
        case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
            return name, value
    raise ValueError


def validated(
    chapter: Path, given: Iterable[tuple[str, str]] | Mapping[str, object]
) -> dict[str, object]:
    """Return ``given`` as values of the types of the chapter's own defaults.

    A text is read as a Python literal (``3``, ``[1, 2]``, ``None``, ``True``), or, where the
    default is a text, taken as it is. An integer may stand for a float. A default of None accepts
    any number, text or list. Nothing is ever evaluated.

    Args:
        chapter: the notebook.
        given: pairs of texts from a command line, or a mapping to values.

    Raises:
        ParameterError: a name is unknown or given twice, or a value has another type.
    """
    known = defaults(chapter)
    pairs = given.items() if isinstance(given, Mapping) else given
    result: dict[str, object] = {}
    for name, raw in pairs:
        if not name.isidentifier() or keyword.iskeyword(name):
            _refuse(name, "is no parameter name", "names are letters, digits and underscores")
        if name not in known:
            near = get_close_matches(name, known, 1)
            choices = near or list(known) or ["nothing, it has no parameters"]
            _refuse(name, f"is unknown to {chapter.name}", f"it knows {', '.join(choices)}")
        if name in result:
            _refuse(name, "is given twice", "give it once")
        result[name] = _value(name, raw, known[name])
    return result


def pairs(words: Sequence[str]) -> list[tuple[str, str]]:
    """Return the names and values in ``-p NAME VALUE -p NAME VALUE``.

    Raises:
        ParameterError: the words are anything else.
    """
    found = []
    for start in range(0, len(words), 3):
        flag, *pair = words[start : start + 3]
        if flag not in ("-p", "--parameter") or len(pair) != 2:
            raise ParameterError(f"{flag[:60]!r} is not understood: write -p NAME VALUE")
        found.append((pair[0], pair[1]))
    return found


def _value(name: str, raw: object, default: object) -> object:
    if isinstance(raw, str) and len(raw) > LONGEST:
        _refuse(name, f"has {len(raw)} characters", f"at most {LONGEST}")
    value = _text(raw) if isinstance(default, str) else _literal(name, raw, default)
    if isinstance(default, float) and type(value) is int:
        value = float(value)
    if not _fits(value, default):
        _refuse(name, f"is {str(raw)[:60]!r}", f"it takes {_kind(default)}")
    return value


def _text(raw: object) -> object:
    # quotes around a text are the shell's habit
    if isinstance(raw, str) and len(raw) > 1 and raw[0] == raw[-1] and raw[0] in "'\"":
        return raw[1:-1]
    return raw


def _literal(name: str, raw: object, default: object) -> object:
    if not isinstance(raw, str):
        return raw
    try:
        value: object = ast.literal_eval(raw)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        _refuse(name, f"is {raw[:60]!r}", f"it takes {_kind(default)}")
    return value


def _fits(value: object, default: object) -> bool:
    if isinstance(value, float) and not math.isfinite(value):
        return False
    if isinstance(value, str) and not value.isprintable():
        return False
    if isinstance(value, list | tuple):
        like = default[0] if isinstance(default, list | tuple) and default else None
        inside = all(_fits(item, like) for item in value)
        return inside and (default is None or isinstance(default, list | tuple))
    if value is not None and not isinstance(value, bool | int | float | str):
        return False
    return default is None or type(value) is type(default)


def _kind(default: object) -> str:
    if isinstance(default, list | tuple):
        return f"a list like {list(default)!r:.60}"
    return {
        bool: "True or False",
        int: "a whole number",
        float: "a finite number",
        str: "a text of one line",
    }.get(type(default), "a finite number, a text of one line or a list of these")


def _refuse(name: str, what: str, remedy: str) -> NoReturn:
    # printed on one line, whatever the name holds
    raise ParameterError(f"parameter {name[:60]!r} {what}: {remedy}")
