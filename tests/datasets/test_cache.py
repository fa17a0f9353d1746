"""The cache saves time and never changes a result."""

import hashlib
import logging
import os
import subprocess
import sys
from collections.abc import Callable

import numpy as np
import pytest

from normlib import atomic
from normlib.datasets import cache, load, search
from tests.datasets import archives
from tests.datasets.archives import Fake
from tests.datasets.conftest import Machine


@pytest.fixture
def data(machine: Machine, know: Callable[[str], Fake]) -> Fake:
    made = know("mnist")
    archives.write_idx(machine.named / "mnist", made)
    load("mnist", "train")
    return made


def test_the_file_is_what_its_name_says(machine: Machine, data: Fake) -> None:
    file = machine.cached(data)
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    assert digest == data.info.sha256["train"]
    assert digest[:16] in file.name


def test_it_spares_the_source(machine: Machine, data: Fake) -> None:
    machine.patch.setattr(search, "find", lambda *_: pytest.fail("looked for a source"))
    np.testing.assert_array_equal(load("mnist", "train").images, data["train"][0])


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "one bit": lambda b: b[:100] + bytes([b[100] ^ 1]) + b[101:],
    "a label": lambda b: b[:-1] + bytes([b[-1] ^ 1]),
    "a label out of range": lambda b: b[:-1] + b"\xff",
    "truncated": lambda b: b[:-1],
    "longer": lambda b: b + b"\0",
    "empty": lambda b: b"",
}


@pytest.mark.parametrize("how", DAMAGE)
def test_damaged_is_noticed_and_rebuilt(
    how: str, machine: Machine, data: Fake, caplog: pytest.LogCaptureFixture
) -> None:
    file = machine.cached(data)
    whole = file.read_bytes()
    file.write_bytes(DAMAGE[how](whole))
    with caplog.at_level(logging.WARNING):
        np.testing.assert_array_equal(load("mnist", "train").images, data["train"][0])
    assert [str(file) in record.getMessage() for record in caplog.records] == [True]
    assert file.read_bytes() == whole


def test_unreadable_is_rebuilt(machine: Machine, data: Fake) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    machine.patch.setattr(np, "memmap", refuse)
    np.testing.assert_array_equal(load("mnist", "train").images, data["train"][0])


def test_what_a_killed_process_left_is_removed(machine: Machine, data: Fake) -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    file = machine.cached(data, "test")
    name = atomic.temporary_name(file).name
    left = file.with_name(name.replace(f".{os.getpid()}.", f".{dead.pid}."))
    left.write_bytes(b"half")
    load("mnist", "test")
    assert not left.exists()
    assert file.exists()


def test_two_processes_share_the_pages(data: Fake) -> None:
    # A mapped file, not a copy: its base is a map of the cache.
    images = load("mnist", "train").images
    base = images
    while isinstance(base, np.ndarray) and base.base is not None:
        base = base.base
    assert type(base).__name__ == "mmap"


def test_another_content_hash_has_another_file(machine: Machine, data: Fake) -> None:
    other = machine.know(archives.fake("mnist", seed=1))
    assert machine.cached(other) != machine.cached(data)
    assert cache.recall(other.info, "train") is None
