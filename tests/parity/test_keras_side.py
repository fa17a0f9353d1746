"""Keras's stored side: recomputed, and held to formulas that share nothing with it."""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from normlib.analysis.parity import (
    LOSSES,
    MOMENTUM,
    QUANTITIES,
    Case,
    KerasSide,
    ParityError,
    cases,
    load_keras,
    setups,
)
from normlib.analysis.parity.definitions import PAIRS
from normlib.analysis.parity.stored import folder, save

ROOT = Path(__file__).resolve().parents[2]
CASES = cases()
DTYPES = ("float64", "float32")
Array = NDArray[Any]


@pytest.fixture(scope="module")
def side() -> KerasSide:
    return load_keras()


def tolerance(case: Case, dtype: str) -> float:
    """Rounding errors allowed, relative to the largest value of the quantity.

    Another processor sums in another order: 16 ulp, times the loss of digits in x - mu, which is
    about the size of the largest x over that of the spread, eps included, to the power of the
    derivative (3 for second derivatives of y).
    """
    spread = np.sqrt(case.x.var((0, 2, 3)).min() + case.eps)
    lost = max(1.0, float(np.abs(case.x).max() / spread))
    if case.method.startswith("rms"):
        lost = 1.0
    return float(16 * np.finfo(dtype).eps * lost) * 3


