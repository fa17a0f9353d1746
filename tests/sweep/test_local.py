"""The sweep with a trainer of milliseconds: everything around the training is real."""

import os
import shlex
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from normlib.datasets import INFO
from normlib.records import Experiment, Store
from normlib.records.check import check
from normlib.records.record import canonical
from normlib.sweep import PLANS, checkpoints, compute, missing
from normlib.sweep.process import Process
from tests.faults.table import run_command

SMOKE = PLANS["smoke"].experiments
LONG = tuple(Experiment(dataset="fashion-mnist-sample", epochs=30, seed=seed) for seed in range(3))
CHECKOUT = Path(__file__).resolve().parents[2]


def fake(name="train"):
    return f"tests.sweep.fake:{name}"


@pytest.fixture(autouse=True)
def importable(project, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(CHECKOUT))


def leftovers():
    folder = checkpoints.folder()
    return [path.name for path in folder.iterdir()] if folder.exists() else []


def results(store):
    return {one.key: canonical(one.results) for one in store.scan()[0]}


def undisturbed(experiments, folder):
    store = Store([], folder)
    compute(experiments, store, trainer=fake(), waiting=folder / "waiting")
    return results(store)


def test_computes_exactly_what_is_missing(project, monkeypatch):
    monkeypatch.setenv("FAKE_LOG", str(project / "log"))
    store = Store.default()
    compute(SMOKE[:3], store, trainer=fake("logged"))
    assert missing(SMOKE, store) == list(SMOKE[3:])
    outcome = compute(SMOKE, store, trainer=fake("logged"))
    assert (len(outcome.recorded), outcome.failures, outcome.left) == (5, [], [])
    assert missing(SMOKE, store) == []
    begun = [line.split()[0] for line in (project / "log").read_text().splitlines()]
    assert sorted(begun) == sorted(run.name for run in SMOKE), "each once"
    assert check(store, INFO)[1] == []
    assert leftovers() == []


def test_nothing_missing_starts_no_process(project, monkeypatch):
    store = Store.default()
    compute(SMOKE, store, trainer=fake())
    monkeypatch.setattr(subprocess, "Popen", None)
    outcome = compute(SMOKE, store)
    assert outcome.recorded == []


def test_lowest_seeds_first_and_processes_are_kept(project, monkeypatch):
    monkeypatch.setenv("FAKE_LOG", str(project / "log"))
    compute(SMOKE[::-1], Store.default(), workers=1, trainer=fake("logged"))
    lines = [line.split() for line in (project / "log").read_text().splitlines()]
    assert [name[-2:] for name, _ in lines] == ["00"] * 4 + ["01"] * 4
    assert len({pid for _, pid in lines}) == 1


def test_frameworks_never_share_a_process(project, monkeypatch):
    monkeypatch.setenv("FAKE_LOG", str(project / "log"))
    norms = ("none", "tensorflow:none", "torch:batch", "tensorflow:batch")
    runs = [
        Experiment(norm=norm, seed=seed, epochs=1, dataset="synthetic-gray")
        for seed in (0, 1)
        for norm in norms
    ]
    compute(runs, Store.default(), workers=1, trainer=fake("logged"))
    of_process = {}
    for line in (project / "log").read_text().splitlines():
        name, pid = line.split()
        of_process.setdefault(pid, set()).add(name.startswith("tensorflow"))
    assert all(len(kinds) == 1 for kinds in of_process.values())
    assert len(of_process) == 3, "torch, tensorflow for both seeds, torch"


def test_crash_is_reported_with_last_words_and_costs_no_other(project):
    store = Store.default()
    outcome = compute(SMOKE, store, trainer=fake("crash"))
    failed = Counter(failure.experiment.norm for failure in outcome.failures)
    assert failed == {"layer": 2, "weight": 2}
    assert {one.experiment.norm for one in store.scan()[0]} == {"none", "batch"}
    died = next(one for one in outcome.failures if one.experiment.norm == "layer")
    assert "exit code 139" in died.error
    assert "the last words of a worker" in died.tail
    assert died.experiment.name in str(died)
    raised = next(one for one in outcome.failures if one.experiment.norm == "weight")
    assert raised.error == "ZeroDivisionError: an honest bug"
    assert any("Traceback" in line for line in raised.tail)
    assert leftovers() == []


def test_traceback_does_not_depend_on_when_stderr_is_read(project, monkeypatch):
    def discard(process):
        with process._popen.stderr as lines:
            lines.read()

    monkeypatch.setattr(Process, "_read_stderr", discard)
    buggy = [run for run in SMOKE if run.norm == "weight"]
    outcome = compute(buggy, Store.default(), trainer=fake("crash"))
    assert [failure.tail[-1] for failure in outcome.failures] == [
        "ZeroDivisionError: an honest bug"
    ] * len(buggy)


def test_command_fails_if_a_run_failed(project):
    outcome = run_command("run", "smoke", "--trainer", fake("crash"))
    assert outcome.code == 1
    assert len(outcome.errors) == 4
    assert "4 recorded, 4 failed, 0 left" in outcome.out


def test_same_failure_three_times_ends_it(project):
    outcome = compute(SMOKE, Store.default(), workers=1, trainer=fake("unavailable"))
    assert len(outcome.failures) == 3
    assert len(outcome.left) == 5
    assert outcome.failures[0].tail == (), "a message for a person needs no traceback"
    assert "failed alike" in outcome.stopped


