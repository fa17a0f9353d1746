"""Execute chapters with papermill, a few at a time, each in a process with a time limit."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from normlib.book import kernel, key, notebook
from normlib.book.layout import Book, BookError

WORKERS = 2  # more kernels started at once collide on ports
CHAPTER_SECONDS = 1200

Progress = Callable[[str], None]
SETTINGS = Path(__file__).parent / "ipython"


@dataclass(frozen=True)
class Execution:
    """One chapter's executed notebook and how it came about."""

    chapter: Path
    output: Path
    cached: bool
    seconds: float


def environment(book: Book) -> dict[str, str]:
    """Return what a chapter's kernel sees: the project's settings, not the person's."""
    return os.environ | {
        "IPYTHONDIR": str(_profile(book)),
        "MATPLOTLIBRC": str(SETTINGS / "matplotlibrc"),
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        "JUPYTER_PREFER_ENV_PATH": "1",
        "NORMLIB_ROOT": str(book.root),
        "OMP_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
        "PYTHONHASHSEED": "0",
        "TQDM_DISABLE": "1",
        "COLUMNS": "100",
    }


def _profile(book: Book) -> Path:
    # IPython writes into its profile, so it gets a copy: an installed package may be read-only.
    profile = book.build / "ipython"
    shutil.copytree(SETTINGS, profile, dirs_exist_ok=True)
    return profile


def run(
    book: Book,
    chapter: Path,
    output: Path,
    parameters: Mapping[str, object] | None = None,
    *,
    seconds: float = CHAPTER_SECONDS,
    variables: Mapping[str, str] | None = None,
) -> None:
    """Execute ``chapter`` into ``output``; a failed run leaves no file of that name.

    Args:
        book: where the project lies.
        chapter: the committed notebook; it is never changed.
        output: receives the executed notebook.
        parameters: already validated by ``normlib.book.parameters``.
        seconds: the time limit of the whole notebook.
        variables: environment variables set on top of the usual ones.

    Raises:
        BookError: a cell failed, the time ran out, or no kernel came up twice.
    """
    output.parent.mkdir(parents=True, exist_ok=True)
    # papermill saves in place and fills braces in paths: a plain name, in the output's folder
    before, after = f".{output.stem}.before.ipynb", f".{output.stem}.after.ipynb"
    shutil.copyfile(chapter, output.parent / before)
    command = [
        *(sys.executable, "-m", "normlib.book.kernel", before, after),
        *(json.dumps(dict(parameters or {})), str(int(seconds)), str(chapter.parent)),
    ]
    try:
        code, said = _attempt(command, book, output.parent, seconds, variables or {})
        if code == kernel.NO_KERNEL:
            code, said = _attempt(command, book, output.parent, seconds, variables or {})
        if code != 0:
            reason = said.strip().splitlines()[-1] if said.strip() else f"exit code {code}"
            raise BookError(f"{chapter.name} failed: {reason}")
        (output.parent / after).replace(output)
    finally:
        (output.parent / before).unlink(missing_ok=True)
        (output.parent / after).unlink(missing_ok=True)


def _attempt(
    command: Sequence[str], book: Book, folder: Path, seconds: float, extra: Mapping[str, str]
) -> tuple[int, str]:
    process = subprocess.Popen(
        command,
        cwd=folder,
        env={**environment(book), **extra},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        _, said = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        return 124, f"not finished after {seconds:g} s: shorten it, or record its runs first"
    finally:
        _stop(process)
    return process.returncode, said


def _stop(process: subprocess.Popen[str]) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGINT)  # lets papermill shut its kernel down
        try:
            process.communicate(timeout=15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()


def execute(book: Book, *, progress: Progress = print) -> list[Execution]:
    """Execute every chapter whose key has changed; return all, in reading order.

    Raises:
        BookError: at least one chapter failed; the others were still executed and kept.
    """
    chapters = book.chapters()
    keys = key.keys(book, chapters)

    def one(chapter: Path) -> Execution | BookError:
        output = book.executed / f"{chapter.stem}-{keys[chapter][:16]}.ipynb"
        if output.is_file():
            progress(f"{chapter.stem}: unchanged")
            return Execution(chapter, output, cached=True, seconds=0.0)
        count = len(list(notebook.code_cells(notebook.read(chapter))))
        progress(f"{chapter.stem}: executing {count} cells")
        start = time.monotonic()
        try:
            run(book, chapter, output)
        except BookError as error:
            return error
        taken = time.monotonic() - start
        progress(f"{chapter.stem}: executed in {taken:.0f} s")
        for stale in book.executed.glob(f"{chapter.stem}-*.ipynb"):
            if stale != output:
                stale.unlink()
        return Execution(chapter, output, cached=False, seconds=taken)

    with ThreadPoolExecutor(WORKERS) as pool:
        results = list(pool.map(one, chapters))
    if failures := [result for result in results if isinstance(result, BookError)]:
        raise BookError("; ".join(str(failure) for failure in failures))
    return [result for result in results if isinstance(result, Execution)]
