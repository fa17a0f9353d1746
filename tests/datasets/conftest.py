"""A machine of its own for every test: no data sets but those that the test puts there."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from normlib.datasets import cache, loading, pickled, search
from tests.datasets import archives


@dataclass(frozen=True)
class Machine:
    named: Path  # $NORMLIB_DATA
    root: Path  # the checkout
    system: Path
    patch: pytest.MonkeyPatch

    @property
    def local(self) -> Path:
        return self.root / "data" / "local"

    def know(self, data: archives.Fake) -> archives.Fake:
        """Make ``data`` what normlib holds the official data set to be."""
        name = data.info.name
        self.patch.setattr(loading, "INFO", {**loading.INFO, name: data.info})
        if name == "cifar10":
            self.patch.setattr(pickled, "MD5", archives.md5s(archives.pickled(data)))
        return data

    def cached(self, data: archives.Fake, split: str = "train") -> Path:
        return cache.path(data.info, split)

    def files(self) -> list[Path]:
        """Return every file of the machine."""
        folders = (self.named, self.root, self.system)
        return sorted(path for folder in folders for path in folder.rglob("*") if path.is_file())


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    made = Machine(tmp_path / "named", tmp_path / "root", tmp_path / "system", monkeypatch)
    for folder in (made.named, made.root, made.system):
        folder.mkdir()
    monkeypatch.setenv("NORMLIB_DATA", str(made.named))
    monkeypatch.setenv("NORMLIB_ROOT", str(made.root))
    monkeypatch.setattr(search, "SYSTEM", made.system)
    return made


@pytest.fixture
def know(machine: Machine) -> Callable[[str], archives.Fake]:
    return lambda name: machine.know(archives.fake(name))
