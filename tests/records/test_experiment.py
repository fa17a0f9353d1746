import json
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from normlib.atomic import temporary_name
from normlib.datasets import INFO
from normlib.records import Experiment, ExperimentError, Record, experiment
from normlib.records.choices import (
    ALL_NORMS,
    COLOR_DATASETS,
    DATASETS,
    NORMS,
    RESNETS,
    WITHIN_CHANNELS,
)
from normlib.records.experiment import LONGEST_NAME
from normlib.records.store import file_name
from tests.sweep.fake import record

RESNET = Experiment(
    dataset="cifar10",
    model="resnet18",
    norm="batch",
    initialization="torchvision",
    optimizer="adam",
    learning_rate=0.001,
    batch_size=20,
    epochs=15,
)
EXPERIMENTS = st.builds(
    Experiment,
    dataset=st.sampled_from(DATASETS),
    norm=st.sampled_from(ALL_NORMS),
    seed=st.integers(0, 2**53),
    learning_rate=st.floats(1e-6, 10),
    momentum=st.floats(0, 0.999),
    epochs=st.integers(1, 100),
    train_size=st.none() | st.integers(100, 60_000),
) | st.builds(
    Experiment,
    dataset=st.sampled_from(COLOR_DATASETS),
    model=st.sampled_from(RESNETS),
    norm=st.sampled_from([norm for norm in NORMS if norm not in WITHIN_CHANNELS]),
    initialization=st.just("torchvision"),
    optimizer=st.sampled_from(("sgd", "adam")),
    seed=st.integers(0, 2**53),
)


def test_keys_never_change():
    """Records on disk are found by these; a new value here orphans every recorded run."""
    assert Experiment().key == "3f1f72e1fd6e7d18"
    assert Experiment(norm="tensorflow:batch", seed=3).key == "384d984b730d85d7"


def test_keys_of_resnets_never_change():
    assert RESNET.key == "d831b3fbd9bbc05b"
    assert RESNET.replace(model="resnet101", norm="none", seed=3).key == "d379bc361dd50399"
    fixup = RESNET.replace(norm="none", initialization="fixup", optimizer="sgd")
    assert fixup.key == "55dae320495254f5"


def test_models_of_three_channels_know_their_data_sets():
    assert set(COLOR_DATASETS) == {name for name, info in INFO.items() if info.shape[0] == 3}


def test_key_forgets_defaults():
    """A field added later, left at its default, keeps the keys of all older runs."""
    spelled_out = Experiment(width=32, norm="none", momentum=0.9)
    assert spelled_out.key == Experiment().key
    assert Experiment().changes() == {}


def test_key_depends_on_the_protocol(monkeypatch):
    before = Experiment().key
    monkeypatch.setattr(experiment, "PROTOCOL", 2)
    assert Experiment().key != before


@given(EXPERIMENTS)
def test_round_trip(one):
    again = Experiment.from_dict(json.loads(json.dumps(one.to_dict())))
    assert again == one
    assert again.key == one.key
    assert hash(again) == hash(one)


@given(EXPERIMENTS, EXPERIMENTS)
def test_key_tells_experiments_apart(one, other):
    assert (one.key == other.key) == (one == other)


@given(EXPERIMENTS)
def test_name_fits_a_file(one):
    assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._+-]*", one.name)
    assert len(one.name) <= LONGEST_NAME


def test_the_longest_name_fits_while_its_file_is_written(monkeypatch):
    monkeypatch.setattr("socket.gethostname", lambda: "h" * 64)
    monkeypatch.setattr("os.getpid", lambda: 2**22)
    one = record(Experiment()).to_dict()
    monkeypatch.setattr(Experiment, "name", "n" * LONGEST_NAME)
    path = Path("runs", file_name(Record.from_dict(one), distinct=True))
    assert len(temporary_name(path).name) <= 255


def test_names_are_readable():
    assert Experiment().name == "none-seed00"
    assert Experiment(norm="tensorflow:batch", seed=3).name == "tensorflow-batch-seed03"
    assert Experiment(norm="batch", learning_rate=0.1).name == "batch-learningrate0.1-seed00"


@pytest.mark.parametrize(
    ("norm", "framework"),
    [("batch", "normlib"), ("torch:layer", "torch"), ("tensorflow:none", "tensorflow")],
)
def test_framework(norm, framework):
    assert Experiment(norm=norm).framework == framework


def test_equal_numbers_of_other_types_share_a_key():
    plain = Experiment(learning_rate=1.0, seed=4, weight_decay=0.0)
    for same in (
        Experiment(learning_rate=1, seed=4),
        Experiment(learning_rate=np.float64(1), seed=np.int64(4)),
        Experiment(learning_rate=1.0, seed=4, weight_decay=-0.0),
    ):
        assert same.key == plain.key
        assert [type(value) for value in same.to_dict().values()] == [
            type(value) for value in plain.to_dict().values()
        ]


def test_replace_validates():
    assert Experiment(norm="batch").replace(seed=2).seed == 2
    with pytest.raises(ExperimentError, match="epochs=0"):
        Experiment().replace(epochs=0)
    with pytest.raises(ExperimentError, match="unknown experiment field 'seeds'"):
        Experiment().replace(seeds=2)


def test_is_frozen():
    with pytest.raises(AttributeError):
        Experiment().seed = 1
