"""Where a run was computed, and by which code."""

import functools
import hashlib
import importlib.metadata
import platform
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

PACKAGE = Path(__file__).resolve().parent.parent


def environment(
    framework_versions: Mapping[str, str],
    device: str,
    threads: int,
    mode: str,
    instruction_set: str | None = None,
) -> dict[str, Any]:
    """Return what a bitwise repetition depends on, besides the experiment and the code.

    ``framework_versions`` such as ``{"torch": "2.13.0"}``; ``device`` "cpu" or the GPU's name;
    ``mode`` how the engine computes ("eager", "compiled", "captured", or Keras's own);
    ``instruction_set`` what the framework says it uses ("AVX512"), else what the processor offers.
    """
    return {
        **{name: str(version) for name, version in framework_versions.items()},
        "python": platform.python_version(),
        # Neither a host's name nor its kernel: they decide no bit.
        "platform": " ".join(
            part for part in (platform.system(), platform.machine(), *platform.libc_ver()) if part
        ),
        "cpu": _cpu_model(),
        "instruction_set": instruction_set or _instruction_set(),
        "device": device,
        "threads": threads,
        "mode": mode,
    }


def place(environment: Mapping[str, Any]) -> dict[str, Any]:
    """Return the part of an environment on which the bits of a result depend."""
    neutral = ("python", "platform")
    return {name: value for name, value in environment.items() if name not in neutral}


def changes(then: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """Return words for what differs between two places, such as ``threads 1 then, 2 now``."""
    changed = [name for name in {**then, **now} if then.get(name) != now.get(name)]
    return ", ".join(f"{name} {then.get(name)} then, {now.get(name)} now" for name in changed)


@functools.cache
def _code_state() -> tuple[tuple[str, Any], ...]:
    commit = _git("rev-parse", "HEAD")
    changes = _git("status", "--porcelain", "--", str(PACKAGE))
    return (
        ("version", _version()),
        ("commit", commit),
        ("dirty", None if commit is None or changes is None else bool(changes)),
        ("sha256", source_sha256(PACKAGE)),
    )


def code_state() -> dict[str, Any]:
    """Return version, commit, whether normlib differs from it, and a hash of its source.

    Computed once per process, so call it early: it should describe the code that is running, not
    what an editor saves meanwhile.
    """
    return dict(_code_state())


def source_sha256(package: Path) -> str:
    """Return the sha256 over path and content of every Python file of ``package``, sorted."""
    digest = hashlib.sha256()
    for path in sorted(
        package.rglob("*.py"), key=lambda path: path.relative_to(package).as_posix()
    ):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(package).as_posix()}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()


def _git(*command: str) -> str | None:
    # A checkout has its own .git; an installed package may lie in somebody else's repository.
    if not (PACKAGE.parent / ".git").exists():
        return None
    try:
        done = subprocess.run(
            ["git", *command], cwd=PACKAGE.parent, capture_output=True, text=True, timeout=30
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _version() -> str:
    try:
        return importlib.metadata.version("normlib")
    except importlib.metadata.PackageNotFoundError:
        return "unknown"


def _cpu_info() -> dict[str, str]:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return {}
    pairs = (line.partition(":") for line in text.split("\n\n")[0].splitlines())
    return {name.strip(): value.strip() for name, _, value in pairs}


@functools.cache
def _cpu_model() -> str:
    return _cpu_info().get("model name") or platform.processor() or platform.machine() or "unknown"


@functools.cache
def _instruction_set() -> str:
    flags = _cpu_info().get("flags", "").split()
    known = (("avx512f", "AVX512"), ("avx2", "AVX2"), ("avx", "AVX"))
    return next((name for flag, name in known if flag in flags), platform.machine() or "unknown")
