"""The data set of a run, where a cluster's worker computes it."""

import subprocess

import pytest

from normlib.datasets.errors import DatasetError, MissingDatasetError
from normlib.sweep import provision


@pytest.fixture(autouse=True)
def bare(project, monkeypatch):
    for name in ("NORMLIB_DATA", "NORMLIB_LOCAL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("normlib.datasets.search.SYSTEM", project / "system")
    return project


def ended(code, stderr=""):
    def run(command, **options):
        return subprocess.CompletedProcess(command, code, "", stderr)

    return run


def test_made_up_sets_need_nothing():
    provision.ensure("synthetic-color", pytest.fail)


def test_sample_cannot_be_fetched():
    with pytest.raises(MissingDatasetError, match="fashion-mnist-sample train not found"):
        provision.ensure("fashion-mnist-sample", pytest.fail)


def test_missing_set_is_fetched_once_and_announced(monkeypatch):
    fetched, announced = [], []
    monkeypatch.setattr(provision, "_lacking", lambda info: [] if fetched else ["train"])
    monkeypatch.setattr(provision, "_fetch", fetched.append)
    provision.ensure("cifar10", lambda: announced.append("once"))
    provision.ensure("cifar10", lambda: announced.append("again"))
    assert (fetched, announced) == (["cifar10"], ["once"])


def test_failed_download_says_why_and_what_to_do(monkeypatch):
    monkeypatch.setattr(subprocess, "run", ended(2, "chatter\nerror: no route to host\n"))
    with pytest.raises(DatasetError, match=r"no route to host\).*NORMLIB_DATA"):
        provision.ensure("cifar10", lambda: None)


def test_lock_of_a_download_is_not_left_behind(bare, monkeypatch):
    monkeypatch.setattr(subprocess, "run", ended(0))
    provision.ensure("cifar10", lambda: None)
    assert not list(bare.rglob("*.fetching"))
