"""Runs that take turns in one process: the records of workers, locks, budgets, failures."""

import os
import signal
import threading
import time

import pytest
from typer.testing import CliRunner

from normlib import locks
from normlib.cli import UsageError, commands
from normlib.datasets import load
from normlib.engine import recording, training
from normlib.errors import NormlibError
from normlib.records import Experiment, Store
from normlib.records.record import canonical
from normlib.sweep import checkpoints, compute, replicas
from normlib.sweep.loop import Outcome
from normlib.sweep.replicas import Shared

TINY = Experiment(dataset="synthetic-gray", width=8, hidden=16, epochs=2, train_size=200)
RUNS = tuple(TINY.replace(norm=norm, seed=seed) for norm in ("batch", "noisy") for seed in (0, 1))
LONG = tuple(TINY.replace(seed=seed, epochs=500) for seed in (0, 1))


@pytest.fixture(autouse=True)
def store(project):
    return Store.default()


def together(experiments, store, count=3, **options):
    return replicas.compute(experiments, store, replicas=count, device="cpu", **options)


def results(store):
    return {one.key: canonical(one.results) for one in store.scan()[0]}


def leftovers():
    folder = checkpoints.folder()
    return [path.name for path in folder.iterdir()] if folder.exists() else []


def test_the_records_are_those_of_workers(store, tmp_path):
    outcome = together(RUNS, store)
    assert (len(outcome.recorded), outcome.failures, outcome.left) == (4, [], [])
    assert leftovers() == []
    workers = Store([], tmp_path / "workers")
    compute(RUNS, workers, workers=1, waiting=tmp_path / "waiting")
    assert results(store) == results(workers)
    pairs = zip(store.scan()[0], workers.scan()[0], strict=True)
    assert all(one.environment == other.environment for one, other in pairs)


def test_what_is_recorded_is_not_computed_again(store):
    together(RUNS[:2], store)
    outcome = together(RUNS, store)
    assert len(outcome.recorded) == 2
    assert together(RUNS, store).recorded == []


@pytest.mark.parametrize("count", [1, 2])
def test_stopped_by_a_budget_it_goes_on_later(count, store, tmp_path, monkeypatch):
    runs = [run.replace(epochs=10) for run in RUNS[:3]]
    first = together(runs, store, count, budget=0.01)
    assert "budget" in first.stopped
    assert first.failures == []
    assert len(first.left) + len(first.recorded) == 3
    assert any(name.endswith(".npz") for name in leftovers())
    assert together(runs, store, count).left == []
    alone = Store([], tmp_path / "alone")
    together(runs, alone, 3, waiting=tmp_path / "waiting")
    assert results(store) == results(alone)


def test_ctrl_c_stops_at_the_end_of_the_epochs(store):
    def interrupt():
        deadline = time.monotonic() + 120
        while not leftovers() and time.monotonic() < deadline:
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    outcome = together(LONG, store)
    thread.join()
    assert outcome.stopped == "interrupted"
    assert set(outcome.left) == set(LONG)
    assert sorted(leftovers()) == sorted(f"{run.key}.npz" for run in LONG)


def test_a_run_that_fails_leaves_the_others(store):
    wrong = TINY.replace(train_size=99_999)
    outcome = together([wrong, *RUNS[:2]], store)
    assert [failure.experiment for failure in outcome.failures] == [wrong]
    assert "train_size=99999" in outcome.failures[0].error
    assert len(outcome.recorded) == 2
    assert leftovers() == []


def test_a_run_that_another_sweep_computes_is_left_to_it(store):
    held = threading.Event()
    done = threading.Event()

    def other():
        with locks.holding(checkpoints.lock_of(RUNS[0].key, checkpoints.folder())):
            held.set()
            done.wait(120)

    thread = threading.Thread(target=other)
    thread.start()
    held.wait(120)
    threading.Timer(1.0, done.set).start()
    outcome = together(RUNS[:2], store)
    thread.join()
    assert len(outcome.recorded) == 2


def test_a_data_set_is_loaded_once(store, monkeypatch):
    loads = []
    monkeypatch.setattr(replicas, "load", lambda *which: loads.append(which) or load(*which))
    together(RUNS, store)
    assert loads == [("synthetic-gray", "train"), ("synthetic-gray", "test")]


def test_a_clock_is_divided_among_those_at_work():
    ticks = iter([0.0, 1.0, 7.0, 8.0, 12.0])
    shared = Shared(lambda: next(ticks))
    shared.divide(3)
    assert shared() == 1.0 + 6.0 / 3
    shared.divide(1)
    assert shared() == 1.0 + 7.0 / 3 + 4.0


@pytest.mark.parametrize(
    ("runs", "seconds"),
    [(1, [[1.0, 1.0]]), (2, [[0.5, 1.25], [1.25, 1.25]])],
    ids=["alone", "two"],
)
def test_an_epochs_seconds_are_its_wait_without_its_evaluation(runs, seconds, store, monkeypatch):
    """Launching returns at once: the wait is at the epoch's end, and evaluation follows it."""
    at = [0.0]

    def waiting(seconds, result):
        at[0] += seconds
        return result

    def epoch(update, sums, todo, on_step):
        yield
        return waiting(1.0, (1.0, 0.5))

    monkeypatch.setattr(recording, "clock", lambda device, threads: lambda: at[0])
    monkeypatch.setattr(training, "_one_epoch", epoch)
    monkeypatch.setattr(training, "_evaluate", lambda *_: waiting(0.25, (1.0, 0.5)))
    chosen = RUNS[:runs]
    together(chosen, store, runs)
    assert [store.find(run).history["seconds"] for run in chosen] == seconds


def test_another_frameworks_norm_is_refused(store):
    with pytest.raises(NormlibError, match=r"'tensorflow:batch' .* by --only"):
        together([TINY.replace(norm="tensorflow:batch")], store)


def test_a_device_that_is_not_there(store):
    with pytest.raises(NormlibError, match="choose cpu"):
        replicas.compute(RUNS, store, replicas=2, device="cuda:99")


@pytest.mark.parametrize("option", ["--workers=2", "--scheduler=tcp://127.0.0.1:1"])
def test_replicas_are_no_processes(option):
    result = CliRunner().invoke(commands, ["run", "smoke", "--replicas=2", option])
    assert isinstance(result.exception, UsageError)
    assert option.split("=")[0] in str(result.exception)


def test_the_command_line_computes_by_replicas(store, monkeypatch):
    called = {}

    def instead(chosen, store, **options):
        called.update(options, runs=len(chosen))
        return Outcome(left=[TINY])

    monkeypatch.setattr(replicas, "compute", instead)
    result = CliRunner().invoke(
        commands, ["run", "smoke", "--replicas=3", "--only=^(batch|none)-", "--budget=2m"]
    )
    assert called["replicas"] == 3
    assert (called["device"], called["budget"], called["runs"]) == ("cpu", 120, 4)
    told = "Go on with: normlib run smoke --replicas 3 --only '^(batch|none)-' --budget 2m\n"
    assert told in result.output
    assert CliRunner().invoke(commands, ["run", "smoke", "--device=cuda"]).exit_code == 0
    assert (called["replicas"], called["device"]) == (replicas.REPLICAS, "cuda")
