"""The torch engine on ResNets and with Adam: resumed runs, and what their records say."""

from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision
from torch import nn

from normlib.datasets import load
from normlib.engine import Interrupted, initial_arrays, train
from normlib.engine.optimizer import Optimizer
from normlib.engine.state import restore, state
from normlib.models import build
from normlib.records import Experiment, Record

CNN = Experiment(
    dataset="synthetic-color", norm="batch", width=8, hidden=16, epochs=3, batch_size=50
)
ADAM = {"optimizer": "adam", "learning_rate": 0.001}
RESNET18 = Experiment(
    dataset="synthetic-color",
    model="resnet18",
    norm="batch",
    initialization="torchvision",
    epochs=2,
    batch_size=20,
    train_size=50,
    **ADAM,
)


def results(record: Record) -> dict[str, list[float | int | None]]:
    return {name: column for name, column in record.history.items() if name != "seconds"}


@pytest.mark.parametrize(
    "experiment",
    [
        pytest.param(CNN, id="SGD"),
        pytest.param(CNN.replace(**ADAM), id="Adam"),
        pytest.param(CNN.replace(**ADAM, norm="weight"), id="Adam, weight"),
        pytest.param(RESNET18, id="ResNet18"),
    ],
)
def test_interrupted_after_every_epoch_it_gives_the_same_bits(
    experiment: Experiment, tmp_path: Path
) -> None:
    """With three channels the weights lie channels last, and so must what the optimizer keeps."""
    whole = train(experiment)
    checkpoint = tmp_path / "run.npz"
    for _ in range(experiment.epochs - 1):
        with pytest.raises(Interrupted, match="run it again"):
            train(experiment, checkpoint=checkpoint, should_stop=lambda: True)
    resumed = train(experiment, checkpoint=checkpoint, should_stop=lambda: True)
    assert results(resumed) == results(whole)
    assert resumed.status == "finished"


@pytest.mark.parametrize("changes", [{}, ADAM], ids=["SGD", "Adam"])
def test_a_state_from_a_file_is_gone_on_from_as_the_one_in_memory(changes: dict) -> None:
    """A file knows no channels_last, in which the weights lie and a fused optimizer walks."""
    experiment = CNN.replace(**changes)
    models = [build(experiment, initial_arrays(experiment)) for _ in range(2)]
    models = [m.to(memory_format=torch.channels_last) for m in models]
    optimizers = [Optimizer(experiment, m.parameters()) for m in models]
    x = torch.rand(4, 3, 32, 32)

    def step(which: int) -> None:
        optimizers[which].zero_grad()
        models[which](x).square().sum().backward()
        optimizers[which].step()

    step(0)
    saved = state(models[0], optimizers[0])
    restore(models[1], optimizers[1], {k: np.array(a, order="C") for k, a in saved.items()})
    for which in (0, 1):
        step(which)
    first, second = (state(m, o) for m, o in zip(models, optimizers, strict=True))
    assert first.keys() == second.keys()
    assert all(np.array_equal(first[name], second[name]) for name in first)
    assert sum(name.startswith("optimizer/") for name in first) == (
        len(list(models[0].parameters())) * (3 if changes else 1)
    )


@pytest.mark.parametrize("changes", [{}, ADAM], ids=["SGD", "Adam"])
def test_a_gradient_may_lie_otherwise_than_its_parameter(changes: dict) -> None:
    """A fused call of torch's would then pair the elements as they lie in memory."""
    formats = {"parameter": torch.channels_last, "gradient": torch.contiguous_format}
    drawn = {name: torch.randn(4, 3, 5, 5).to(memory_format=f) for name, f in formats.items()}
    parameter = nn.Parameter(drawn["parameter"].clone())
    plain = nn.Parameter(drawn["parameter"].contiguous())
    for one in (parameter, plain):
        one.grad = drawn["gradient"]
        Optimizer(CNN.replace(**changes), [one]).step()
    assert not torch.equal(parameter, drawn["parameter"])
    torch.testing.assert_close(parameter, plain)


