"""Probe ``hallucinations`` and the judges: made of trained networks, which stay as they are."""

import copy
from pathlib import Path

import numpy as np
import pytest
import torch

from normlib import locks
from normlib.datasets import load
from normlib.engine import Interrupted, judges, train
from normlib.engine.probes import ProbeError, hallucinating, hallucinations, pictures
from normlib.engine.probes.hallucinating import (
    REGULARIZATIONS,
    HallucinationError,
    hallucinate,
)
from normlib.engine.probes.hallucinations import STARTS, class_means, judged
from normlib.models import build
from normlib.records import Experiment
from normlib.records.arrays import unpack

RUN = Experiment(
    dataset="synthetic-color",
    model="vgg",
    norm="batch",
    initialization="torch",
    width=2,
    hidden=8,
    epochs=2,
    batch_size=20,
    train_size=100,
    momentum=0.0,
)
WITH = {"probes": ["hallucinations"]}


@pytest.fixture(autouse=True)
def apart(tmp_path, monkeypatch):
    """A place of its own for judges, and few steps."""
    monkeypatch.setenv("NORMLIB_LOCAL", str(tmp_path / "local"))
    monkeypatch.setattr(hallucinating, "STEPS", 8)
    monkeypatch.setattr(hallucinate, "__kwdefaults__", {**hallucinate.__kwdefaults__, "steps": 8})


def results(record):
    return {name: column for name, column in record.history.items() if name != "seconds"}


def arrays(record):
    return {k.removeprefix("hallucinations/"): v for k, v in unpack(record.packed).items()}


def test_a_run_has_the_same_bits_and_an_interrupted_one_the_same_images(tmp_path: Path):
    whole = train(RUN, **WITH)
    assert results(whole) == results(train(RUN))
    with pytest.raises(Interrupted):
        train(RUN, **WITH, checkpoint=tmp_path / "run.npz", should_stop=lambda: True)
    resumed = train(RUN, **WITH, checkpoint=tmp_path / "run.npz")
    assert resumed.packed == whole.packed


def test_a_norm_that_draws_random_numbers_is_not_disturbed(tmp_path: Path):
    noisy = RUN.replace(norm="noisy")
    whole = train(noisy, **WITH)
    assert results(whole) == results(train(noisy))
    with pytest.raises(Interrupted):
        train(noisy, **WITH, checkpoint=tmp_path / "run.npz", should_stop=lambda: True)
    assert train(noisy, **WITH, checkpoint=tmp_path / "run.npz").packed == whole.packed


def test_what_it_keeps_is_of_the_trained_network(tmp_path: Path):
    """Made again from the state of the last checkpoint."""
    found = arrays(train(RUN, **WITH, checkpoint=tmp_path / "run.npz"))
    network = build(RUN)
    with np.load(tmp_path / "run.npz") as file:
        state = {
            name.removeprefix("model/"): torch.from_numpy(file[name])
            for name in file.files
            if name.startswith("model/")
        }
    network.load_state_dict(state)
    assert found["image"].shape == (2, 10, STARTS, 3, 32, 32)
    for row, kind in enumerate(REGULARIZATIONS):
        again = hallucinate(
            network, range(10), (3, 32, 32), seed=RUN.seed, starts=STARTS, regularization=kind
        )
        # The last bits of the network's own memory format, eight steps long.
        assert np.abs(again.images.astype(int) - found["image"][row]).max() <= 2
        np.testing.assert_allclose(found["confidence"][row], again.confidence, atol=1e-3)
    own = judged(network.eval(), found["image"])
    np.testing.assert_allclose(own, found["confidence"], atol=1e-4)
    np.testing.assert_allclose(found["sharpness"], pictures.sharpness(found["image"]), rtol=1e-6)
    assert found["judged"].shape == (2, 2, 10, STARTS)
    asked = judges.judges(RUN, torch.device("cpu"))
    assert found["judges"].tobytes() == b"".join(one.fingerprint for one in asked)
    assert ((found["accuracy"] >= 0) & (found["accuracy"] <= 1)).all()
    assert found["nearest"].shape == found["distance"].shape == (2, 10, STARTS)


