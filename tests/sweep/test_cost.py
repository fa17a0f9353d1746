import pytest

from normlib.records import Experiment, Record
from normlib.sweep.cost import GUESS, Costs, duration
from tests.sweep.fake import record


def recorded(seconds, **fields):
    one = record(Experiment(**fields))
    history = one.history | {"seconds": [seconds] * one.experiment.epochs}
    return Record.from_dict(one.to_dict() | {"history": history})


def test_guess_without_records():
    costs = Costs()
    assert costs.guessed(Experiment())
    assert costs.run(Experiment(epochs=3)) == pytest.approx(3 * GUESS * 60_000)


def test_same_norm_counts_before_same_network():
    costs = Costs([recorded(10.0, norm="none"), recorded(30.0, norm="batch")])
    assert costs.epoch(Experiment(norm="batch", seed=9)) == pytest.approx(30)
    assert costs.epoch(Experiment(norm="layer")) == pytest.approx(20)
    assert costs.guessed(Experiment(norm="layer", width=64))


def test_scales_with_images_and_epochs():
    costs = Costs([recorded(10.0, norm="none")])
    assert costs.run(Experiment(train_size=6_000, epochs=5)) == pytest.approx(5 * 1.0)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (89, "89 s"), (91, "2 min"), (3600, "60 min"), (6720, "1 h 52 min")],
)
def test_duration(seconds, text):
    assert duration(seconds) == text
