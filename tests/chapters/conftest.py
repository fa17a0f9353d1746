"""What the tests of a chapter on experiments start from."""

from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from normlib.records import Record, Store
from tests.chapters.chapter import Chapter


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """An empty store, the only one that a chapter sees."""
    found = Store([tmp_path], write_to=tmp_path)
    monkeypatch.setattr(Store, "default", lambda: found)
    return found


@pytest.fixture
def execute(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> Callable[[Chapter, Iterable[Record]], dict[str, str]]:
    """Run a chapter on these records alone; return what it glued."""

    def run(chapter: Chapter, records: Iterable[Record]) -> dict[str, str]:
        for record in records:
            store.save(record)
        return chapter.execute(monkeypatch)

    return run
