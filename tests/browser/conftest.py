"""The built book, served from files and over HTTP, and a real browser to read it with."""

import os
import shutil
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, sync_playwright

from normlib.book import pipeline
from normlib.book.layout import Book

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)


@pytest.fixture(scope="session")
def html() -> Path:
    """The folder of the finished book; built first where it is missing or stale."""
    return pipeline.build(Book(), progress=lambda _: None).parent


def chromium() -> str:
    """Return the browser's path; where there is none, fail in CI and skip elsewhere."""
    program = os.environ.get("CHROMIUM") or shutil.which("chromium") or "/usr/bin/chromium"
    if not Path(program).is_file():
        reason = f"no browser at {program}: install Debian's chromium, or set CHROMIUM to one"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return program


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """The system's chromium; its absence fails in CI and skips elsewhere."""
    program = chromium()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=[*FLAGS])
        yield browser
        browser.close()


class Quiet(SimpleHTTPRequestHandler):
    """Serves files and writes no line about it."""

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture(scope="session")
def addresses(html: Path) -> Iterator[dict[str, str]]:
    """Where the book is: as files, and over HTTP from a thread of this process."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(html))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield {"file": html.as_uri(), "http": f"http://127.0.0.1:{server.server_port}"}
        server.shutdown()
        thread.join()
