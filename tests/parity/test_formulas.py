"""Every method beside its NumPy formula: the stored comparisons, and those made again."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from torch import nn

from normlib.analysis.parity import ParityError
from normlib.analysis.parity.formulas import (
    NAME,
    QUANTITIES,
    Comparison,
    Formulas,
    load_formulas,
    save,
    worst,
)
from normlib.analysis.parity.stored import folder
from normlib.methods import catalogue
from tests.layers.methods import __main__ as command
from tests.layers.methods.core import CORE
from tests.layers.methods.every import WITHOUT, comparisons
from tests.layers.methods.gathered import CASES
from tests.layers.methods.weights import LAYERS, METHODS


@pytest.fixture(scope="module")
def stored() -> Formulas:
    return load_formulas()


@pytest.fixture(scope="module")
def again() -> list[Comparison]:
    return comparisons()


def _named(found: list[Comparison] | tuple[Comparison, ...]) -> list[Comparison]:
    return [replace(one, error=0.0) for one in found]


def test_made_again_they_are_the_same_and_within_bounds(
    stored: Formulas, again: list[Comparison]
) -> None:
    """The errors themselves are rounding, which is another one on another machine."""
    assert _named(stored.comparisons) == _named(again)
    for one in (*stored.comparisons, *again):
        assert one.within, one


def test_every_method_of_the_catalogue_is_compared(stored: Formulas) -> None:
    compared = {one.method for one in stored.comparisons}
    assert not compared & set(WITHOUT)
    assert compared | set(WITHOUT) == set(catalogue)


def test_every_quantity_that_a_method_has_is_compared(stored: Formulas) -> None:
    """Output and gradients in both modes; running statistics wherever there are some."""
    for name in {one.method for one in stored.comparisons} - {"adaptive-clipping"}:
        method = catalogue[name]
        wanted = {"output", "d parameters" if method.projected == "weight" else "d input"}
        wanted |= {"d parameters"} if method.learnable else set()
        wanted |= {"buffers"} if method.running else set()
        for mode in ("train", "eval"):
            rows = [one for one in stored.comparisons if (one.method, one.mode) == (name, mode)]
            assert wanted <= {one.quantity for one in rows}, (name, mode)


def test_the_layers_compared_are_those_of_the_catalogue() -> None:
    made: dict[str, set[type[nn.Module]]] = {}
    for case in (*CORE, *CASES):
        made.setdefault(case.method, set()).add(type(case.make()))
    for name, types in made.items():
        assert types == {type(catalogue[name].build((8, 4, 4)))}, name
    for name in METHODS:
        if name in catalogue:
            linear, *_ = LAYERS["linear"]
            ours = METHODS[name].apply(linear(None)).parametrizations.weight[0]
            theirs = catalogue[name].apply_to(linear(None)).parametrizations.weight[0]
            assert type(ours) is type(theirs), name


def test_stated_backwards_are_few_and_in_training(stored: Formulas) -> None:
    stated = [one for one in stored.comparisons if one.means == "stated"]
    assert {one.method for one in stated} == {"adaptive-clipping", "power", "renorm", "spectral"}
    assert {one.mode for one in stated} == {"train"}


def test_the_worst_is_the_largest_over_cases_and_modes(stored: Formulas) -> None:
    table = worst(stored.table())
    assert not table.duplicated(["method", "quantity"]).any()
    for _, row in table.iterrows():
        errors = [
            one.error
            for one in stored.comparisons
            if (one.method, one.quantity) == (row["method"], row["quantity"])
        ]
        assert row["error"] == max(errors)
        assert row["excess"] <= 1
    assert set(table["quantity"]) == set(QUANTITIES)


# The file.


def test_saving_what_was_loaded_gives_the_same_bytes(tmp_path: Path, stored: Formulas) -> None:
    save(reversed(stored.comparisons), stored.environment, tmp_path)
    assert (tmp_path / NAME).read_bytes() == (folder() / NAME).read_bytes()
    assert (tmp_path / NAME).stat().st_size < 2**17


@pytest.mark.parametrize("damage", ["missing", "cut", "empty", "null", "an error changed"])
def test_a_damaged_file_is_an_error_with_the_remedy(tmp_path: Path, damage: str) -> None:
    path = tmp_path / NAME
    shutil.copy(folder() / NAME, path)
    content = path.read_bytes()
    if damage == "missing":
        path.unlink()
    elif damage == "an error changed":
        about = json.loads(content)
        about["comparisons"][0]["error"] = 0.5
        path.write_text(json.dumps(about))
    else:
        path.write_bytes(
            {"cut": content[: len(content) // 2], "empty": b"", "null": b"null"}[damage]
        )
    with pytest.raises(ParityError, match=r"restore it with git or run `python -m tests\.layers"):
        load_formulas(tmp_path)


@pytest.mark.parametrize(
    "change", [{"error": float("inf")}, {"bound": 0.0}, {"quantity": "loss"}, {"mode": "both"}]
)
def test_what_is_no_comparison_is_refused(
    tmp_path: Path, stored: Formulas, change: dict[str, str | float]
) -> None:
    save([replace(stored.comparisons[0], **change)], {}, tmp_path)
    with pytest.raises(ParityError, match="cannot be read"):
        load_formulas(tmp_path)


def test_the_command_prints_every_method_and_writes_what_is_within_bounds(
    tmp_path: Path,
    stored: Formulas,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(command, "comparisons", lambda: list(stored.comparisons))
    assert command.main([], tmp_path) == 0
    assert not list(tmp_path.iterdir())
    lines = capsys.readouterr().out.splitlines()
    assert {line.split()[0] for line in lines[2:-1]} == set(catalogue) - set(WITHOUT)
    assert "0 out of bounds" in lines[-1]
    assert command.main(["--write"], tmp_path) == 0
    assert load_formulas(tmp_path).comparisons == stored.comparisons
    wrong = [replace(one, error=1.0) for one in stored.comparisons]
    monkeypatch.setattr(command, "comparisons", lambda: wrong)
    (tmp_path / NAME).unlink()
    assert command.main(["--write"], tmp_path) == 1
    assert not list(tmp_path.iterdir())
