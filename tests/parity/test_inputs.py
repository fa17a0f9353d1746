"""The declared inputs: exact in every precision, the same always, unlike each other."""

import numpy as np
import pytest

from normlib.analysis.parity import Case, cases, inputs_sha256, setups
from normlib.analysis.parity.inputs import INPUTS, QUANTUM

CASES = cases()


def is_exact_in_float32(array: np.ndarray) -> bool:
    return bool(np.isfinite(array).all() and (array == array.astype(np.float32)).all())


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_every_array_is_the_same_number_in_float32(case: Case) -> None:
    for name, array in case.arrays().items():
        assert array.dtype == np.float64, name
        assert is_exact_in_float32(array), name
        assert np.all(array / QUANTUM == np.round(array / QUANTUM)), name


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_shapes_are_as_documented(case: Case) -> None:
    n, c, h, w = case.x.shape
    affine = (c, h, w) if case.method in ("layer", "rms") else (c,)
    assert case.gamma.shape == affine
    assert case.beta.shape == ((0,) if case.method.startswith("rms") else affine)
    assert case.running_mean.shape == ((c,) if case.method == "batch" else (0,))
    assert case.gy.shape == case.u.shape == case.x.shape
    assert c % case.groups == 0
    assert n > 1


def test_some_input_tells_height_from_width() -> None:
    assert any(make().shape[2] != make().shape[3] for make in INPUTS.values())


def test_names_are_unique_and_inputs_differ() -> None:
    assert len({case.name for case in CASES}) == len(CASES)
    first = [case.x for case in CASES if case.name.startswith("batch/train")]
    assert len({x.tobytes() for x in first}) == len(INPUTS)


def test_the_cases_are_the_declared_ones() -> None:
    """A change here asks for a new Keras side: run ``normlib.analysis.parity.keras_side``."""
    assert inputs_sha256()[:16] == "bdba107a5c3585e1"


def test_inputs_cannot_be_changed_by_who_compares_them() -> None:
    with pytest.raises(ValueError, match="read-only"):
        CASES[0].x[0, 0, 0, 0] = 1


def test_large_mean_defeats_the_naive_variance_in_float32() -> None:
    x = INPUTS["large-mean"]().astype(np.float32)
    naive = (x**2).mean(dtype=np.float32) - x.mean(dtype=np.float32) ** 2
    assert abs(naive - 1e-4) > 0.5e-4  # not one correct digit


def test_small_has_a_variance_near_eps() -> None:
    assert 0.5 < INPUTS["small"]().var() / 1e-3 < 2


def test_setups_are_exact_and_named_once() -> None:
    found = setups()
    assert len({setup.name for setup in found}) == len(found)
    for setup in found:
        assert setup.x.shape == setup.gy.shape
        assert is_exact_in_float32(setup.x)
        assert str(setup.x.shape) in setup.title
