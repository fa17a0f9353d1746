"""The torch engine: what a record says, that a resumed run is the same run, and what it refuses."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from normlib.datasets import load
from normlib.engine import Interrupted, initial_arrays, train
from normlib.engine.optimizer import Optimizer
from normlib.engine.order import batch_order
from normlib.engine.processor import processor
from normlib.engine.state import restore, state
from normlib.errors import NormlibError
from normlib.models import build
from normlib.records import Experiment, Record, fingerprint

TINY = Experiment(dataset="synthetic-gray", width=8, hidden=16, epochs=3, batch_size=50)


def results(record: Record) -> dict[str, list[float | int | None]]:
    return {name: column for name, column in record.history.items() if name != "seconds"}


@pytest.mark.parametrize(
    "norm",
    [
        *("none", "batch", "batch-batchstats", "layer", "weight", "torch:batch", "torch:weight"),
        *("noisy", "spectral"),  # these draw random numbers
    ],
)
def test_interrupted_after_every_epoch_it_gives_the_same_bits(norm: str, tmp_path: Path) -> None:
    experiment = TINY.replace(norm=norm)
    whole = train(experiment)
    checkpoint = tmp_path / "run.npz"
    for _ in range(experiment.epochs - 1):
        with pytest.raises(Interrupted, match="run it again"):
            train(experiment, checkpoint=checkpoint, should_stop=lambda: True)
    resumed = train(experiment, checkpoint=checkpoint, should_stop=lambda: True)
    assert results(resumed) == results(whole)
    assert resumed.status == "finished"


def test_the_caller_keeps_their_random_numbers() -> None:
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    train(TINY.replace(norm="noisy"))
    assert torch.equal(torch.rand(3), expected)


def test_a_damaged_checkpoint_is_ignored_with_a_word(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoint = tmp_path / "run.npz"
    checkpoint.write_bytes(b"PK\x03\x04 no archive")
    record = train(TINY, checkpoint=checkpoint)
    assert "is ignored" in capsys.readouterr().err
    assert results(record) == results(train(TINY))


def test_another_runs_checkpoint_is_ignored(tmp_path: Path) -> None:
    checkpoint = tmp_path / "run.npz"
    train(TINY.replace(seed=1, epochs=1), checkpoint=checkpoint)
    assert results(train(TINY, checkpoint=checkpoint)) == results(train(TINY))


def test_a_checkpoint_of_another_processor_is_ignored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The record would say that the last one had computed all epochs."""
    checkpoint = tmp_path / "run.npz"
    with pytest.raises(Interrupted):
        train(TINY, checkpoint=checkpoint, should_stop=lambda: True)
    monkeypatch.setattr(fingerprint, "_cpu_model", lambda: "another processor")
    epochs: list[int] = []
    record = train(TINY, checkpoint=checkpoint, on_epoch=lambda epoch, _: epochs.append(epoch))
    assert epochs == [1, 2, 3]
    assert record.environment["cpu"] == "another processor"


def test_the_record_says_what_was_done() -> None:
    calls: list[tuple[int, int]] = []
    epochs: list[int] = []
    record = train(
        TINY,
        on_step=lambda step, steps: calls.append((step, steps)),
        on_epoch=lambda epoch, values: epochs.append(epoch),
    )
    steps = math.ceil(len(load("synthetic-gray", "train").labels) / 50)
    assert calls == [(i + 1, steps) for _ in range(3) for i in range(steps)]
    assert epochs == record.history["epoch"] == [1, 2, 3]
    assert record.key == TINY.key
    assert record.environment["torch"] == torch.__version__
    assert record.environment["mode"] == "eager"
    assert record.dataset["train_sha256"] == load("synthetic-gray", "train").sha256
    assert record.history["train_accuracy"][-1] > 0.5  # it learns: chance is 0.1
    assert record.history["train_loss"][-1] < record.history["train_loss"][0]


def test_the_last_short_batch_is_kept_or_dropped() -> None:
    counts = []
    for last in ("keep", "drop"):
        experiment = TINY.replace(epochs=1, train_size=120, last_batch=last)
        steps: list[int] = []
        train(experiment, on_step=lambda step, total, steps=steps: steps.append(total))
        counts.append(len(steps))
    assert counts == [3, 2]


def test_a_validation_split_is_held_out() -> None:
    record = train(TINY.replace(epochs=1, validation_size=100))
    assert 0 <= record.history["validation_accuracy"][0] <= 1
    assert results(record) != results(train(TINY.replace(epochs=1)))


def test_a_diverging_run_ends_as_such() -> None:
    record = train(TINY.replace(learning_rate=1e30))
    assert record.status == "diverged"
    assert len(record.history["epoch"]) < TINY.epochs or None in record.history["train_loss"]


