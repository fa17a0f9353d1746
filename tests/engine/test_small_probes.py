"""Probes of small networks: every step's loss, and first-layer weights as images."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from normlib.datasets import load
from normlib.engine import Interrupted, initial_arrays, train
from normlib.engine.optimizer import Optimizer
from normlib.engine.order import batch_order
from normlib.engine.probes import ProbeError, first_layer, patterns
from normlib.engine.probes.eight_bits import quantized, restored
from normlib.engine.probes.first_layer import VARIED, varied
from normlib.models import build
from normlib.records import Experiment
from normlib.records.arrays import unpack

RUN = Experiment(
    dataset="synthetic-gray",
    model="mlp",
    norm="batch",
    initialization="torch",
    hidden=12,
    epochs=3,
    batch_size=30,
    train_size=200,
)
WITH = {"probes": ["steps", "first-layer"]}


def results(record):
    return {name: column for name, column in record.history.items() if name != "seconds"}


def arrays(record, probe):
    every = unpack(record.packed)
    return {k.removeprefix(f"{probe}/"): every[k] for k in every if k.startswith(f"{probe}/")}


@pytest.mark.parametrize("norm", ["none", "batch", "weight", "noisy"])
def test_a_run_has_the_same_bits_with_probes(norm):
    run = RUN.replace(norm=norm)
    assert results(train(run, **WITH)) == results(train(run))


def test_interrupted_it_measures_the_same(tmp_path: Path):
    whole = train(RUN, **WITH)
    for _ in range(RUN.epochs - 1):
        with pytest.raises(Interrupted):
            train(RUN, **WITH, checkpoint=tmp_path / "run.npz", should_stop=lambda: True)
    resumed = train(RUN, **WITH, checkpoint=tmp_path / "run.npz")
    assert resumed.packed == whole.packed
    assert results(resumed) == results(whole)


def test_steps_are_the_losses_before_each_update():
    """Against a loop that computes them batch by batch; the last batch has 20 images."""
    found = arrays(train(RUN, probes=["steps"]), "steps")
    data = load(RUN.dataset, "train")
    model = build(RUN, initial_arrays(RUN)).train()
    optimizer = Optimizer(RUN, model.parameters())
    order = batch_order(RUN.seed, 1, RUN.train_size)
    losses, right = [], []
    for start in range(0, RUN.train_size, RUN.batch_size):
        chosen = order[start : start + RUN.batch_size]
        x = torch.from_numpy(data.images[chosen]).float() / 255
        y = torch.from_numpy(data.labels[chosen]).long()
        logits = model(x)
        loss = F.cross_entropy(logits, y)
        losses.append(loss.item())
        right.append((logits.argmax(1) == y).float().mean().item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert found["loss"].shape == (7,)
    np.testing.assert_allclose(found["loss"], losses, rtol=1e-5)
    np.testing.assert_allclose(found["accuracy"], right, rtol=1e-6)


def test_the_mean_over_the_steps_is_the_running_mean_of_epoch_1():
    record = train(RUN, probes=["steps"])
    loss = arrays(record, "steps")["loss"]
    sizes = [30] * 6 + [20]
    assert record.history["train_loss_running"][0] == pytest.approx(np.average(loss, weights=sizes))


def test_first_layer_weights_are_kept_and_measured(monkeypatch):
    """The last weights are taken from the optimizer's hands."""
    kept = []
    real = Optimizer.step

    def step(self):
        real(self)
        kept.append(self._parameters[0].detach().numpy().copy())

    monkeypatch.setattr(Optimizer, "step", step)
    found = arrays(train(RUN, probes=["first-layer"]), "first-layer")
    start, last = initial_arrays(RUN)["fc.weight"], kept[-1]
    mask = varied(load(RUN.dataset, "train").images)
    assert found["image"].shape == (12, 1, 28, 28)
    again = restored(found["image"], found["scale"])
    assert np.abs(again.reshape(12, -1) - last).max() <= found["scale"].max() / 127 / 2 * 1.001
    for row, weights in ((0, start), (1, kept[6]), (-1, last)):
        images = weights.reshape(12, 1, 28, 28)
        expected = patterns.autocorrelation(images, mask)
        np.testing.assert_allclose(found["autocorrelation"][row], expected, rtol=1e-6)
        moved = patterns.moved(images, start.reshape(12, 1, 28, 28), mask)
        np.testing.assert_allclose(found["moved"][row], moved, rtol=1e-6)
    assert found["moved"].shape == (RUN.epochs + 1, 12)
    assert (found["moved"][0] == 0).all()
    p = patterns.null(last.reshape(12, 1, 28, 28), "autocorrelation", mask=mask)
    np.testing.assert_array_equal(found["p"], p)


def test_a_method_on_weights_shows_what_it_computes_with():
    run = RUN.replace(norm="weight", epochs=1)
    found = arrays(train(run, probes=["first-layer"]), "first-layer")
    assert found["moved"][0].max() < 1e-6, "at the start the normalized weight is the plain one"
    assert found["moved"][1].max() > 0.01


def test_pixels_that_hardly_vary_do_not_count():
    images = np.zeros((1000, 1, 4, 4), np.uint8)
    images[:, 0, 1, 1] = np.arange(1000) % 256
    images[: int(1000 * VARIED), 0, 2, 2] = 9
    images[: int(1000 * VARIED) + 1, 0, 3, 3] = 9
    mask = varied(images)
    assert mask[1, 1]
    assert mask[3, 3]
    assert mask.sum() == 2


def test_weights_that_are_not_finite_have_no_image():
    weights = np.ones((3, 1, 2, 2), np.float32)
    weights[1, 0, 0, 0], weights[2] = np.nan, 0
    image, scale = quantized(weights)
    assert image[0].tolist() == [[[127, 127], [127, 127]]]
    assert not image[1:].any()
    np.testing.assert_array_equal(scale, np.array([1, np.nan, 0], np.float32))


def test_other_networks_are_refused():
    with pytest.raises(ProbeError, match="model='mlp', not 'cnn'"):
        train(Experiment(dataset="synthetic-gray"), probes=["first-layer"])
    assert set(first_layer.MEASURES) == {"autocorrelation", "roughness", "low_frequencies", "moved"}
