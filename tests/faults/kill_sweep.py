"""Kills a sweep with SIGKILL at random moments and counts what it cost.

``python -m tests.faults.kill_sweep --kills 100`` works on the plan ``smoke`` in a folder of its
own, starting over each time the plan is complete, and prints what must all be zero: finished runs
lost, unreadable files, workers that outlived their sweep, temporary files left after a complete
sweep, and histories that differ from those of a sweep that was never disturbed.
"""

import argparse
import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from normlib import paths
from normlib.datasets import INFO
from normlib.records import Store
from normlib.records.check import check
from normlib.records.record import canonical
from normlib.sweep import named

ZERO = (
    "finished runs lost",
    "unreadable files",
    "workers left alive",
    "stray files after a complete sweep",
    "histories that differ",
)


@dataclass(frozen=True)
class Trial:
    """A folder to sweep in, apart from anybody's records."""

    folder: Path
    plan: str
    trainer: str | None = None

    @property
    def store(self) -> Store:
        """The records of this trial alone."""
        return Store([], self.folder / "data/local/runs")

    def start(self) -> subprocess.Popen[bytes]:
        """Start a sweep."""
        sample = self.folder / "data/sample"
        if not sample.exists():
            sample.parent.mkdir(parents=True, exist_ok=True)
            sample.symlink_to(paths.data() / "sample")
        checkout = Path(__file__).resolve().parents[2]
        return subprocess.Popen(
            [sys.executable, "-m", "normlib.cli", "run", self.plan]
            + (["--trainer", self.trainer] if self.trainer else []),
            env={**os.environ, "NORMLIB_ROOT": str(self.folder), "PYTHONPATH": str(checkout)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
        )

    def complete(self) -> None:
        """Sweep to the end."""
        sweep = self.start()
        out, _ = sweep.communicate()
        if sweep.returncode:
            raise RuntimeError(f"an undisturbed sweep failed: {out.decode(errors='replace')}")

    def results(self) -> dict[str, str]:
        """Return the histories by key, but seconds, spelled out."""
        return {one.key: canonical(one.results) for one in self.store.scan()[0]}

    def sources(self) -> set[str]:
        """Return the hashes of the source that computed the records."""
        return {one.code["sha256"] for one in self.store.scan()[0]}

    def strays(self) -> list[Path]:
        """Return temporary files, checkpoints and locks."""
        within = [self.folder / "data/local/checkpoints", *self.store.folders]
        files = [path for folder in within for path in folder.rglob("*") if path.is_file()]
        return [path for path in files if path.suffix != ".json" or path.name.startswith(".")]


def children(pid: int) -> list[int]:
    """Return the processes whose parent is ``pid``."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        # A process that ends meanwhile gives an error or an empty file.
        with contextlib.suppress(OSError, ValueError, IndexError):
            if int(stat.read_text().rpartition(")")[2].split()[1]) == pid:
                found.append(int(stat.parent.name))
    return found


def outlived(pids: list[int], patience: float = 20.0) -> int:
    """Return how many of ``pids`` are still there after ``patience`` seconds."""
    end = time.monotonic() + patience
    alive = list(pids)
    while alive and time.monotonic() < end:
        time.sleep(0.02)
        alive = [pid for pid in alive if _running(pid)]
    return len(alive)


def _running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (OSError, ValueError, IndexError):
        return False


def kill_often(
    folder: Path,
    kills: int,
    *,
    plan: str = "smoke",
    trainer: str | None = None,
    seed: int = 0,
    say: Callable[[str], object] = lambda line: None,
) -> Counter[str]:
    """Kill sweeps ``kills`` times and return the counts of ZERO, and some of what happened."""
    rng = random.Random(seed)
    reference = Trial(folder / "undisturbed", plan, trainer)
    begun = time.monotonic()
    reference.complete()
    whole = time.monotonic() - begun
    expected = reference.results()
    if set(expected) != {run.key for run in named(plan).experiments}:
        raise RuntimeError("the undisturbed sweep did not record the whole plan")

    source = reference.sources()

    counts = Counter(dict.fromkeys(ZERO, 0))
    trial = Trial(folder / "killed", plan, trainer)
    before: dict[str, str] = {}
    while counts["kills"] < kills:
        sweep, begun = trial.start(), time.monotonic()
        try:
            with contextlib.suppress(subprocess.TimeoutExpired):
                sweep.wait(rng.uniform(0, whole))
                if not before:  # from the start to the end: the machine has become faster
                    whole = min(whole, time.monotonic() - begun)
            workers = children(sweep.pid)
            if sweep.poll() is None:
                sweep.send_signal(signal.SIGKILL)
                counts["kills"] += 1
                counts["kills with workers at work"] += bool(workers)
        finally:
            sweep.kill()
            sweep.communicate()
        counts["workers left alive"] += outlived(workers)
        counts["unreadable files"] += len(check(trial.store, INFO)[1])
        now = trial.results()
        counts["finished runs lost"] += len(before.keys() - now.keys())
        counts["kills that found a checkpoint"] += any(
            path.suffix not in (".tmp", ".lock") for path in trial.strays()
        )
        before = now
        say(f"{counts['kills']}/{kills} kills, {counts['plans completed']} plans completed")
        if len(now) == len(expected) or counts["kills"] == kills:
            _finish_round(trial, expected, source, counts)
            before = {}
    return counts


def _finish_round(
    trial: Trial, expected: dict[str, str], source: set[str], counts: Counter[str]
) -> None:
    trial.complete()
    if trial.sources() != source or len(source) != 1:
        # Differences would then say nothing about the killing.
        raise RuntimeError("normlib's source was edited meanwhile; start again and leave it alone")
    results = trial.results()
    counts["unreadable files"] += len(check(trial.store, INFO)[1])
    counts["stray files after a complete sweep"] += len(trial.strays())
    counts["finished runs lost"] += len(expected.keys() - results.keys())
    counts["histories that differ"] += sum(
        results[key] != expected[key] for key in expected.keys() & results.keys()
    )
    counts["plans completed"] += 1
    counts["histories compared"] += len(expected.keys() & results.keys())
    shutil.rmtree(trial.folder)


def main() -> None:
    """Print the counts; exit code 1 unless all that must be zero is."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--plan", default="smoke")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("--trainer", metavar="MODULE:FUNCTION", help="instead of the engine")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="normlib-kill-") as folder:
        counts = kill_often(
            Path(folder),
            options.kills,
            plan=options.plan,
            trainer=options.trainer,
            seed=options.seed,
            say=lambda line: print(line, file=sys.stderr, flush=True),
        )
    for name, count in counts.items():
        print(f"{count:6d}  {name}")
    sys.exit(any(counts[name] for name in ZERO))


if __name__ == "__main__":
    main()
