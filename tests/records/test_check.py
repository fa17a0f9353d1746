"""What contradicts what: only where bits are promised."""

import dataclasses

import pytest

from normlib.datasets import INFO
from normlib.records import Experiment, Store
from normlib.records.check import check
from tests.sweep.fake import record


@pytest.mark.parametrize(
    ("norm", "device", "contradictions"),
    [("batch", "cpu", 1), ("batch", "NVIDIA H200", 0), ("tensorflow:batch", "cpu", 0)],
)
def test_other_results_contradict_where_bits_are_promised(norm, device, contradictions, tmp_path):
    store = Store([], tmp_path)
    one = record(Experiment(norm=norm, epochs=2))
    one = dataclasses.replace(one, environment=one.environment | {"device": device})
    store.save(one)
    store.save(dataclasses.replace(one, history=one.history | {"test_loss": [0.5, 0.5 + 2**-53]}))
    valid, problems = check(store, INFO)
    assert len(valid) == 2
    assert ["contradicts" in problem.reason for problem in problems] == [True] * contradictions
