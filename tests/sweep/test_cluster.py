"""Sweeps on a real Dask scheduler and workers, which are killed; only the training is fake."""

import importlib.util
import json
import signal
import subprocess
import sys
import time
from collections import Counter

import pytest

from normlib import paths
from normlib.datasets import INFO
from normlib.records.check import check
from normlib.records.record import canonical
from normlib.sweep import PLANS
from tests.faults.kill_sweep import outlived
from tests.faults.table import owed, run_command
from tests.sweep import fake
from tests.sweep.cluster import Cluster, runs

SMOKE = PLANS["smoke"].experiments
dask = pytest.mark.skipif(
    importlib.util.find_spec("distributed") is None, reason="needs the group `cluster`"
)


def wait_for(condition, seconds=120.0):
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)
    return found


def expected(experiments, monkeypatch):
    """The results of an undisturbed training."""
    monkeypatch.setattr(fake, "PAUSE", 0.0)
    return {run.key: canonical(fake.train(run).results) for run in experiments}


def smoke_client(cluster, trainer="tests.sweep.cluster:timed"):
    words = ("run", "smoke", "--scheduler", cluster.address, "--trainer", trainer)
    return cluster.client("normlib.cli", *words)


def with_sample(cluster, root="worker"):
    """Give workers the bundled sample."""
    data = cluster.folder / root / "data"
    data.mkdir(parents=True)
    (data / "sample").symlink_to(paths.data() / "sample")


def registered(worker):
    return b"Registered to" in worker.output.read_bytes()


def said(process):
    process.wait(timeout=200)
    return process.output.read_text()


def assert_whole(cluster, experiments, monkeypatch):
    store = cluster.store()
    stored = store.stored()
    assert Counter(one.record.key for one in stored) == dict.fromkeys(
        (run.key for run in experiments), 1
    )
    assert check(store, INFO)[1] == []
    results = {one.record.key: canonical(one.record.results) for one in stored}
    assert results == expected(experiments, monkeypatch)
    reached = {one.record.key: one.path.stat().st_mtime_ns for one in stored}
    late = [key for key, _, at in cluster.begun() if at > reached[key]]
    assert late == [], "computed again although their records were there"


@dask
@pytest.mark.timeout(280)
def test_killed_workers_and_a_new_scheduler_cost_no_record(tmp_path, monkeypatch):
    with Cluster(tmp_path) as cluster:
        for _ in range(3):
            cluster.start_worker()
        client = cluster.client("tests.sweep.cluster", cluster.address, "60")
        for kill, records in enumerate((4, 12, 20, 34, 42)):
            if kill == 3:  # between the kills
                wait_for(lambda: len(cluster.recorded()) >= 28)
                wait_for(lambda: all(map(registered, cluster.workers)))
                old = list(cluster.workers)
                cluster.kill(cluster.scheduler)
                cluster.start_scheduler()
                for worker in old:
                    worker.wait(timeout=60)  # Dask's leave when their scheduler is gone
                    cluster.workers.remove(worker)
                    cluster.start_worker()
            wait_for(lambda enough=records: len(cluster.recorded()) >= enough)
            worker, pids = wait_for(cluster.at_work)
            cluster.kill(worker)
            cluster.start_worker()
            assert outlived(pids) == 0, "a process trains on without its worker"
        words = said(client)
        told = json.loads(words.splitlines()[-1])
        assert told == {"recorded": 60, "left": 0, "why": "", "failures": []}, words
        assert_whole(cluster, runs(60), monkeypatch)
        again = Counter(key for key, _, _ in cluster.begun())
        assert sum(again.values()) >= 60 + 3, "the kills hit nobody"
        wait_for(lambda: cluster.kept() == [])


@dask
def test_killed_client_loses_nothing_and_the_next_goes_on(tmp_path, monkeypatch):
    with Cluster(tmp_path) as cluster:
        with_sample(cluster)
        cluster.start_worker()
        cluster.start_worker()
        client = smoke_client(cluster)
        wait_for(lambda: len(cluster.recorded()) >= 2)
        wait_for(cluster.at_work)
        cluster.kill(client)
        assert "8 recorded" not in said(smoke_client(cluster))
        assert_whole(cluster, SMOKE, monkeypatch)
        begun = Counter(key for key, _, _ in cluster.begun())
        assert begun == dict.fromkeys((run.key for run in SMOKE), 1), "what ran on was taken over"
        wait_for(lambda: cluster.kept() == [])