def test_class_means_are_means():
    data = load(RUN.dataset, "train")
    means = class_means(data)
    for one in range(10):
        chosen = [
            image / 255 for image, y in zip(data.images, data.labels, strict=True) if y == one
        ]
        np.testing.assert_allclose(means[one], sum(chosen) / len(chosen), atol=1e-12)


def test_judges_are_trained_apart_and_once(tmp_path: Path, monkeypatch):
    found = judges.judges(RUN, torch.device("cpu"), tmp_path)
    wanted = judges.experiments(RUN)
    assert [one.norm for one in wanted] == ["none", "batch"]
    assert not {one.seed for one in wanted} & set(range(100))
    assert {one.optimizer for one in wanted} == {"adam"}
    for judge, experiment in zip(found, wanted, strict=True):
        assert judge.accuracy == train(experiment).history["test_accuracy"][-1]
        assert not judge.network.training
    steps = []
    monkeypatch.setattr("normlib.engine.optimizer.Optimizer.step", lambda self: steps.append(1))
    again = judges.judges(RUN, torch.device("cpu"), tmp_path)
    assert steps == [], "they are there already"
    for one, other in zip(found, again, strict=True):
        assert one.accuracy == other.accuracy
        for p, q in zip(one.network.parameters(), other.network.parameters(), strict=True):
            assert torch.equal(p, q)


def test_a_judge_that_another_process_trains_is_waited_for(tmp_path: Path, monkeypatch):
    first, _ = judges.experiments(RUN)
    waited = []
    with locks.holding(tmp_path / f"{first.key}.lock") as held:
        assert held

        def sleep(seconds):
            waited.append(seconds)
            raise KeyboardInterrupt

        monkeypatch.setattr(judges.time, "sleep", sleep)
        with pytest.raises(KeyboardInterrupt):
            judges.judges(RUN, torch.device("cpu"), tmp_path)
    assert waited
    assert not (tmp_path / f"{first.key}.npz").exists()
    assert len(judges.judges(RUN, torch.device("cpu"), tmp_path)) == 2


def test_a_killed_judge_goes_on_where_it_was(tmp_path: Path):
    first, _ = judges.experiments(RUN)
    with pytest.raises(Interrupted):
        train(first, checkpoint=tmp_path / f"{first.key}.npz", should_stop=lambda: True)
    (judge, _) = judges.judges(RUN, torch.device("cpu"), tmp_path)
    assert judge.accuracy == train(first).history["test_accuracy"][-1]


def test_a_network_that_cannot_hallucinate_is_refused_before_it_is_trained(monkeypatch):
    steps = []
    monkeypatch.setattr("normlib.engine.optimizer.Optimizer.step", lambda self: steps.append(1))
    with pytest.raises(HallucinationError, match="changes the logits of another"):
        train(RUN.replace(norm="batch-batchstats"), **WITH)
    assert steps == []


def test_a_judge_that_diverged_has_no_accuracy(tmp_path: Path):
    """The accuracy of numbers that are none is finite: that of always saying the first class."""
    wild = judges.experiments(RUN)[0].replace(learning_rate=1e30)
    assert train(wild).history["test_accuracy"][-1] is not None
    assert np.isnan(judges._trained(wild, torch.device("cpu"), tmp_path / "state.npz").accuracy)


def test_a_judge_that_diverged_judges_nothing(monkeypatch):
    blind = judges.Judge(build(RUN), float("nan"))
    monkeypatch.setattr(hallucinations, "judges", lambda *_: [blind, blind])
    with pytest.raises(ProbeError, match="diverged"):
        train(RUN, **WITH)


def test_a_judges_fingerprint_is_that_of_all_its_numbers():
    torch.manual_seed(0)
    one = judges.Judge(build(RUN), 0.5)
    assert one.fingerprint == judges.Judge(copy.deepcopy(one.network), 0.9).fingerprint
    other = copy.deepcopy(one.network)
    with torch.no_grad():
        other.norm1_1.running_mean[0] += 1e-3
    assert judges.Judge(other, 0.5).fingerprint != one.fingerprint


def test_other_scalings_are_refused():
    with pytest.raises(ProbeError, match="input_scaling='standard'"):
        train(RUN.replace(input_scaling="standard"), **WITH)


def test_a_run_that_does_not_get_there_has_no_images():
    record = train(RUN.replace(norm="none", learning_rate=1e30), **WITH)
    assert record.status == "diverged"
    assert arrays(record) == {}
