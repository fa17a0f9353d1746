"""The Keras engine: same start and batches as ours, resume to the bit, no silent differences."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from normlib.datasets import load
from normlib.engine import keras as engine
from normlib.engine.initial import initial_arrays
from normlib.engine.keras import layouts, runtime, support
from normlib.engine.order import batch_order
from normlib.records import Experiment, Record
from tests.engine import network_reference as reference
from tests.engine.keras_runs import EXPERIMENTS, NORMS, RESUMED

ROOT = Path(__file__).resolve().parents[2]
needs_tensorflow = pytest.mark.skipif(
    importlib.util.find_spec("tensorflow") is None, reason="TensorFlow is not installed"
)


def run(phase: str, folder: Path) -> str:
    ran = subprocess.run(
        [sys.executable, "-m", "tests.engine.keras_runs", phase, str(folder)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stderr


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("keras")
    run("first", folder)
    return folder


@pytest.fixture(scope="module")
def resumed(folder: Path) -> str:
    """What resuming in a second process said on stderr."""
    return run("second", folder)


def record(folder: Path, name: str) -> Record:
    return Record.from_json((folder / f"{name}.json").read_text())


def seen(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "seen.json").read_text())
    return found


def first_batch(experiment: Experiment) -> tuple[np.ndarray, np.ndarray]:
    data = load(experiment.dataset, "train")
    order = batch_order(experiment.seed, 1, 32)
    return data.images[order] / 255.0, data.labels[order]


# Without TensorFlow: what is refused, and the layouts.


@pytest.mark.parametrize(
    ("field", "value"),
    [("norm", "batch"), ("norm", "torch:batch"), ("norm", "none"), ("weight_decay", 0.1)],
)
def test_what_it_does_not_support_is_refused_by_name(field: str, value: object) -> None:
    experiment = Experiment(**{"norm": "tensorflow:none", field: value})
    with pytest.raises(engine.UnsupportedError, match=f"{field}={value!r} is not supported"):
        engine.train(experiment)


def test_another_device_is_refused() -> None:
    with pytest.raises(engine.UnsupportedError, match="device='cuda' is not supported"):
        engine.train(Experiment(norm="tensorflow:none"), device="cuda")


def test_every_field_is_either_free_or_listed() -> None:
    known = set(support.FREE) | set(support.SUPPORTED)
    assert known == set(Experiment().to_dict())
    assert not set(support.FREE) & set(support.SUPPORTED)


def test_a_field_added_later_is_refused_unless_at_its_default(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(support, "FREE", tuple(f for f in support.FREE if f != "width"))
    support.check(Experiment(norm="tensorflow:none"))
    with pytest.raises(engine.UnsupportedError, match="width=7"):
        support.check(Experiment(norm="tensorflow:none", width=7))


def test_it_does_not_start_beside_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", sys)
    with pytest.raises(runtime.RuntimeSetupError, match="torch is loaded"):
        engine.train(EXPERIMENTS["none"])


def test_a_missing_tensorflow_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    monkeypatch.setenv("KERAS_BACKEND", "tensorflow")
    with pytest.raises(runtime.RuntimeSetupError, match="uv sync --group peers"):
        runtime.start(1)


def test_flattened_weights_follow_their_features() -> None:
    random = np.random.default_rng(0)
    x, weight = random.normal(size=(2, 3, 4, 5)), random.normal(size=(7, 60))
    expected = x.reshape(2, -1) @ weight.T
    found = layouts.images(x).reshape(2, -1) @ layouts.dense_after_flatten(weight, 3, 4, 5)
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_kernels_follow_their_channels() -> None:
    weight = np.random.default_rng(0).normal(size=(4, 3, 5, 2))
    found = layouts.kernel(weight)
    assert found.shape == (5, 2, 3, 4)
    assert found[4, 1, 2, 3] == weight[3, 2, 4, 1]


# With TensorFlow, in processes of their own.


@needs_tensorflow
@pytest.mark.parametrize("norm", NORMS)
def test_first_loss_is_that_of_the_formulas(folder: Path, norm: str) -> None:
    experiment = EXPERIMENTS[f"{norm}-step"]
    arrays = initial_arrays(experiment)
    x, labels = first_batch(experiment)
    h = reference.convolution(x, arrays["conv.weight"], arrays["conv.bias"])
    axes = {"batch": (0, 2, 3), "layer": (1,)}.get(norm)
    h = h if axes is None else reference.normalized(h, axes, eps=1e-3)
    loss, _ = reference.cross_entropy(reference.logits(arrays, h), labels)
    assert record(folder, f"{norm}-step").history["train_loss_running"] == [
        pytest.approx(loss, rel=1e-5)
    ]


@needs_tensorflow
def test_first_update_is_minus_learning_rate_times_gradient(folder: Path) -> None:
    experiment = EXPERIMENTS["none-step"]
    arrays = initial_arrays(experiment)
    x, labels = first_batch(experiment)
    h = reference.convolution(x, arrays["conv.weight"], arrays["conv.bias"])
    _, gradient = reference.cross_entropy(reference.logits(arrays, h), labels)
    with np.load(folder / "none-step.npz") as state:
        bias = [state[name] for name in state.files if state[name].shape == (10,)]
    assert len(bias) == 2  # the weight and its velocity
    for found in bias:
        np.testing.assert_allclose(found, -0.01 * gradient.sum(0), rtol=1e-4, atol=1e-8)


@needs_tensorflow
def test_moving_statistics_are_keras_defaults_biased(folder: Path) -> None:
    experiment = EXPERIMENTS["batch-step"]
    arrays = initial_arrays(experiment)
    x, _ = first_batch(experiment)
    h = reference.convolution(x, arrays["conv.weight"], arrays["conv.bias"])
    expected = [0.01 * h.mean((0, 2, 3)), 0.99 + 0.01 * h.var((0, 2, 3))]
    with np.load(folder / "batch-step.npz") as state:
        found = [state[name] for name in state.files if state[name].shape == (3,)]
    for array in expected:
        assert any(np.allclose(array, other, rtol=1e-5, atol=1e-7) for other in found)


@needs_tensorflow
def test_resumed_in_another_process_equals_uninterrupted_to_the_bit(
    folder: Path, resumed: str
) -> None:
    assert record(folder, "resumed").results == record(folder, RESUMED).results
    assert json.loads((folder / "resumed-epochs.json").read_text()) == [2, 3]
    assert "after epoch 1 of 3" in (folder / "stopped.txt").read_text()
    assert record(folder, "resumed").started <= record(folder, "resumed").finished


@needs_tensorflow
def test_a_finished_checkpoint_needs_no_training(folder: Path, resumed: str) -> None:
    assert record(folder, "finished").history == record(folder, "resumed").history


@needs_tensorflow
@pytest.mark.parametrize("name", ["cut", "foreign"])
def test_a_checkpoint_that_does_not_fit_is_ignored_aloud(
    folder: Path, resumed: str, name: str
) -> None:
    assert record(folder, name).results == record(folder, RESUMED).results
    file = {"cut": "stopped.npz", "foreign": "none.npz"}[name]
    assert f"warning: {file} is ignored" in resumed


@needs_tensorflow
def test_the_last_epoch_is_not_interrupted(folder: Path) -> None:
    assert record(folder, "never").results == record(folder, "none-step").results


@needs_tensorflow
def test_it_reports_steps_and_epochs(folder: Path) -> None:
    told = seen(folder)
    steps = [[1, 3], [2, 3], [3, 3]]  # 80 images in batches of 32: the last has 16
    assert told["batch"]["steps"] == steps * 3
    assert told["drop"]["steps"] == [[1, 2], [2, 2]]
    history = record(folder, "batch").history
    for epoch, values in told["batch"]["epochs"]:
        assert values == {name: column[epoch - 1] for name, column in history.items()}


@needs_tensorflow
def test_training_never_loads_torch(folder: Path) -> None:
    modules = seen(folder)["modules"]
    assert "tensorflow" in modules
    assert not {"torch", "torchvision"} & set(modules)


@needs_tensorflow
@pytest.mark.parametrize("norm", NORMS)
def test_it_learns(folder: Path, norm: str) -> None:
    losses = record(folder, norm).history["train_loss_running"]
    assert losses[-1] < losses[0]


@needs_tensorflow
@pytest.mark.parametrize(
    ("norm", "ours"), [("none", "none"), ("batch", "batch"), ("layer", "layer-channels")]
)
def test_it_trains_as_our_own_engine_does(folder: Path, norm: str, ours: str) -> None:
    """Nine updates, two kinds of batch: same start, same order, same SGD, up to rounding."""
    from normlib.engine import train

    eps = None if norm == "none" else 1e-3
    experiment = EXPERIMENTS[norm].replace(norm=ours, norm_eps=eps)
    expected = train(experiment).history
    found = record(folder, norm).history
    names = ["train_loss_running", "train_accuracy_running"]
    if norm != "batch":  # whose running statistics are defined differently
        names += ["train_loss", "train_accuracy", "test_loss"]
    for name in names:
        assert found[name] == pytest.approx(expected[name], rel=1e-4), name


@needs_tensorflow
def test_every_free_field_changes_the_run(folder: Path) -> None:
    first_epoch = [column[0] for column in record(folder, "batch").results.values()]
    assert [c[0] for c in record(folder, "standard").results.values()] != first_epoch
    color = record(folder, "color")
    assert len(color.history["validation_accuracy"]) == 1
    assert color.dataset["name"] == "synthetic-color"


@needs_tensorflow
def test_divergence_ends_the_run_and_is_recorded(folder: Path) -> None:
    wild = record(folder, "wild")
    assert wild.status == "diverged"
    assert wild.history["train_loss"][-1] is None
    assert len(wild.history["epoch"]) < 3
    assert 0 <= wild.history["test_accuracy"][-1] <= 1


@needs_tensorflow
def test_a_record_says_what_computed_it(folder: Path) -> None:
    environment = record(folder, "batch").environment
    assert {"tensorflow", "keras", "numpy"} <= set(environment)
    assert (environment["threads"], environment["device"]) == (1, "cpu")
