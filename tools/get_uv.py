"""Put uv into ``.uv`` of this checkout, whatever this Python allows.

    python3 tools/get_uv.py

uv comes from the package index with pip. ``pip install --target`` touches no environment, so it
works where the system's Python forbids other installs (PEP 668). pip itself is this Python's
own, else that of a throw-away venv, else a wheel fetched and checked here, since a minimal
system's Python has neither pip nor ensurepip. Needs nothing but the standard library.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from pathlib import Path

UV = "uv==0.13.8"  # the version that wrote uv.lock
PIP = "pip-25.3-py3-none-any.whl"
PIP_SHA256 = "9655943313a94722b7774661c21049070f6bbb0a1516bf02f7c8d5d9201514cd"
DESTINATION = Path(__file__).resolve().parent.parent / ".uv"


def own_pip(_: Path) -> list[str] | None:
    """Return the command of this Python's pip, or None."""
    pip = [sys.executable, "-m", "pip"]
    return pip if subprocess.run([*pip, "--version"], capture_output=True).returncode == 0 else None


def venv_pip(scratch: Path) -> list[str] | None:
    """Return the command of the pip of a new venv, or None where venv or ensurepip is missing."""
    made = subprocess.run([sys.executable, "-m", "venv", scratch / "venv"], capture_output=True)
    return [str(scratch / "venv" / "bin" / "python"), "-m", "pip"] if not made.returncode else None


def wheel_pip(scratch: Path) -> list[str] | None:
    """Return the command of a pip run from its own wheel, checked against its known hash."""
    index = os.environ.get("PIP_INDEX_URL", "https://pypi.org/simple").rstrip("/") + "/pip/"
    with urllib.request.urlopen(index, timeout=60) as page:
        found = re.search(rf'href="([^"#]*{re.escape(PIP)})', page.read().decode())
    if not found:
        return None
    with urllib.request.urlopen(urllib.parse.urljoin(index, found[1]), timeout=60) as answer:
        content = answer.read()
    if hashlib.sha256(content).hexdigest() != PIP_SHA256:
        raise OSError(f"{PIP} from {index} is not the file it should be (wrong SHA-256)")
    (scratch / PIP).write_bytes(content)
    return [sys.executable, str(scratch / PIP / "pip")]


WAYS: tuple[Callable[[Path], list[str] | None], ...] = (own_pip, venv_pip, wheel_pip)


def get_uv(destination: Path = DESTINATION) -> None:
    """Install uv under ``destination``; exit with one sentence if no way works."""
    if os.environ.get("UV_OFFLINE", "").lower() in ("1", "true", "yes"):
        sys.exit("error: no uv on PATH, and UV_OFFLINE forbids fetching it; install uv first")
    failures = []
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        for way in WAYS:
            try:
                pip = way(scratch)
            except (OSError, urllib.error.URLError) as error:
                failures.append(f"{way.__name__}: {error}")
                continue
            if pip is None:
                failures.append(f"{way.__name__}: not available")
                continue
            target = scratch / way.__name__
            install = [*pip, "install", "--quiet", "--disable-pip-version-check"]
            done = subprocess.run([*install, "--target", target, UV], stderr=subprocess.PIPE)
            if done.returncode == 0 and (target / "bin" / "uv").is_file():
                # Renamed into place last, so that an interrupted fetch leaves no half of a uv.
                partial = destination.with_name(f"{destination.name}.{os.getpid()}")
                shutil.copytree(target, partial)
                shutil.rmtree(destination, ignore_errors=True)
                partial.replace(destination)
                return
            said = done.stderr.decode().strip().splitlines() or ["no uv came"]
            failures.append(f"{way.__name__}: {said[-1]}")
    sys.exit(
        "error: could not get uv from the package index; install uv yourself and try again.\n  "
        + "\n  ".join(failures)
    )


if __name__ == "__main__":
    get_uv()
