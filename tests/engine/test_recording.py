"""From epochs to a record: what is not finite, what does not fit."""

import math

import pytest

from normlib.datasets import load
from normlib.engine.recording import History, finish, now
from normlib.records import Experiment, Record
from normlib.records.fingerprint import environment

VALUES = {
    "train_loss": 1.0,
    "train_accuracy": 0.5,
    "train_loss_running": 1.0,
    "train_accuracy_running": 0.5,
    "test_loss": 1.0,
    "test_accuracy": 0.5,
    "seconds": 0.1,
}
DATA = load("synthetic-gray", "train"), load("synthetic-gray", "test")


def finished(history: History, epochs: int) -> Record:
    experiment = Experiment(dataset="synthetic-gray", epochs=epochs)
    where = environment({"torch": "0"}, "cpu", 1, "eager")
    return finish(experiment, history, where, now(), data=DATA)


def test_epochs_are_counted_from_one_and_returned() -> None:
    history = History()
    assert history.append(**VALUES) == {"epoch": 1, **VALUES}
    history.append(**VALUES)
    record = finished(history, epochs=2)
    assert record.history["epoch"] == [1, 2]
    assert record.status == "finished"


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_becomes_null_and_diverged(value: float) -> None:
    history = History()
    history.append(**VALUES)
    assert not history.diverged
    assert history.append(**{**VALUES, "test_loss": value})["test_loss"] is None
    assert history.diverged
    assert finished(history, epochs=5).status == "diverged"


def test_other_names_than_before_are_refused() -> None:
    history = History()
    history.append(loss=1.0)
    with pytest.raises(ValueError, match="not"):
        history.append(accuracy=1.0)
    assert history.epochs == 1


def test_a_record_does_not_share_the_lists_of_a_running_history() -> None:
    history = History()
    history.append(**VALUES)
    record = finished(history, epochs=1)
    history.append(**VALUES)
    assert len(record.history["epoch"]) == 1


def test_a_copy_of_columns_goes_on_counting() -> None:
    history = History({"epoch": [1], "loss": [2.0]})
    assert history.append(loss=1.0) == {"epoch": 2, "loss": 1.0}