def test_first_values_against_a_forward_pass_by_hand() -> None:
    """Loss and accuracy of the first batch before any update, in NumPy and float64."""
    experiment = TINY.replace(epochs=1, train_size=50)
    record = train(experiment)
    arrays = {name: a.astype(np.float64) for name, a in initial_arrays(experiment).items()}
    data = load("synthetic-gray", "train")
    chosen = batch_order(experiment.seed, 1, 50)
    x, y = data.images[chosen] / 255.0, data.labels[chosen]
    padded = np.pad(x, ((0, 0), (0, 0), (2, 2), (2, 2)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (5, 5), axis=(2, 3))
    z = np.einsum("nchwij,ocij->nohw", windows, arrays["conv.weight"])
    z += arrays["conv.bias"][:, None, None]
    n, c, h, w = z.shape
    pooled = np.maximum(z, 0).reshape(n, c, h // 2, 2, w // 2, 2).max((3, 5))  # ReLU first
    hidden = np.maximum(pooled.reshape(n, -1) @ arrays["fc.weight"].T + arrays["fc.bias"], 0)
    logits = hidden @ arrays["out.weight"].T + arrays["out.bias"]
    top = logits.max(1, keepdims=True)
    losses = np.log(np.exp(logits - top).sum(1)) + top[:, 0] - logits[np.arange(n), y]
    assert record.history["train_loss_running"][0] == pytest.approx(losses.mean(), rel=1e-5)
    assert record.history["train_accuracy_running"][0] == (logits.argmax(1) == y).mean()


def test_statistics_of_the_batch_are_taken_from_batches_of_the_training_size() -> None:
    """Evaluated in one batch of 256 instead, ``batch-batchstats`` would give other values."""
    small = TINY.replace(norm="batch-batchstats", epochs=1, batch_size=2, train_size=100)
    large = small.replace(norm="batch")
    assert results(train(small))["test_loss"] != results(train(large))["test_loss"]


def test_the_state_makes_a_round_trip() -> None:
    experiment = TINY.replace(norm="batch")
    first, second = build(experiment, initial_arrays(experiment)), build(experiment)
    optimizers = [Optimizer(experiment, m.parameters()) for m in (first, second)]
    first(torch.rand(4, 1, 28, 28)).square().sum().backward()
    optimizers[0].step()
    saved = state(first, optimizers[0])
    restore(second, optimizers[1], saved)
    again = state(second, optimizers[1])
    assert saved.keys() == again.keys()
    assert all(np.array_equal(saved[name], again[name]) for name in saved)


@pytest.mark.parametrize("device", ["cuda:99", "tpu", "nowhere", "meta", "mps"])
def test_a_device_that_is_not_there(device: str) -> None:
    with pytest.raises(NormlibError, match="choose cpu"):
        train(TINY, device=device)


def test_a_training_set_that_is_too_small() -> None:
    with pytest.raises(NormlibError, match="train_size=99999"):
        train(TINY.replace(train_size=99_999))


def test_the_framework_of_a_peer_is_not_ours() -> None:
    with pytest.raises(NormlibError, match="tensorflow:batch"):
        train(TINY.replace(norm="tensorflow:batch"))


@pytest.mark.parametrize("flush", [True, False])
def test_the_caller_gets_their_processor_back(flush: bool) -> None:
    """Threads and the treatment of the smallest numbers are settings of the whole thread."""
    before = torch.get_num_threads()
    torch.set_flush_denormal(flush)
    torch.set_num_threads(2)
    try:
        train(TINY.replace(epochs=1))
        assert (float(torch.tensor(1e-39) * torch.tensor(1.0)) == 0.0) == flush
        assert torch.get_num_threads() == 2
        with pytest.raises(NormlibError):
            train(TINY, device="cuda:99")
        assert torch.get_num_threads() == 2
    finally:
        torch.set_flush_denormal(False)
        torch.set_num_threads(before)


def test_a_gpus_kernels_and_precision_are_set_for_a_run_and_given_back() -> None:
    """Whatever the caller has set or forbidden, a record on a GPU means PyTorch's defaults."""
    cudnn, matmul = torch.backends.cudnn, torch.backends.cuda.matmul
    torch.backends.disable_global_flags()  # as the import of torch's own test machinery does
    cudnn.conv.fp32_precision, matmul.fp32_precision = "ieee", "tf32"
    try:
        with processor(1):
            assert cudnn.conv.fp32_precision == "ieee"  # a run on a CPU leaves it alone
        with processor(1, torch.device("cuda")):
            assert (cudnn.deterministic, cudnn.benchmark) == (True, False)
            assert (cudnn.allow_tf32, matmul.allow_tf32) == (True, False)
        assert (cudnn.conv.fp32_precision, matmul.fp32_precision) == ("ieee", "tf32")
        assert not cudnn.deterministic
    finally:
        cudnn.conv.fp32_precision, matmul.allow_tf32 = "tf32", False


@pytest.mark.parametrize("older", ["high", "medium", "highest"])
def test_a_gpu_run_begins_and_ends_well_beside_torchs_older_switches(older: str) -> None:
    """Where they disagree with the newer ones, torch raises whenever somebody reads them."""
    cudnn, matmul = torch.backends.cudnn, torch.backends.cuda.matmul
    mkldnn = torch.backends.mkldnn.matmul
    before = matmul.fp32_precision, mkldnn.fp32_precision
    torch.set_float32_matmul_precision(older)
    try:
        with cudnn.flags(enabled=True, allow_tf32=False, fp32_precision=None):
            with processor(1, torch.device("cuda")):
                assert (cudnn.allow_tf32, matmul.allow_tf32) == (True, False)
            assert not cudnn.allow_tf32
            assert matmul.allow_tf32 == (older != "highest")
            assert torch.get_float32_matmul_precision() == older
        mkldnn.fp32_precision = "bf16"  # from here on the older name cannot be read
        with processor(1, torch.device("cuda")):
            assert not matmul.allow_tf32
        assert matmul.allow_tf32 == (older != "highest")
    finally:
        torch.set_float32_matmul_precision("highest")
        matmul.fp32_precision, mkldnn.fp32_precision = before
