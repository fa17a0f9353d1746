"""Processes that measure, one at a time or side by side."""

import json
import re
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import Any

from normlib.bench.result import BenchError


def run(
    commands: Sequence[Sequence[str]], surroundings: Mapping[str, str], timeout: float = 900
) -> list[Any]:
    """Run ``commands`` side by side and return what each printed last, read as JSON.

    Raises BenchError with the end of the stderr of the first that fails or takes longer than
    ``timeout`` seconds; none is left running.
    """
    deadline = time.monotonic() + timeout
    with ExitStack() as stack:
        # Files, not pipes: a full pipe of one process would wait for the others to end.
        outs, errs = (
            [stack.enter_context(tempfile.TemporaryFile()) for _ in commands] for _ in range(2)
        )
        started: list[subprocess.Popen[bytes]] = []
        stack.callback(stop, started)
        for command, out, err in zip(commands, outs, errs, strict=True):
            started.append(
                subprocess.Popen(
                    command,
                    env=dict(surroundings),
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=err,
                )
            )
        answers = []
        for command, process, out, err in zip(commands, started, outs, errs, strict=True):
            name = " ".join(command[1:3])
            try:
                code = process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                raise BenchError(f"`{name}` took longer than {timeout:g} s") from None
            for file in (out, err):
                file.seek(0)
            if code:
                said = told(err.read().decode(errors="replace"))
                raise BenchError(f"`{name}` failed with code {code}: {said}")
            lines = out.read().decode(errors="replace").strip().splitlines()
            try:
                answers.append(json.loads(lines[-1]))
            except (IndexError, ValueError):
                raise BenchError(f"`{name}` printed no JSON: {lines[-1:]}") from None
        return answers


def told(stderr: str) -> str:
    """Return the line that names the error, else the last; torch adds hints after its errors."""
    lines = stderr.strip().splitlines() or ["nothing on stderr"]
    named = [line for line in lines if re.match(r"[\w.]*(Error|Exception|Unsupported)\b", line)]
    return (named or lines)[-1]


def stop(processes: Sequence[subprocess.Popen[bytes]]) -> None:
    """Kill those that still run."""
    for process in processes:
        if process.poll() is None:
            process.kill()
            process.wait()
