"""A Dask cluster of this machine: its processes, a trainer that notes times, and a client.

``python -m tests.sweep.cluster ADDRESS COUNT`` is the client: it computes ``runs(COUNT)``.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from normlib.records import Experiment, Record, Store
from normlib.sweep import cluster
from tests.faults.kill_sweep import children
from tests.sweep.fake import train

CHECKOUT = Path(__file__).resolve().parents[2]
EPOCHS = 5
FOLDERS = ("NORMLIB_DATA", "NORMLIB_LOCAL", "NORMLIB_RUNS")


def runs(count: int) -> list[Experiment]:
    """Return small runs on a data set that needs no files."""
    return [Experiment(dataset="synthetic-gray", epochs=EPOCHS, seed=seed) for seed in range(count)]


def timed(experiment: Experiment, **options) -> Record:
    """Notes the run, its process and the time in ``$FAKE_LOG``, then trains."""
    with Path(os.environ["FAKE_LOG"]).open("a", encoding="utf-8") as log:
        log.write(f"{experiment.key} {os.getpid()} {time.time_ns()}\n")
    return train(experiment, **options)


class Cluster:
    """A scheduler and workers of one thread each, every one a process that may be killed."""

    def __init__(self, folder: Path, pause: str = "0.1") -> None:
        self.folder = folder
        self.log = folder / "log"
        self.log.touch()
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.address = f"tcp://127.0.0.1:{free.getsockname()[1]}"
        self.workers: list[subprocess.Popen] = []
        self._all: list[subprocess.Popen] = []
        self._environment = {"FAKE_PAUSE": pause, "FAKE_LOG": str(self.log)}
        self.start_scheduler()

    def __enter__(self) -> "Cluster":
        return self

    def __exit__(self, *_) -> None:
        for process in self._all:
            process.kill()
        for process in self._all:
            process.wait()

    def start_scheduler(self) -> None:
        host, port = self.address.removeprefix("tcp://").split(":")
        self.scheduler = self._start(
            "distributed.cli.dask_scheduler", "--host", host, "--port", port, "--no-show"
        )

    def start_worker(self, root: str = "worker") -> subprocess.Popen:
        """Start a worker with a project folder of its own, apart from the client's."""
        options = ("--no-nanny", "--nthreads", "1", "--memory-limit", "0")
        options += ("--host", "127.0.0.1", "--local-directory", str(self.folder / "dask"))
        module = "distributed.cli.dask_worker"
        worker = self._start(module, self.address, *options, root=root)
        self.workers.append(worker)
        return worker

    def client(self, *command: str) -> subprocess.Popen:
        """Start ``python -m COMMAND`` with the client's project folder."""
        return self._start(*command, root="client")

    def store(self) -> Store:
        """The records that have reached the client."""
        return Store([], self.folder / "client/data/local/runs")

    def recorded(self) -> set[str]:
        """Return the keys of these records, by their files' names alone."""
        files = self.store().write_to.glob("*/*/[!.]*.json")
        return {path.stem.rpartition("-")[2] for path in files}

    def begun(self) -> list[tuple[str, int, int]]:
        """Return key, process and time of every run that was begun, in their order."""
        lines = [line.split() for line in self.log.read_text().splitlines()]
        return [(key, int(pid), int(at)) for key, pid, at in lines]

    def at_work(self) -> tuple[subprocess.Popen, list[int]] | None:
        """Return a worker in the middle of a run, with its children, if there is one now."""
        last = {pid: key for key, pid, _ in self.begun()}
        recorded = self.recorded()
        for worker in self.workers:
            pids = children(worker.pid) if worker.poll() is None else []
            if any(pid in last and last[pid] not in recorded for pid in pids):
                return worker, pids
        return None

    def kill(self, process: subprocess.Popen) -> None:
        """Kill one of its processes with SIGKILL."""
        assert process in self._all
        process.send_signal(signal.SIGKILL)
        process.wait()
        if process in self.workers:
            self.workers.remove(process)

    def kept(self) -> list[str]:
        """Return the files that workers keep of unfinished and of undelivered runs."""
        local = self.folder / "worker/data/local"
        folders = (local / "cluster", local / "checkpoints")
        return [path.name for folder in folders for path in folder.rglob("*") if path.is_file()]

    def _start(self, module: str, *arguments: str, root: str = "scheduler") -> subprocess.Popen:
        (self.folder / root).mkdir(exist_ok=True)
        output = (self.folder / f"output-{len(self._all):02d}").open("wb")
        with output:
            process = subprocess.Popen(
                [sys.executable, "-m", module, *arguments],
                env={
                    **{name: os.environ[name] for name in os.environ if name not in FOLDERS},
                    **self._environment,
                    "NORMLIB_ROOT": str(self.folder / root),
                    "PYTHONPATH": str(CHECKOUT),
                },
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=CHECKOUT,
            )
        process.output = Path(output.name)  # type: ignore[attr-defined]  # kept with its process
        self._all.append(process)
        return process


def main() -> None:
    address, count = sys.argv[1], int(sys.argv[2])
    outcome = cluster.compute(
        runs(count), Store.default(), scheduler=address, trainer="tests.sweep.cluster:timed"
    )
    told = {"recorded": len(outcome.recorded), "left": len(outcome.left), "why": outcome.stopped}
    print(json.dumps({**told, "failures": list(map(str, outcome.failures))}))


if __name__ == "__main__":
    main()
