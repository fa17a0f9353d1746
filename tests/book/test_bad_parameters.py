"""Bad chapter parameters: one line that names the culprit and a remedy; nothing is executed."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from normlib.book import execute, parameters
from normlib.book.commands import app
from normlib.book.layout import Book
from normlib.errors import NormlibError
from tests.book import small

HOSTILE = "open('owned', 'w')"

# name, value, what the message says of it, what it says to do
BAD = {
    "unknown name": ("cout", "3", "'cout' is unknown to 01_small.ipynb", "it knows count"),
    "far from any name": ("zzz", "3", "'zzz' is unknown", "it knows count, scale, name"),
    "code as name": (f"{HOSTILE}; count", "3", "is no parameter name", "letters, digits"),
    "code after a known name": (f"count = 1; {HOSTILE} #", "3", "is no parameter", "letters"),
    "newline in name": (f"count\n{HOSTILE}", "3", "is no parameter name", "letters"),
    "keyword as name": ("class", "3", "'class' is no parameter name", "letters"),
    "empty name": ("", "3", "'' is no parameter name", "letters"),
    "dunder": ("__builtins__", "3", "'__builtins__' is unknown", "it knows"),
    "text for a number": ("count", "many", "'count' is 'many'", "a whole number"),
    "fraction for a whole number": ("count", "2.5", "'count' is '2.5'", "a whole number"),
    "truth for a number": ("count", "True", "'count' is 'True'", "a whole number"),
    "none for a number": ("count", "None", "'count' is 'None'", "a whole number"),
    "number for a truth": ("show", "1", "'show' is '1'", "True or False"),
    "text for a list": ("seeds", "all", "'seeds' is 'all'", "a list like [1, 2]"),
    "list of other things": ("seeds", "['a']", "'seeds' is", "a list like [1, 2]"),
    "not finite": ("scale", "1e999", "'scale' is '1e999'", "a finite number"),
    "not a number": ("scale", "nan", "'scale' is 'nan'", "a finite number"),
    "code for a number": ("count", HOSTILE, "'count' is", "a whole number"),
    "call in a list": ("seeds", f"[{HOSTILE}]", "'seeds' is", "a list like"),
    "code for anything": ("limit", HOSTILE, "'limit' is", "a finite number"),
    "a table": ("limit", "{'a': 1}", "'limit' is", "a list of these"),
    "newline in a text": ("name", f'x"\n{HOSTILE}', "'name' is", "a text of one line"),
    "endless text": ("name", "x" * 5000, "has 5000 characters", "at most 2000"),
    "deep nesting": ("limit", "[" * 900, "'limit' is", "a finite number"),
}


@pytest.mark.parametrize("case", BAD)
def test_refused(case: str, book: Book) -> None:
    name, value, culprit, remedy = BAD[case]
    with pytest.raises(parameters.ParameterError) as error:
        parameters.validated(book.chapter("01_small"), [(name, value)])
    told = str(error.value)
    assert culprit in told
    assert remedy in told
    assert "\n" not in told
    assert len(told) < 300


def test_given_twice(book: Book) -> None:
    with pytest.raises(parameters.ParameterError, match="'count' is given twice"):
        parameters.validated(book.chapter("01_small"), [("count", "1"), ("count", "2")])


@pytest.mark.parametrize(
    ("name", "value", "meant"),
    [
        ("count", "7", 7),
        ("count", "-7", -7),
        ("scale", "2", 2.0),
        ("scale", "1e-3", 1e-3),
        ("name", "a norm", "a norm"),
        ("name", "'quoted'", "quoted"),
        ("name", "3", "3"),
        ("name", 'say "no"; __import__', 'say "no"; __import__'),
        ("show", "False", False),
        ("seeds", "[4]", [4]),
        ("seeds", "[]", []),
        ("seeds", "(1, 2)", (1, 2)),
        ("limit", "3", 3),
        ("limit", "None", None),
        ("limit", "'all'", "all"),
    ],
)
def test_accepted(name: str, value: str, meant: object, book: Book) -> None:
    assert parameters.validated(book.chapter("01_small"), [(name, value)]) == {name: meant}


def test_accepted_text_arrives_as_a_text_and_not_as_code(book: Book, tmp_path: Path) -> None:
    text = f'\\"; {HOSTILE} #{{x}}'
    show = [
        small.code("parameters", 'name = ""', ["parameters"]),
        small.code("show", "print(repr(name))"),
    ]
    chapter = small.save(book.root, "02_second", small.notebook(show))
    values = parameters.validated(chapter, [("name", text)])
    execute.run(book, chapter, tmp_path / "out.ipynb", values)
    cells = json.loads((tmp_path / "out.ipynb").read_text())["cells"]
    printed = "".join("".join(o["text"]) for c in cells for o in c.get("outputs", []))
    assert printed == f"{text!r}\n"
    assert list(book.root.rglob("owned")) == []


@pytest.mark.parametrize(
    ("cell", "told"),
    [
        ("import os", "may hold only lines like name = 3"),
        ("count = len([1])", "may hold only lines like name = 3"),
        ("a, b = 1, 2", "may hold only lines like name = 3"),
        ("count = ", "may hold only lines like name = 3"),
    ],
)
def test_a_parameters_cell_of_more_than_literals(cell: str, told: str, book: Book) -> None:
    content = small.notebook([small.code("parameters", cell, ["parameters"])])
    chapter = small.save(book.root, "02_second", content)
    with pytest.raises(parameters.ParameterError, match=told):
        parameters.validated(chapter, [("count", "1")])


def command(book: Book, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "normlib.cli", "book", "run", *words],
        env={**os.environ, "NORMLIB_ROOT": str(book.root)},
        cwd=book.root,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("words", "culprit"),
    [
        (("01_small", "-p", "cout", "3"), "'cout' is unknown"),
        (("01_small", "-p", f"{HOSTILE}; count", "3"), "is no parameter name"),
        (("01_small", "-p", "count", HOSTILE), "'count' is"),
        (("01_small", "-p", "count"), "'-p' is not understood"),
        (("01_small", "--epochs", "3", "4"), "'--epochs' is not understood"),
        (("09_none",), "no chapter '09_none'"),
        (("01_small", "--output", "out.html"), "must end in .ipynb"),
        (("01_small", "--output", "chapters/01_small.ipynb"), "is the chapter itself"),
    ],
)
def test_the_command_says_so_in_one_line(words: tuple[str, ...], culprit: str, book: Book) -> None:
    before = {path: path.read_bytes() for path in book.root.rglob("*") if path.is_file()}
    done = command(book, *words)
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert culprit in done.stderr
    assert done.stderr.count("\n") == 1
    assert {path: path.read_bytes() for path in book.root.rglob("*") if path.is_file()} == before


def test_a_broken_notebook_is_named(book: Book) -> None:
    (book.root / "chapters" / "02_second.ipynb").write_text('{"cells": 3}')
    with pytest.raises(NormlibError, match=r"02_second\.ipynb is not a notebook"):
        parameters.defaults(book.root / "chapters" / "02_second.ipynb")


def test_commands_are_those_promised() -> None:
    assert {c.callback.__name__ for c in app.registered_commands if c.callback} == {
        *("build", "run", "refresh", "gate", "check")
    }
