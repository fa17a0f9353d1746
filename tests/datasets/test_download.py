"""Downloads arrive whole, checked and under their name, or not at all."""

import errno
import functools
import http.server
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from normlib.datasets import INFO, DatasetError, download, load
from normlib.datasets.download import Archive
from tests.datasets import archives
from tests.datasets.archives import Fake
from tests.datasets.conftest import Machine


@pytest.fixture
def offered(tmp_path: Path, machine: Machine, know: Callable[[str], Fake]) -> Fake:
    """Offer a fake MNIST at two mirrors, of which the first does not answer."""
    data = know("mnist")
    shelf = archives.write_idx(tmp_path / "shelf", data)
    machine.patch.setattr(
        download,
        "archives",
        lambda info: [
            Archive(path.name, archives.md5s({"": path.read_bytes()})[""], ("bad:", f"file:{path}"))
            for path in sorted(shelf.iterdir())
        ],
    )

    def copy(url: str, folder: Path, archive: Archive) -> None:
        if url == "bad:":
            (folder / archive.name).write_bytes(b"half")
            raise ConnectionResetError(errno.ECONNRESET, "Connection reset by peer")
        (folder / archive.name).write_bytes(Path(url.removeprefix("file:")).read_bytes())

    machine.patch.setattr(download, "retrieve", copy)
    return data


def test_whole(machine: Machine, offered: Fake) -> None:
    found = load("mnist", "train", download=True)
    np.testing.assert_array_equal(found.images, offered["train"][0])
    names = {path.relative_to(machine.local).as_posix() for path in machine.files()}
    assert {name for name in names if not name.startswith("cache/")} == {
        f"mnist/{stem}-{what}-ubyte.gz"
        for stem in ("train", "t10k")
        for what in ("images-idx3", "labels-idx1")
    }
    assert not [path for path in machine.local.iterdir() if path.name.startswith(".")]


def test_nothing_is_fetched_unasked_or_twice(machine: Machine, offered: Fake) -> None:
    with pytest.raises(DatasetError, match="normlib data get mnist"):
        load("mnist", "train")
    load("mnist", "train", download=True)
    machine.patch.setattr(download, "retrieve", lambda *_: pytest.fail("fetched again"))
    for split in ("train", "test"):
        load("mnist", split, download=True)


def test_sets_that_are_not_published_are_not_fetched(machine: Machine) -> None:
    machine.patch.setattr(download, "retrieve", lambda *_: pytest.fail("fetched"))
    assert len(load("synthetic-gray", "test", download=True).labels) == 256
    with pytest.raises(DatasetError, match="git checkout"):
        load("fashion-mnist-sample", "test", download=True)
    with pytest.raises(DatasetError, match="is not downloaded"):
        download.fetch(INFO["fashion-mnist-sample"])


FAILURES: dict[str, BaseException] = {
    "disk full": OSError(errno.ENOSPC, "No space left on device"),
    "connection lost": ConnectionResetError(errno.ECONNRESET, "Connection reset by peer"),
    "wrong MD5": RuntimeError("File not found or corrupted."),
    "interrupted": KeyboardInterrupt(),
}
SAYS = {
    "disk full": "disk of .* is full; free some space",
    "connection lost": "Connection reset by peer.*check the network",
    "wrong MD5": "corrupted.*check the network",
}


@pytest.mark.parametrize("why", FAILURES)
def test_a_failure_in_the_middle_leaves_nothing(why: str, machine: Machine, offered: Fake) -> None:
    mine = machine.local / "mnist" / "notes.txt"
    mine.parent.mkdir(parents=True)
    mine.write_text("mine")
    fetched = []

    def fail(url: str, folder: Path, archive: Archive) -> None:
        (folder / archive.name).write_bytes(b"half")
        fetched.append(archive.name)
        if len(set(fetched)) > 2:
            raise FAILURES[why]

    machine.patch.setattr(download, "retrieve", fail)
    expected = KeyboardInterrupt if why == "interrupted" else DatasetError
    with pytest.raises(expected, match=SAYS.get(why)) as caught:
        load("mnist", "train", download=True)
    assert "\n" not in str(caught.value)
    assert machine.files() == [mine]
    assert mine.read_text() == "mine"


def test_files_with_the_right_md5_and_the_wrong_content_leave_nothing(
    machine: Machine, offered: Fake
) -> None:
    machine.know(archives.fake("mnist", seed=1))
    with pytest.raises(DatasetError, match="content hash"):
        load("mnist", "train", download=True)
    assert machine.files() == []


def test_a_folder_that_cannot_be_made(machine: Machine, offered: Fake) -> None:
    (machine.root / "data").write_text("a file where the folder should be")
    with pytest.raises(DatasetError, match="can be written to"):
        download.fetch(offered.info)


def test_what_a_killed_download_left_is_removed_and_a_running_one_is_not(
    machine: Machine, offered: Fake
) -> None:
    old, new = machine.local / ".download-old", machine.local / ".download-new"
    for folder in (old, new):
        folder.mkdir(parents=True)
        (folder / "half").write_bytes(b"half")
    long_ago = time.time() - 2 * 3600
    for path in (old / "half", old):
        os.utime(path, (long_ago, long_ago))
    load("mnist", "train", download=True)
    assert not old.exists()
    assert (new / "half").exists()


@pytest.mark.parametrize("name", ["mnist", "fashion-mnist", "cifar10"])
def test_torchvision_knows_every_published_set(name: str) -> None:
    known = download.archives(INFO[name])
    assert known
    for archive in known:
        assert len(archive.md5) == 32
        assert archive.urls
        assert all(url.startswith("http") and url.endswith(archive.name) for url in archive.urls)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    (tmp_path / "shelf").mkdir(exist_ok=True)
    handler = functools.partial(Quiet, directory=str(tmp_path / "shelf"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as served:
        thread = threading.Thread(target=served.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{served.server_address[1]}/"
        served.shutdown()
        thread.join()


def test_over_http_with_torchvision(
    tmp_path: Path,
    machine: Machine,
    know: Callable[[str], Fake],
    server: str,
    capfd: pytest.CaptureFixture[str],
) -> None:
    from torchvision import datasets

    for name in ("http_proxy", "HTTP_PROXY"):
        machine.patch.delenv(name, raising=False)
    data = know("mnist")
    shelf = archives.write_idx(tmp_path / "shelf", data)
    md5s = archives.md5s({path.name: path.read_bytes() for path in shelf.iterdir()})
    machine.patch.setattr(datasets.MNIST, "mirrors", [f"{server}absent/", server])
    machine.patch.setattr(datasets.MNIST, "resources", sorted(md5s.items()))
    found = load("mnist", "test", download=True)
    np.testing.assert_array_equal(found.images, data["test"][0])
    out, err = capfd.readouterr()
    assert out == ""
    assert "100%" in err
