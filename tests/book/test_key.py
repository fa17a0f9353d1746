"""An executed chapter is reused only if nothing changed that its outputs depend on."""

import platform
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from normlib.book import key
from normlib.book.layout import Book, BookError
from normlib.errors import NormlibError
from normlib.records import Store
from tests.analysis import learnt
from tests.book import small

Change = Callable[[Book, Path, dict[str, list[str]]], None]


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A stand-in for normlib's source."""
    folder = tmp_path / "package"
    (folder / "deep").mkdir(parents=True)
    (folder / "layer.py").write_text("eps = 1e-5\n")
    (folder / "deep" / "style.txt").write_text("white\n")
    return folder


def first_key(book: Book, package: Path, records: dict[str, list[str]]) -> str:
    def read(plan: str) -> Iterable[str]:
        return records[plan]

    chapter = book.root / "chapters" / "01_small.ipynb"
    return key.keys(book, [chapter], package=package, records=read)[chapter]


def edited(change: Callable[[dict[str, Any]], object]) -> Change:
    def apply(book: Book, _: Path, __: dict[str, list[str]]) -> None:
        content = small.first()
        content["metadata"]["normlib"]["plans"] = ["plan"]
        change(content)
        small.save(book.root, "01_small", content)

    return apply


def set_source(cell: int, text: str) -> Change:
    return edited(lambda content: content["cells"][cell].update(source=text))


CHANGES: dict[str, Change] = {
    "a code cell": set_source(3, "print(1)"),
    "a parameter": set_source(1, small.PARAMETERS.replace("count = 5", "count = 6")),
    "a tag": edited(lambda c: c["cells"][3]["metadata"].update(tags=["hide-input"])),
    "the order of cells": edited(lambda c: c["cells"].insert(1, c["cells"].pop(3))),
    "a cell less": edited(lambda c: c["cells"].pop(6)),
    "the plans": edited(lambda c: c["metadata"]["normlib"].update(plans=["plan", "other"])),
    "normlib's source": lambda b, p, r: void((p / "layer.py").write_text("eps = 1e-3\n")),
    "a file of normlib that is no source": lambda b, p, r: void(
        (p / "deep" / "style.txt").write_text("grey\n")
    ),
    "a new module": lambda b, p, r: void((p / "new.py").write_text("")),
    "a renamed module": lambda b, p, r: void((p / "layer.py").rename(p / "layers.py")),
    "a record": lambda b, p, r: r.update(plan=["accuracy 0.91"]),
    "a record more": lambda b, p, r: r["plan"].append("accuracy 0.92"),
    "no record": lambda b, p, r: r["plan"].clear(),
    "a data file": lambda b, p, r: void((b.root / "notes.txt").write_text("other\n")),
    "the lock file": lambda b, p, r: void((b.root / "uv.lock").write_text("torch 3\n")),
}
SAME: dict[str, Change] = {
    "prose": set_source(0, "# Another title"),
    "a caption": edited(lambda c: c["cells"][6]["metadata"].update(mystnb={})),
    "a stored output": edited(lambda c: c["cells"][3].update(outputs=[{"text": "old"}])),
    "compiled files": lambda b, p, r: compiled(p),
    "the order of records": lambda b, p, r: r["plan"].reverse(),
}


def void(_: object) -> None:
    return None


def compiled(package: Path) -> None:
    (package / "__pycache__").mkdir()
    (package / "__pycache__" / "layer.cpython-311.pyc").write_bytes(b"\0")


@pytest.fixture
def records() -> dict[str, list[str]]:
    return {"plan": ["accuracy 0.9", "accuracy 0.89"], "other": []}


@pytest.fixture
def planned(book: Book) -> Book:
    edited(lambda _: None)(book, Path(), {})
    (book.root / "uv.lock").write_text("torch 2\n")
    return book


@pytest.mark.parametrize("what", CHANGES)
def test_a_change_of(
    what: str, planned: Book, package: Path, records: dict[str, list[str]]
) -> None:
    before = first_key(planned, package, records)
    CHANGES[what](planned, package, records)
    assert first_key(planned, package, records) != before


@pytest.mark.parametrize("what", SAME)
def test_no_change_by(
    what: str, planned: Book, package: Path, records: dict[str, list[str]]
) -> None:
    before = first_key(planned, package, records)
    SAME[what](planned, package, records)
    assert first_key(planned, package, records) == before


def test_another_python_is_another_key(
    planned: Book, package: Path, records: dict[str, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = first_key(planned, package, records)
    monkeypatch.setattr(platform, "python_version", lambda: "3.99.0")
    assert first_key(planned, package, records) != before


def test_the_folder_is_not_in_the_key(
    planned: Book, package: Path, records: dict[str, list[str]], tmp_path: Path
) -> None:
    elsewhere = planned.root.rename(tmp_path / "elsewhere")
    moved = Book(root=elsewhere, build=elsewhere / "_build")
    # a key made before the move, of the same files
    again = small.write(tmp_path / "book")
    edited(lambda _: None)(again, Path(), {})
    (again.root / "uv.lock").write_text("torch 2\n")
    assert first_key(moved, package, records) == first_key(again, package, records)


def test_missing_data_is_named(planned: Book, package: Path) -> None:
    (planned.root / "notes.txt").unlink()
    with pytest.raises(BookError, match=r"01_small\.ipynb names data 'notes\.txt'"):
        first_key(planned, package, {"plan": []})


def test_an_unknown_plan_is_named(planned: Book) -> None:
    with pytest.raises(NormlibError, match="'plan'"):
        key.keys(planned, [planned.root / "chapters" / "01_small.ipynb"])


def test_the_store_is_read_for_a_real_plan() -> None:
    assert all('"experiment"' in text for text in key.recorded("smoke"))


def test_a_record_without_the_plans_arrays_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store([], tmp_path)
    monkeypatch.setattr(Store, "default", lambda: store)
    run = learnt.PLAN.experiments[0]
    store.save(learnt.fake_run(run))
    assert list(key.recorded(learnt.PLAN.name)) == []
    store.save(learnt.fake_learnt(run))
    (read,) = key.recorded(learnt.PLAN.name)
    assert '"first-layer' in read
