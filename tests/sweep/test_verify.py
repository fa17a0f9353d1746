import numpy as np
import pytest

from normlib.records import Experiment, Record, Store
from normlib.sweep import PLANS, compute
from normlib.sweep.verify import compare, sample
from tests.faults.table import run_command
from tests.sweep.fake import record
from tests.sweep.test_local import fake, importable  # noqa: F401

SMOKE = PLANS["smoke"].experiments


def changed(one, *, environment=None, by=0.0):
    history = one.history | {"test_loss": [value + by for value in one.history["test_loss"]]}
    plain = one.to_dict() | {"history": history}
    plain["environment"] = plain["environment"] | (environment or {})
    return Record.from_dict(plain)


def test_sample_is_fixed_by_salt_and_key():
    records = [record(run) for run in SMOKE]
    chosen = sample(records, 3, "salt")
    assert chosen == sample(records[::-1], 3, "salt")
    assert len({one.key for one in chosen}) == 3
    assert any(sample(records, 3, str(salt)) != chosen for salt in range(5))
    assert len(sample(records, 99, "")) == len(SMOKE)


def test_one_bit_matters_in_the_same_environment():
    one = record(SMOKE[0])
    assert compare(one, one).agrees
    assert compare(one, changed(one, by=1e-17)).agrees, "0.5 + 1e-17 is 0.5"
    verdict = compare(one, changed(one, by=2**-53))
    assert not verdict.agrees
    assert "bitwise equality is promised" in str(verdict)


@pytest.mark.parametrize(("by", "agrees"), [(0.05, True), (0.2, False)])
def test_elsewhere_a_tolerance_holds(by, agrees):
    one = record(SMOKE[0])
    verdict = compare(one, changed(one, by=by, environment={"instruction_set": "AVX9"}))
    assert verdict.agrees == agrees
    assert "instruction_set" in str(verdict)
    assert "within 0.1" in str(verdict)


def test_tensorflow_has_the_tolerance_everywhere():
    one = record(Experiment(norm="tensorflow:batch", epochs=2))
    assert compare(one, changed(one, by=0.01)).agrees


def test_a_gpu_has_the_tolerance_everywhere():
    gpu = {"device": "NVIDIA H200"}
    one = changed(record(SMOKE[0]), environment=gpu)
    verdict = compare(one, changed(one, by=2**-53), ({"p/x": np.zeros(1)}, {"p/x": np.ones(1)}))
    assert verdict.agrees
    assert "same environment (accuracies within 0.02" in verdict.words


def test_python_and_platform_decide_no_bits():
    one = record(SMOKE[0])
    other = changed(one, environment={"python": "3.99", "platform": "elsewhere"}, by=2**-53)
    assert "promised" in compare(one, other).words


def test_command_repeats_a_sample(project):
    compute(SMOKE, Store.default(), trainer=fake())
    before = sorted(project.rglob("*"))
    outcome = run_command("records", "verify", "--count", "2", "--trainer", fake())
    assert outcome.code == 0
    assert outcome.out.count("bitwise equal") == 2
    assert sorted(project.rglob("*")) == before, "a repetition leaves nothing behind"


def test_command_notices_another_result(project):
    compute(SMOKE[:1], Store.default(), trainer=fake())
    outcome = run_command("records", "verify", "--trainer", fake("altered"))
    assert outcome.code == 1
    assert "DIFFERS" in outcome.out
    assert "0 of 1 records agree" in outcome.out
