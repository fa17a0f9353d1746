import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from normlib.records import Experiment, Record, RecordError
from normlib.records.record import canonical
from tests.sweep.fake import record

UNIT = st.floats(0, 1)


@given(st.lists(st.tuples(UNIT, st.floats(0, 1e300)), min_size=1, max_size=5))
def test_json_keeps_every_bit(rows):
    one = record(Experiment(epochs=len(rows)))
    history = one.history | {
        "test_accuracy": [accuracy for accuracy, _ in rows],
        "test_loss": [loss for _, loss in rows],
    }
    before = Record.from_dict(one.to_dict() | {"history": history})
    after = Record.from_json(before.to_json())
    assert after == before
    assert canonical(after.to_dict()) == canonical(before.to_dict())
    assert after.to_json() == before.to_json()


def test_fields_are_those_of_the_design():
    assert list(json.loads(record(Experiment()).to_json())) == [
        "schema",
        "key",
        "status",
        "experiment",
        "history",
        "dataset",
        "environment",
        "code",
        "started",
        "finished",
        "arrays",
    ]


def test_diverged_may_end_early_with_nulls():
    one = record(Experiment(epochs=5)).to_dict()
    one["history"] = {name: values[:2] for name, values in one["history"].items()}
    one["history"]["train_loss"] = [0.5, None]
    with pytest.raises(RecordError, match="2 of 5 epochs"):
        Record.from_dict(one)
    assert Record.from_dict(one | {"status": "diverged"}).history["train_loss"] == [0.5, None]


def test_validation_accuracy_needs_a_split():
    one = record(Experiment(epochs=1)).to_dict()
    split = Experiment(epochs=1, validation_size=5_000)
    one |= {"experiment": split.to_dict(), "key": split.key}
    with pytest.raises(RecordError, match="validation_accuracy"):
        Record.from_dict(one)
    one["history"] |= {"validation_accuracy": [0.5]}
    assert Record.from_dict(one).history["validation_accuracy"] == [0.5]


def test_minus_zero_is_not_zero():
    assert canonical(-0.0) != canonical(0.0)


def test_results_leave_out_seconds_only():
    one = record(Experiment(epochs=2))
    assert set(one.history) - set(one.results) == {"seconds"}
    assert one.seconds == 2.0