def axes_of(case: Case) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the shape to group x into and the axes of its statistics."""
    n, c, h, w = case.x.shape
    if case.method in ("group", "instance"):
        return (n, case.groups, c // case.groups, h, w), (2, 3, 4)
    axes = {"batch": (0, 2, 3), "layer": (1, 2, 3), "rms": (1, 2, 3)}.get(case.method, (1,))
    return (n, c, h, w), axes


def affine(case: Case) -> tuple[Array, Array]:
    """Return gamma and beta (zero if there is none) in a shape that broadcasts over x."""
    beta = case.beta if case.beta.size else np.zeros(1)
    gamma, beta = (a[:, None, None] if a.ndim == 1 else a for a in (case.gamma, beta))
    return gamma, beta


def forward(case: Case, x: Array) -> Array:
    """y in NumPy from the formulas; complex x allowed, for derivatives by a complex step."""
    shape, axes = axes_of(case)
    grouped = x.reshape(shape)
    if case.training:
        mu = 0 if case.method.startswith("rms") else grouped.mean(axes, keepdims=True)
        sigma2 = ((grouped - mu) ** 2).mean(axes, keepdims=True)
    else:
        mu = case.running_mean[:, None, None]
        sigma2 = case.running_var[:, None, None]
    xhat = ((grouped - mu) / np.sqrt(sigma2 + case.eps)).reshape(case.x.shape)
    gamma, beta = affine(case)
    return xhat * gamma + beta


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_outputs_are_those_of_the_formulas(case: Case, side: KerasSide) -> None:
    expected = forward(case, case.x)
    for dtype in DTYPES:
        found = side.results(case, dtype)["y"]
        assert found.dtype == dtype
        bound = tolerance(case, dtype) * np.abs(expected).max()
        np.testing.assert_allclose(found, expected, rtol=0, atol=bound)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_input_gradients_are_those_of_the_formulas(case: Case, side: KerasSide) -> None:
    """Along ``u``, by a complex step: <u, gx> is the derivative of <gy, y>."""
    step = 1e-200
    expected = float((case.gy * forward(case, case.x + 1j * step * case.u)).sum().imag / step)
    found = side.results(case)
    assert (found["gx"] * case.u).sum() == pytest.approx(expected, rel=1e-9, abs=1e-9)
    # S is linear in gy and in gamma: its gradient there, times the variable, is S again.
    assert (found["hgy"] * case.gy).sum() == pytest.approx(expected, rel=1e-9, abs=1e-9)
    assert (found["hgamma"] * case.gamma).sum() == pytest.approx(expected, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_parameter_gradients_are_those_of_the_formulas(case: Case, side: KerasSide) -> None:
    found = side.results(case)
    assert found["ggamma"].shape == case.gamma.shape
    shared = (0,) if case.gamma.ndim == 3 else (0, 2, 3)
    plain = forward(case, case.x)
    gamma, beta = affine(case)
    xhat = (plain - beta) / gamma
    bound = tolerance(case, "float64") * 100
    np.testing.assert_allclose(found["ggamma"], (case.gy * xhat).sum(shared), atol=bound)
    if case.beta.size:
        np.testing.assert_allclose(found["gbeta"], case.gy.sum(shared), atol=1e-12)
    else:
        assert "gbeta" not in found


@pytest.mark.parametrize("training", [True, False])
def test_running_statistics_are_biased_and_move_in_training_only(
    training: bool, side: KerasSide
) -> None:
    for case in CASES:
        if case.method != "batch" or case.training != training:
            continue
        weight = MOMENTUM if training else 0.0
        found = side.results(case)
        mean = (1 - weight) * case.running_mean + weight * case.x.mean((0, 2, 3))
        var = (1 - weight) * case.running_var + weight * case.x.var((0, 2, 3))
        np.testing.assert_allclose(found["running_mean"], mean, rtol=1e-12)
        np.testing.assert_allclose(found["running_var"], var, rtol=1e-12)


def test_every_quantity_is_there_and_small_enough_for_git(side: KerasSide) -> None:
    for case in CASES:
        absent = {"gbeta"} if case.method.startswith("rms") else set()
        absent |= set() if case.method == "batch" else {"running_mean", "running_var"}
        for dtype in DTYPES:
            assert set(side.results(case, dtype)) == set(QUANTITIES) - absent
    assert sum(path.stat().st_size for path in folder().iterdir()) < 2**20


def test_setups_hold_every_pair_and_equal_definitions_agree(side: KerasSide) -> None:
    assert list(side.setups) == [setup.name for setup in setups()]
    for setup in setups():
        found = side.setups[setup.name]
        assert [(f["keras"], f["custom"]) for f in found] == [(k.title, c.title) for k, c in PAIRS]
        for entry, (ours, theirs) in zip(found, PAIRS, strict=True):
            assert set(entry["gradient"]) == set(LOSSES)
            same = ours.training and ours.axes == theirs.axes and theirs == type(theirs)(ours.axes)
            if same:
                assert entry["output"] < 1e-5, (setup.name, entry)


@pytest.mark.skipif(
    importlib.util.find_spec("tensorflow") is None, reason="TensorFlow is not installed"
)
def test_recomputed_it_is_the_same(tmp_path: Path, side: KerasSide) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "normlib.analysis.parity.keras_side", str(tmp_path)],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0, ran.stderr
    again = load_keras(tmp_path)
    assert set(again.arrays) == set(side.arrays)
    for case in CASES:
        for dtype in DTYPES:
            bound = tolerance(case, dtype)
            for quantity, expected in side.results(case, dtype).items():
                found = again.results(case, dtype)[quantity]
                # A second derivative in x loses the digits of x - mu once more than a first one.
                atol = bound * (30 if quantity.startswith("h") else 1) * np.abs(expected).max()
                np.testing.assert_allclose(
                    found, expected, rtol=0, atol=atol, err_msg=f"{case.name} {dtype} {quantity}"
                )
    for name, expected_list in side.setups.items():
        for expected, found in zip(expected_list, again.setups[name], strict=True):
            assert found["output"] == pytest.approx(expected["output"], rel=1e-3, abs=1e-5)


# The files.


def copied(tmp_path: Path) -> Path:
    shutil.copytree(folder(), tmp_path / "parity")
    return tmp_path / "parity"


def test_saving_what_was_loaded_gives_the_same_numbers(tmp_path: Path, side: KerasSide) -> None:
    save(side, tmp_path)
    again = load_keras(tmp_path)
    assert again.setups == side.setups
    assert again.environment == side.environment
    assert all(np.array_equal(again.arrays[k], v, equal_nan=True) for k, v in side.arrays.items())


@pytest.mark.parametrize("name", ["keras.npz", "keras.json"])
@pytest.mark.parametrize("damage", ["missing", "cut", "empty"])
def test_a_damaged_file_is_an_error_with_the_remedy(tmp_path: Path, name: str, damage: str) -> None:
    path = copied(tmp_path) / name
    content = path.read_bytes()
    path.unlink() if damage == "missing" else path.write_bytes(
        content[: len(content) // 2 if damage == "cut" else 0]
    )
    with pytest.raises(ParityError, match="restore it with git or run"):
        load_keras(path.parent)


def test_results_of_other_inputs_are_refused(tmp_path: Path) -> None:
    path = copied(tmp_path) / "keras.json"
    about = json.loads(path.read_text())
    path.write_text(json.dumps(about | {"inputs_sha256": "0" * 64}))
    with pytest.raises(ParityError, match="from other inputs"):
        load_keras(path.parent)


def test_an_unknown_dtype_is_an_error(side: KerasSide) -> None:
    with pytest.raises(ParityError, match="has no batch/train/plain/float16"):
        side.results(CASES[0], "float16")