def test_an_odd_failure_before_them_does_not_matter(project):
    outcome = compute(SMOKE, Store.default(), workers=1, trainer=fake("oddly_unavailable"))
    assert len(outcome.failures) == 4
    assert len(outcome.left) == 4
    assert "failed alike" in outcome.stopped


@pytest.mark.parametrize(("device", "seen"), [("cpu", ""), ("cuda", "0")])
def test_a_run_on_a_cpu_sees_no_gpu(device, seen, project, monkeypatch):
    """torch would open it, in every worker, and take memory there."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    monkeypatch.setenv("FAKE_LOG", str(project / "log"))
    outcome = compute(SMOKE[:1], Store.default(), device=device, trainer=fake("sighted"))
    assert outcome.failures == []
    assert (project / "log").read_text() == seen


def test_only(project):
    outcome = run_command("run", "smoke", "--trainer", fake(), "--only", "^(batch|none)-.*seed01")
    assert outcome.code == 0
    assert {(one.experiment.norm, one.experiment.seed) for one in Store.default().scan()[0]} == {
        ("batch", 1),
        ("none", 1),
    }


def test_adopt_writes_to_the_committed_folder(project):
    assert run_command("run", "smoke", "--trainer", fake(), "--adopt").code == 0
    assert len(list((project / "data/runs").rglob("*.json"))) == len(SMOKE)
    assert not list((project / "data/local/runs").rglob("*.json"))


def test_budget_stops_at_an_epoch_and_the_rest_comes_out_the_same(project, monkeypatch):
    monkeypatch.setenv("FAKE_PAUSE", "0.05")
    store = Store.default()
    outcome = compute(LONG, store, workers=2, budget=0.7, trainer=fake())
    assert "budget" in outcome.stopped
    assert {run.key for run in outcome.left} == {run.key for run in LONG}
    assert sorted(leftovers()) == sorted(f"{run.key}.npz" for run in LONG[:2])
    monkeypatch.setenv("FAKE_PAUSE", "0.001")
    again = compute(LONG, store, trainer=fake())
    assert len(again.recorded) == len(LONG)
    assert leftovers() == []
    # The pause is in `seconds` only, so results can be compared.
    assert results(store) == undisturbed(LONG, project / "undisturbed")


def sweep_in_background(project, *options, trainer="train", pause="0.05"):
    return subprocess.Popen(
        [sys.executable, "-m", "normlib.cli", "run", "smoke", "--trainer", fake(trainer), *options],
        env={**os.environ, "FAKE_PAUSE": pause, "FAKE_LOG": str(project / "log")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for(condition, seconds=30.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "sigterm"])
def test_interrupted_sweep_stops_cleanly(number, project):
    sweep = sweep_in_background(project, pause="0.2")
    wait_for(lambda: any(name.endswith(".npz") for name in leftovers()))
    sweep.send_signal(number)
    out, err = sweep.communicate(timeout=60)
    assert sweep.returncode == 0, err
    assert "interrupted" in out
    assert "Go on with: normlib run smoke" in out
    assert "Traceback" not in err
    assert all(name.endswith(".npz") for name in leftovers())
    store = Store.default()
    compute(SMOKE, store, trainer=fake())
    assert results(store) == undisturbed(SMOKE, project / "undisturbed")


def test_the_command_to_go_on_with_is_the_same_command(project):
    """Without these options another sweep would take no checkpoint, or record elsewhere."""
    options = ("--workers", "1", "--threads", "2", "--only", "^none-", "--adopt", "--budget", "1s")
    words = ("run", "smoke", *options, "--trainer", fake())
    outcome = run_command(*words[:-3], "0.01s", *words[-2:])
    again = outcome.out.splitlines()[-1].removeprefix("Go on with: ")
    assert sorted(shlex.split(again)) == sorted(["normlib", *words[:-3], "0.01s", *words[-2:]])


def test_second_interrupt_leaves_at_once(project):
    sweep = sweep_in_background(project, pause="60")
    wait_for(lambda: len(leftovers()) == 2)  # the locks of two runs
    sweep.send_signal(signal.SIGINT)
    assert "finished first" in sweep.stderr.readline()
    sweep.send_signal(signal.SIGINT)
    out, _ = sweep.communicate(timeout=30)
    assert "8 left" in out
    assert leftovers() == []


def test_killed_worker_is_one_failure_and_resumes(project):
    sweep = sweep_in_background(project, "--workers", "1", trainer="logged", pause="0.15")
    wait_for(lambda: any(name.endswith(".npz") for name in leftovers()))
    pid = int((project / "log").read_text().split()[-1])
    os.kill(pid, signal.SIGKILL)
    out, err = sweep.communicate(timeout=60)
    assert sweep.returncode == 1
    assert "exit code -9" in err
    assert "7 recorded, 1 failed" in out
    store = Store.default()
    compute(SMOKE, store, trainer=fake())
    assert results(store) == undisturbed(SMOKE, project / "undisturbed")
    assert leftovers() == []


def test_two_sweeps_at_once_share_the_work(project):
    first = sweep_in_background(project, trainer="logged")
    second = sweep_in_background(project, trainer="logged")
    outs = [sweep.communicate(timeout=120) for sweep in (first, second)]
    assert [sweep.returncode for sweep in (first, second)] == [0, 0], outs
    begun = Counter(line.split()[0] for line in (project / "log").read_text().splitlines())
    assert begun == dict.fromkeys((run.name for run in SMOKE), 1)
    store = Store.default()
    assert len(store.stored()) == len(SMOKE)
    assert check(store, INFO)[1] == []
    assert leftovers() == []
