import pytest

from normlib.records import Experiment, Record
from normlib.records.choices import MODELS, RESNETS
from normlib.sweep.cost import GUESS, Costs, duration
from tests.sweep.fake import record


def recorded(seconds, **fields):
    one = record(Experiment(**fields))
    history = one.history | {"seconds": [seconds] * one.experiment.epochs}
    return Record.from_dict(one.to_dict() | {"history": history})


def test_guess_without_records():
    costs = Costs()
    assert costs.guessed(Experiment())
    assert costs.run(Experiment(epochs=3)) == pytest.approx(3 * GUESS["cnn"] * 60_000)


def test_same_norm_counts_before_same_network():
    costs = Costs([recorded(10.0, norm="none"), recorded(30.0, norm="batch")])
    assert costs.epoch(Experiment(norm="batch", seed=9)) == pytest.approx(30)
    assert costs.epoch(Experiment(norm="layer")) == pytest.approx(20)
    assert costs.guessed(Experiment(norm="layer", width=64))


def test_a_resnet_is_guessed_by_its_size():
    """Milliseconds of a step of 50 images on one core: 90 for ResNet18, 511 for ResNet101."""
    fields = {"dataset": "cifar10", "initialization": "torchvision", "batch_size": 50}
    steps = [Costs().epoch(Experiment(model=m, **fields)) / 1000 for m in RESNETS]
    assert steps == sorted(steps)
    assert steps[0] == pytest.approx(0.090)
    assert steps[3] == pytest.approx(0.511, rel=0.01)
    assert set(GUESS) == set(MODELS)


def test_the_same_batch_size_counts_before_others():
    costs = Costs([recorded(10.0, batch_size=100), recorded(30.0, batch_size=20)])
    assert costs.epoch(Experiment(batch_size=20)) == pytest.approx(30)
    assert costs.epoch(Experiment(batch_size=50)) == pytest.approx(20)


def test_another_device_tells_nothing():
    one = recorded(10.0, norm="none")
    environment = one.environment | {"device": "NVIDIA H200"}
    gpu = Record.from_dict(one.to_dict() | {"environment": environment})
    assert Costs([gpu]).guessed(Experiment())
    assert Costs([gpu], "cuda").epoch(Experiment()) == pytest.approx(10)
    assert Costs([one], "cuda").guessed(Experiment())


def test_a_record_of_no_images_tells_nothing():
    one = recorded(10.0, epochs=1).to_dict()
    held = Experiment(epochs=1, validation_size=60_000)
    one |= {"experiment": held.to_dict(), "key": held.key}
    one["history"] |= {"validation_accuracy": [0.5]}
    assert Costs([Record.from_dict(one)]).guessed(Experiment())


def test_scales_with_images_and_epochs():
    costs = Costs([recorded(10.0, norm="none")])
    assert costs.run(Experiment(train_size=6_000, epochs=5)) == pytest.approx(5 * 1.0)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (89, "89 s"), (91, "2 min"), (3600, "60 min"), (6720, "1 h 52 min")],
)
def test_duration(seconds, text):
    assert duration(seconds) == text
