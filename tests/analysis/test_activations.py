"""Equal is said of what is equal, and nothing else."""

import numpy as np
import pytest

from normlib.analysis import activations


@pytest.fixture
def x():
    random = np.random.default_rng(1)
    spread = random.uniform(1, 3, (6, 4, 1, 1))
    return random.normal(random.normal(0, 2, (6, 4, 1, 1)), spread, (6, 4, 3, 3))


def over(x, *axes):
    return (x - x.mean(axes, keepdims=True)) / x.std(axes, keepdims=True)


def effects(values):
    equal = activations.equalized(activations.slices(values))
    return activations.effects(equal, activations.correlations(values)).set_index("name")


def test_slices_are_what_numpy_says(x):
    found = activations.slices({"x": x}).set_index(["by", "index"])
    assert len(found) == 4 + 6
    assert found.loc[("channel", 2), "mean"] == pytest.approx(x[:, 2].mean())
    assert found.loc[("sample", 5), "spread"] == pytest.approx(x[5].std())
    assert found.loc[("sample", 0), "size"] == pytest.approx(np.sqrt((x[0] ** 2).mean()))
    assert found.loc[("channel", 0), "low"] < found.loc[("channel", 0), "high"]


def test_effects_name_what_each_set_of_axes_makes_equal(x):
    values = {
        "none": x,
        "batch": over(x, 0, 2, 3),
        "layer": over(x, 1, 2, 3),
        "instance": over(x, 2, 3),
        "centered": x - x.mean((0, 2, 3), keepdims=True),
        "rms": x / np.sqrt((x**2).mean((1, 2, 3), keepdims=True)),
    }
    found = effects(values)
    both = "means and spreads"
    assert found["channels"].to_dict() == {
        "none": "nothing", "batch": both, "layer": "nothing", "instance": both,
        "centered": "means", "rms": "nothing",
    }  # fmt: skip
    assert found["images"].to_dict() == {
        "none": "nothing", "batch": "nothing", "layer": both, "instance": both,
        "centered": "nothing", "rms": "mean squares",
    }  # fmt: skip


@pytest.mark.parametrize("constant", [0.0, 0.1, 7.0])  # 0.1 is not its own mean, once rounded
def test_correlations_are_what_numpy_says_and_a_constant_has_none(x, constant):
    x[:, 3] = constant
    pairs = activations.correlations({"x": x})
    found = pairs.pivot(index="first", columns="second", values="r").to_numpy()
    flat = np.moveaxis(x[:, :3], 1, 0).reshape(3, -1)
    assert found[:3, :3] == pytest.approx(np.corrcoef(flat))
    assert np.isnan(found[3]).all()
    assert np.isnan(found[:, 3]).all()


def test_a_constant_channel_does_not_lower_the_mean_correlation(x):
    dead, lone = x.copy(), x.copy()
    dead[:, 3] = 0
    lone[:, 1:] = 0
    found = effects({"x": x[:, :3], "dead": dead, "lone": lone, "single": x[:, :1]})["correlation"]
    assert found["dead"] == pytest.approx(found["x"])
    assert np.isnan(found[["lone", "single"]]).all()


def test_whitened_channels_have_no_correlation(x):
    flat = np.moveaxis(x, 1, 0).reshape(4, -1)
    flat = flat - flat.mean(1, keepdims=True)
    white = np.linalg.inv(np.linalg.cholesky(np.cov(flat))) @ flat
    y = np.moveaxis(white.reshape(4, 6, 3, 3), 0, 1)
    assert effects({"w": y})["correlation"].item() < 1e-12


def test_a_network_is_trained_and_methods_give_the_same_every_time():
    from normlib.methods import catalogue

    x = activations.preactivations(width=4, epochs=1)
    assert x.shape == (10, 4, 28, 28)
    methods = {name: catalogue[name] for name in ("none", "batch", "noisy")}
    small = x[:4, :, ::7, ::7]
    runs = [activations.after(methods, small, seed=3) for _ in range(2)]
    assert all((runs[0][name] == runs[1][name]).all() for name in methods)
    assert (runs[0]["none"] == small).all()
    assert abs(runs[0]["batch"].mean((0, 2, 3))).max() < 1e-12
