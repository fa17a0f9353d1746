"""Processes that measure, one at a time or side by side."""

import contextlib
import json
import re
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import IO, Any

from normlib.bench.result import BenchError

WARM = "warm"
"""What a process prints when it is ready to be timed; it then waits for a line on its stdin."""

Process = subprocess.Popen[str]


def run(
    commands: Sequence[Sequence[str]],
    surroundings: Mapping[str, str],
    *,
    meet: bool = False,
    timeout: float = 900,
) -> list[Any]:
    """Run ``commands`` side by side and return what each printed last, read as JSON.

    With ``meet`` those that are warm wait for the others, so that all are timed at once.

    Raises BenchError with the error of the first that fails or prints no JSON, or if all together
    take longer than ``timeout`` seconds; none is left running.
    """
    with _started(commands, surroundings) as started, _limit(started, timeout) as late:
        if meet:
            for process, _ in started:
                _read_until_warm(process)
            for process, _ in started:
                _send(process, "go")
        answers = []
        for command, (process, errors) in zip(commands, started, strict=True):
            name = " ".join(command[1:3])
            assert process.stdout is not None
            lines = process.stdout.read().splitlines()
            code = process.wait()
            if late.is_set():
                raise BenchError(f"`{name}` took longer than {timeout:g} s")
            if code:
                errors.seek(0)
                said = told(errors.read())
                raise BenchError(f"`{name}` failed with code {code}: {said}")
            try:
                answers.append(json.loads(lines[-1]))
            except (IndexError, ValueError):
                raise BenchError(f"`{name}` printed no JSON: {lines[-1:]!s:.60}") from None
        return answers


def told(stderr: str) -> str:
    """Return the line that names the error, else the last; torch adds hints after its errors."""
    lines = stderr.strip().splitlines() or ["nothing on stderr"]
    named = [line for line in lines if re.match(r"[\w.]*(Error|Exception|Unsupported)\b", line)]
    return (named or lines)[-1]


@contextlib.contextmanager
def _started(
    commands: Sequence[Sequence[str]], surroundings: Mapping[str, str]
) -> Iterator[Sequence[tuple[Process, IO[str]]]]:
    with contextlib.ExitStack() as stack:
        started: list[tuple[Process, IO[str]]] = []
        for command in commands:
            # A file, not a pipe: nobody reads it while the process runs, and a pipe could fill.
            errors = stack.enter_context(tempfile.TemporaryFile("w+", errors="replace"))
            process = subprocess.Popen(
                command,
                env=dict(surroundings),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                encoding="utf-8",
                errors="replace",
            )
            stack.callback(_end, process)
            started.append((process, errors))
        yield started


@contextlib.contextmanager
def _limit(started: Sequence[tuple[Process, IO[str]]], timeout: float) -> Iterator[threading.Event]:
    """Kill all after ``timeout`` seconds, and set the event."""
    late = threading.Event()

    def kill() -> None:
        late.set()
        for process, _ in started:
            process.kill()

    timer = threading.Timer(timeout, kill)
    timer.start()
    try:
        yield late
    finally:
        timer.cancel()
        timer.join()


def _read_until_warm(process: Process) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        if line.strip() == WARM:
            return


def _send(process: Process, line: str) -> None:
    assert process.stdin is not None
    with contextlib.suppress(OSError):  # it is gone, and its code will say why
        process.stdin.write(line + "\n")
        process.stdin.flush()


def _end(process: Process) -> None:
    process.kill()
    process.wait()
    for stream in (process.stdin, process.stdout):
        assert stream is not None
        with contextlib.suppress(OSError):
            stream.close()