@dask
def test_interrupted_client_stops_cleanly_and_the_rest_comes_out_the_same(tmp_path, monkeypatch):
    with Cluster(tmp_path, pause="0.4") as cluster:
        with_sample(cluster)
        cluster.start_worker()
        client = smoke_client(cluster)
        wait_for(lambda: any(name.endswith(".npz") for name in cluster.kept()))
        client.send_signal(signal.SIGINT)
        words = said(client)
        assert client.returncode == 0, words
        assert "interrupted" in words
        assert f"Go on with: normlib run smoke --scheduler {cluster.address}" in words
        assert "Traceback" not in words
        smoke = smoke_client(cluster)
        assert "0 failed, 0 left" in said(smoke)
        assert_whole(cluster, SMOKE, monkeypatch)


@dask
def test_worker_without_the_data_is_passed_over_or_named(tmp_path, monkeypatch):
    with Cluster(tmp_path, pause="0.02") as cluster:
        cluster.start_worker(root="bare")
        words = said(smoke_client(cluster))
        lines = [line for line in words.splitlines() if line.startswith("error:")]
        assert len(lines) == 3, words
        owed(lines[0], "tcp://127.0.0.1:", "fashion-mnist-sample train not found")
        assert "failed alike" in words
        with_sample(cluster)
        cluster.start_worker()
        wait_for(lambda: registered(cluster.workers[1]))
        words = said(smoke_client(cluster))
        assert "8 recorded, 0 failed, 0 left" in words, words
        assert_whole(cluster, SMOKE, monkeypatch)


@dask
def test_clustered_run_is_the_plain_one_bit_by_bit(tmp_path):
    from normlib.engine import train

    run = next(run for run in SMOKE if run.norm == "batch")
    with Cluster(tmp_path) as cluster:
        with_sample(cluster)
        cluster.start_worker()
        words = ("run", "smoke", "--scheduler", cluster.address, "--only", f"^{run.name}$")
        assert "1 recorded, 0 failed, 0 left" in said(cluster.client("normlib.cli", *words))
        (record,) = cluster.store().scan()[0]
        assert canonical(record.results) == canonical(train(run, threads=1).results)


@dask
def test_crash_is_one_failure_with_last_words(tmp_path):
    with Cluster(tmp_path, pause="0.02") as cluster:
        with_sample(cluster)
        cluster.start_worker()
        client = smoke_client(cluster, trainer="tests.sweep.fake:crash")
        words = said(client)
        assert client.returncode == 1
        assert "4 recorded, 4 failed, 0 left" in words, words
        assert "the last words of a worker" in words
        assert "ZeroDivisionError: an honest bug" in words


@dask
def test_no_scheduler_is_one_line(project):
    command = ["run", "smoke", "--scheduler", "tcp://127.0.0.1:9"]
    done = subprocess.run(
        [sys.executable, "-m", "normlib.cli", *command], capture_output=True, text=True
    )
    assert done.returncode == 2
    assert done.stderr.startswith("error:"), done.stderr
    owed(done.stderr, "no Dask scheduler answers at 'tcp://127.0.0.1:9'", "dask scheduler")


def test_missing_dask_names_group_and_command(project, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    outcome = run_command("run", "smoke", "--scheduler", "tcp://127.0.0.1:9")
    assert outcome.code == 2
    (line,) = outcome.errors
    owed(line, "not installed", "uv sync --inexact --group cluster")


def test_scheduler_file_that_cannot_be_read_is_named(project):
    outcome = run_command("run", "smoke", "--scheduler", "none-here.json")
    assert outcome.code == 2
    (line,) = outcome.errors
    owed(line, "none-here.json", "--scheduler-file")


def test_dask_is_imported_only_when_asked_for():
    code = "import sys, normlib.cli, normlib.sweep.cluster; print('dask' in str([*sys.modules]))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert ran.stdout.strip() == "False", ran.stderr