def test_one_step_of_adam_against_its_formula() -> None:
    """The first step is ``rate * g / (|g| + eps)`` with both averages corrected for their start."""
    experiment = CNN.replace(**ADAM)
    model = build(experiment, initial_arrays(experiment))
    before = [p.detach().clone() for p in model.parameters()]
    model(torch.rand(4, 3, 32, 32)).square().sum().backward()
    Optimizer(experiment, model.parameters()).step()
    for was, parameter in zip(before, model.parameters(), strict=True):
        assert parameter.grad is not None
        expected = was - 0.001 * parameter.grad / (parameter.grad.abs() + 1e-8)
        torch.testing.assert_close(parameter.detach(), expected, rtol=1e-4, atol=1e-7)


def test_a_resnet_learns_and_its_record_says_by_what() -> None:
    record = train(RESNET18.replace(epochs=3, train_size=60))
    assert record.status == "finished"
    losses = record.history["train_loss_running"]
    assert losses[-1] < losses[0]
    assert record.environment["torchvision"] == torchvision.__version__
    assert "torchvision" not in train(CNN.replace(epochs=1)).environment


@pytest.mark.parametrize("model", ["resnet18", "resnet50"])
def test_updates_are_those_of_a_plain_loop(model: str) -> None:
    """torchvision's network and torch's Adam, in the plain memory format: nothing made faster.

    In double precision, since in single precision Adam's first steps, of nearly the same length
    whatever the gradient, make any rounding a difference that can be seen.
    """
    experiment = RESNET18.replace(model=model)
    arrays, data = initial_arrays(experiment), load(experiment.dataset, "train")
    ours = build(experiment, arrays).double().to(memory_format=torch.channels_last)
    theirs = getattr(torchvision.models, model)(num_classes=10)
    theirs.load_state_dict({n: torch.from_numpy(a) for n, a in arrays.items()}, strict=False)
    pairs = [
        (ours, Optimizer(experiment, ours.parameters()), torch.channels_last),
        (theirs.double(), torch.optim.Adam(theirs.parameters(), 0.001), torch.contiguous_format),
    ]
    losses: list[list[float]] = []
    for batch in np.split(np.arange(24), 3):
        x = torch.from_numpy(data.images[batch]).double() / 255
        y = torch.from_numpy(data.labels[batch]).long()
        losses.append([])
        for network, optimizer, layout in pairs:
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(network(x.contiguous(memory_format=layout)), y)
            loss.backward()
            optimizer.step()
            losses[-1].append(loss.item())
    found, expected = np.transpose(losses)
    assert np.ptp(expected) > 0.1, "the updates change something"
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_fixup_trains() -> None:
    record = train(RESNET18.replace(norm="none", initialization="fixup", epochs=1, train_size=60))
    assert record.status == "finished"
    assert record.history["train_loss_running"][0] < 3


@pytest.mark.parametrize("norm", ["affine", "weight"])
def test_a_start_from_data_is_that_of_batch_norm_and_outlives_interruptions(
    norm: str, tmp_path: Path
) -> None:
    """The first batch's loss is that under BatchNorm, which is another one without such a start."""
    started = RESNET18.replace(norm=norm, initialization="data", epochs=3)
    one_update = RESNET18.replace(train_size=20, epochs=1)
    losses = {
        run: train(one_update.replace(norm=run[0], initialization=run[1])).history[
            "train_loss_running"
        ][0]
        for run in [("batch", "torchvision"), (norm, "data"), (norm, "torchvision")]
    }
    batch = losses.pop(("batch", "torchvision"))
    assert losses[norm, "data"] == pytest.approx(batch, rel=1e-3)
    assert losses[norm, "torchvision"] != pytest.approx(batch, rel=1e-2)
    whole = train(started)
    assert whole.status == "finished"
    with pytest.raises(Interrupted):
        train(started, checkpoint=tmp_path / "run.npz", should_stop=lambda: True)
    assert results(train(started, checkpoint=tmp_path / "run.npz")) == results(whole)
