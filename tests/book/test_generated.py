"""The generated pages: the library's reference, versions and environment."""

import importlib
import inspect
import re
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from normlib.book import api, environment
from normlib.book.gluing import GlueError, plain
from normlib.book.layout import Book
from tests.book import small

LOCK = """
[[package]]
name = "torch"
version = "2.13.0"

[[package]]
name = "something-else"
version = "1.0"
"""


def record(key: str, **place: Any) -> Any:
    return SimpleNamespace(
        key=key,
        environment={
            **{"torch": "2.13.0", "python": "3.11.7", "platform": "Linux", "cpu": "A | B"},
            **{"instruction_set": "AVX512", "device": "cpu", "threads": 1, "mode": "eager"},
            **place,
        },
        code={"version": "0.1.0", "commit": "abc123" * 7, "dirty": False, "sha256": "f" * 64},
        dataset={"name": "fashion-mnist", "train_sha256": "1" * 64, "test_sha256": "2" * 64},
    )


@pytest.fixture
def planned(book: Book) -> Book:
    content = small.first()
    content["metadata"]["normlib"]["plans"] = ["fashion-mnist"]
    small.save(book.root, "01_small", content)
    (book.root / "uv.lock").write_text(LOCK)
    return book


def test_environments_are_counted(planned: Book) -> None:
    runs = [record("a"), record("b"), record("c", torch="2.14.0")]
    page = environment.page(planned, lambda _: runs)
    place = r"Linux | A \| B | AVX512 | cpu | 1 | eager | 3.11.7 |"
    assert f"| 2 | torch 2.13.0 | {place}" in page
    assert f"| 1 | torch 2.14.0 | {place}" in page
    assert "| 3 | 0.1.0 | `abc123abc123` | no | `ffffffffffff` |" in page
    assert f"| fashion-mnist | test | `{'2' * 64}` |" in page
    assert "| torch | 2.13.0 |" in page
    assert "something-else" not in page


def test_the_order_of_records_does_not_show(planned: Book) -> None:
    runs = [record("a"), record("b", threads=2)]
    one = environment.page(planned, lambda _: runs)
    assert one == environment.page(planned, lambda _: runs[::-1])


def test_nothing_of_this_machine_shows(planned: Book) -> None:
    page = environment.page(replace(planned), lambda _: [])
    assert "No chapter of this book rests on recorded runs." in page
    assert str(planned.root) not in page


@pytest.mark.parametrize("name", api.PUBLIC.values())
def test_every_public_name_has_words(name: str) -> None:
    module = importlib.import_module(name)
    assert module.__doc__
    listed = api.names(module)
    assert listed, f"{name} has nothing to call, so that its section is empty"
    for public in getattr(module, "__all__", []):
        value = getattr(module, public)
        if inspect.isclass(value) or inspect.isroutine(value):
            assert public in listed, f"{name}.{public} has no docstring"


def test_the_reference_names_the_public_face() -> None:
    page = api.text()
    for name in ("BatchNorm2d", "LayerNorm", "GroupNorm", "RMSNorm", "AffineLayer", "Experiment"):
        assert f"### {name}\n" in page
    assert re.search(r" at 0x[0-9a-f]+", page) is None
    assert page == api.text()


class Documented:
    """A class.

    Args:
        size: how many.
    """

    def __init__(self, size: int, *, eps: float = 1e-5) -> None: ...


def test_signatures() -> None:
    assert api.signature(Documented, bound=True) == "(size: int, *, eps: float = 1e-05) -> None"
    lines = "(\n    size: int,\n    *,\n    eps: float = 1e-05,\n) -> None"
    assert api.signature(Documented, longest=20) == lines


@pytest.mark.parametrize("value", [None, "", "  ", float("nan"), float("inf")])
def test_an_empty_number_is_not_glued(value: object) -> None:
    with pytest.raises(GlueError, match="glue 'x'"):
        plain("x", value)


def test_numpys_numbers_are_glued_as_pythons() -> None:
    import numpy as np

    assert repr(plain("x", np.float64(0.5))) == "0.5"
    assert repr(plain("x", np.float32(0.5))) == "0.5"
    assert repr(plain("x", np.int64(5))) == "5"
    assert plain("x", "text") == "text"
