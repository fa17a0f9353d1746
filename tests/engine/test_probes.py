"""Probes: a run keeps its bits, and what they measure is what it was."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from normlib.engine import Interrupted, initial_arrays, train
from normlib.engine.probes import ProbeError, Probes, bins, histograms
from normlib.engine.probes.histograms import EPOCHS, PARTS, UPDATES, block_scales
from normlib.models import build
from normlib.records import Experiment, Store
from normlib.records.arrays import unpack

RUN = Experiment(
    dataset="synthetic-color",
    model="resnet18",
    norm="batch",
    initialization="torchvision",
    optimizer="adam",
    learning_rate=0.001,
    epochs=2,
    batch_size=2,
    train_size=10,
)
NONE = RUN.replace(norm="none")
WITH = {"probes": ["histograms"]}


def results(record):
    return {name: column for name, column in record.history.items() if name != "seconds"}


def same(one, other):
    assert one.keys() == other.keys()
    for name, array in one.items():
        np.testing.assert_array_equal(array, other[name], strict=True)


def histogram(arrays, epoch, period, part):
    rows = (
        (arrays["histograms/epoch"] == epoch)
        & (arrays["histograms/period"] == period)
        & (arrays["histograms/part"] == PARTS.index(part))
    )
    return arrays["histograms/bin"][rows], arrays["histograms/count"][rows]


@pytest.fixture(autouse=True)
def few(monkeypatch):
    """Three updates are early or late instead of twenty, so that five are an epoch."""
    monkeypatch.setattr(histograms, "UPDATES", 3)
    monkeypatch.setattr(histograms, "SCALED_AT", (0, 3))


@pytest.fixture
def probed():
    return train(RUN, **WITH)


def test_every_float_is_within_its_bin():
    chance = np.random.default_rng(0)
    values = (chance.normal(size=5000) * 10.0 ** chance.uniform(-30, 30, 5000)).astype(np.float32)
    for value in [*values[:200], np.float32(0), np.float32(-0.0), np.float32(-3e38)]:
        (place,) = np.flatnonzero(bins.binned(np.array([value])))
        lower, upper = bins.edges(np.array([place], np.uint16))
        assert lower[0] <= value <= upper[0]
        assert upper[0] - lower[0] <= abs(value) / 32 + 1e-38
    counted = bins.binned(values)
    occupied = np.flatnonzero(counted).astype(np.uint16)
    middles = np.repeat(bins.middles(occupied), counted[occupied])
    np.testing.assert_allclose(np.sort(middles), np.sort(values), rtol=1 / 32)
    assert counted.sum() == 5000


def test_what_is_not_finite_has_bins_without_ends():
    strange = np.array([np.inf, -np.inf, np.nan], np.float32)
    occupied = np.flatnonzero(bins.binned(strange)).astype(np.uint16)
    assert np.isnan(bins.middles(occupied)).all()


@pytest.mark.parametrize(
    "run",
    [RUN, NONE, NONE.replace(initialization="fixup"), RUN.replace(norm="noisy")],
    ids=lambda run: f"{run.norm} {run.initialization}",
)
def test_a_run_has_the_same_bits_with_probes(run):
    run = run.replace(epochs=1)
    assert results(train(run, **WITH)) == results(train(run))


def test_interrupted_it_measures_the_same(probed, tmp_path: Path):
    checkpoint = tmp_path / "run.npz"
    with pytest.raises(Interrupted):
        train(RUN, **WITH, checkpoint=checkpoint, should_stop=lambda: True)
    resumed = train(RUN, **WITH, checkpoint=checkpoint)
    assert results(resumed) == results(probed)
    assert resumed.packed == probed.packed
    assert resumed.arrays == probed.arrays


def test_a_checkpoint_without_arrays_is_not_gone_on_from(probed, tmp_path: Path, capsys):
    checkpoint = tmp_path / "run.npz"
    with pytest.raises(Interrupted):
        train(RUN, checkpoint=checkpoint, should_stop=lambda: True)
    assert train(RUN, **WITH, checkpoint=checkpoint).packed == probed.packed
    assert "the run starts over" in capsys.readouterr().err


def test_a_store_keeps_what_was_measured(probed, tmp_path: Path):
    store = Store([], tmp_path)
    store.save(probed)
    same(store.arrays_of(store.find(RUN, ["histograms"])), unpack(probed.packed))
    assert train(RUN.replace(epochs=1)).arrays is None


def test_as_published_it_holds_the_values_after_each_update(monkeypatch):
    """Twenty-five updates: fifteen are both early and late."""
    monkeypatch.undo()
    seen = []
    real = torch.optim.Adam.step

    def step(self, *rest, **options):
        real(self, *rest, **options)
        first = self.param_groups[0]["params"][0]
        last = self.param_groups[0]["params"][-2]
        assert first.shape == (64, 7, 7, 3)
        assert last.shape[0] == 10
        seen.append([one.detach().numpy().copy() for p in (first, last) for one in (p, p.grad)])

    monkeypatch.setattr(torch.optim.Adam, "step", step)
    packed = train(NONE.replace(epochs=1, train_size=50), **WITH).packed
    assert len(packed) < 40_000
    arrays = unpack(packed)
    assert len(seen) == 25
    assert UPDATES == 20
    assert (arrays["histograms/scale"] > 0).all()
    for period, updates in enumerate((seen[:UPDATES], seen[-UPDATES:])):
        for at, part in enumerate(PARTS):
            expected = bins.binned(np.concatenate([one[at].ravel() for one in updates]))
            occupied, count = histogram(arrays, 1, period, part)
            assert (occupied == np.flatnonzero(expected)).all()
            assert (count == expected[occupied]).all()


def test_later_epochs_are_pooled_sparsely(probed):
    arrays = unpack(probed.packed)
    assert set(arrays["histograms/epoch"]) == {1, 2} <= set(EPOCHS)
    run = NONE.replace(epochs=4, train_size=4)
    assert set(unpack(train(run, **WITH).packed)["histograms/epoch"]) == {1, 2, 3}


def test_block_scales_against_a_network_taken_apart():
    model = build(NONE, initial_arrays(NONE)).double()
    x, y = torch.rand(6, 3, 32, 32).double(), torch.arange(6)
    at = model.maxpool(model.relu(model.bn1(model.conv1(x))))
    outputs = []
    for stage in (model.layer1, model.layer2, model.layer3, model.layer4):
        for block in stage:
            at = block(at)
            at.retain_grad()
            outputs.append(at)
    F.cross_entropy(model.fc(at.mean((2, 3))), y).backward()
    expected = [
        [float(one.detach().square().mean().sqrt()) for one in outputs],
        [float(one.grad.square().mean().sqrt()) for one in outputs],
    ]
    assert len(outputs) == 8
    np.testing.assert_allclose(block_scales(model, x, y), expected, rtol=1e-12)


def test_block_scales_change_nothing():
    run = RUN.replace(norm="noisy")
    model = build(run, initial_arrays(run))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    generator = torch.get_rng_state()
    block_scales(model, torch.rand(4, 3, 32, 32), torch.arange(4))
    torch.set_rng_state(generator)  # what torch.rand drew
    state = torch.get_rng_state()
    block_scales(model, torch.zeros(4, 3, 32, 32), torch.arange(4))
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())


def test_a_short_epoch_has_no_scales_after_its_last_update(probed):
    scale = unpack(probed.packed)["histograms/scale"]
    assert scale.shape == (2, 2, 8)
    assert (scale > 0).all()
    short = unpack(train(NONE.replace(epochs=1, train_size=6), **WITH).packed)["histograms/scale"]
    assert (short[0] > 0).all()
    assert np.isnan(short[1]).all(), "three updates are made, and no fourth is to come"


def test_what_cannot_be_measured_is_refused():
    with pytest.raises(ProbeError, match="did you mean histograms"):
        Probes(["histogram"], RUN)
    with pytest.raises(ProbeError, match="measures ResNets"):
        Probes(["histograms"], Experiment())
    with pytest.raises(ProbeError, match="methods on weights"):
        train(RUN.replace(norm="weight", epochs=1), **WITH)
