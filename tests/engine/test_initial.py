"""Initial arrays: drawn as stated, from seed and name alone, and never otherwise."""

import hashlib
import math

import numpy as np
import pytest

from normlib.engine import initial_arrays
from normlib.models import build
from normlib.records import Experiment

RESNET18 = Experiment(dataset="synthetic-color", model="resnet18", initialization="torchvision")


def digest(experiment: Experiment, name: str) -> str:
    return hashlib.sha256(initial_arrays(experiment)[name].tobytes()).hexdigest()[:16]


def test_they_never_change() -> None:
    """Recorded runs started from these; other bits need another protocol number."""
    assert digest(Experiment(), "conv.weight") == "5064a71ee21438ca"
    assert digest(Experiment(norm="batch", seed=3), "out.weight") == "779a213a76a82215"
    assert digest(RESNET18, "conv1.weight") == "35f390e4d2251c04"
    assert digest(RESNET18.replace(model="resnet50", seed=3), "fc.bias") == "7675d7ded6a2cdfd"


def test_a_resnet_starts_as_torchvisions_do() -> None:
    """Convolutions He normal by the fan out; the classifier as every linear layer of torch."""
    for name, array in initial_arrays(RESNET18).items():
        assert array.dtype == np.float32
        if array.ndim == 4:
            fan_out = array.shape[0] * math.prod(array.shape[2:])
            assert array.std() == pytest.approx(math.sqrt(2 / fan_out), rel=0.03), name
            assert abs(array.mean()) < 5 * array.std() / math.sqrt(array.size), name
            assert np.abs(array).max() > 3 * array.std(), name  # no uniform distribution has that
        else:
            bound = 1 / math.sqrt(512)
            assert np.abs(array).max() <= bound
            assert np.abs(array).max() > (0.99 if array.ndim == 2 else 0.5) * bound


@pytest.mark.parametrize(
    "experiment",
    [
        Experiment(dataset="mnist", model="mlp", initialization="torch"),
        Experiment(dataset="cifar10", model="vgg", initialization="torch"),
    ],
    ids=lambda run: run.model,
)
def test_plain_networks_start_as_pytorch_starts_such_layers(experiment: Experiment) -> None:
    arrays = initial_arrays(experiment)
    layers = {name.rpartition(".")[0] for name in arrays}
    default = build(experiment).state_dict()
    assert {f"{layer}.{part}" for layer in layers for part in ("weight", "bias")} == set(arrays)
    for layer in layers:
        weight, bias = arrays[f"{layer}.weight"], arrays[f"{layer}.bias"]
        bound = 1 / math.sqrt(math.prod(weight.shape[1:]))
        for array in (weight, bias):
            assert np.abs(array).max() <= bound
            if array.size > 200:
                assert array.std() == pytest.approx(bound / math.sqrt(3), rel=0.1)
        assert np.abs(weight).max() > 0.95 * bound
        theirs = default[f"{layer}.weight"]
        assert theirs.shape == weight.shape
        assert float(theirs.abs().max()) == pytest.approx(bound, rel=0.05)


def test_they_depend_on_seed_and_name_alone() -> None:
    plain = initial_arrays(RESNET18)
    for other in (
        RESNET18.replace(norm="batch", batch_size=7, optimizer="adam", learning_rate=1),
        RESNET18.replace(initialization="fixup"),
        RESNET18.replace(dataset="cifar10"),
    ):
        again = initial_arrays(other)
        assert plain.keys() == again.keys()
        assert all(np.array_equal(plain[name], again[name]) for name in plain)
    # What two networks both have starts alike in both.
    deeper = initial_arrays(RESNET18.replace(model="resnet34"))
    shared = [name for name in plain if plain[name].shape == deeper[name].shape]
    assert len(shared) == len(plain)
    assert all(np.array_equal(plain[name], deeper[name]) for name in shared)
    reseeded = initial_arrays(RESNET18.replace(seed=1))
    assert not any(np.array_equal(plain[name], reseeded[name]) for name in plain)


def test_no_two_arrays_are_drawn_alike() -> None:
    starts = [tuple(array.ravel()[:3]) for array in initial_arrays(RESNET18).values()]
    assert len(set(starts)) == len(starts)
