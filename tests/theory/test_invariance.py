"""The catalogue declares who is invariant to what; here it is measured, every cell of it."""

from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from normlib.methods import CatalogueError, catalogue
from normlib.theory.invariance import BOUND, TRANSFORMATIONS, Setting, measured, residual

NAMES = tuple(catalogue)
SEEN = 1e-3
"""A method that is not invariant moves its output by more than this on one of a few draws."""
DRAWS = 3


@cache
def largest() -> dict[tuple[str, str], float]:
    """The largest residual of each cell over a few draws."""
    found: dict[tuple[str, str], float] = {}
    for seed in range(DRAWS):
        for row in measured(catalogue.values(), Setting.drawn(seed)):
            cell = (row["method"], row["transformation"])
            found[cell] = max(found.get(cell, 0.0), row["residual"])
    return found


@pytest.mark.parametrize("transformation", TRANSFORMATIONS)
@pytest.mark.parametrize("name", NAMES)
def test_declared_equals_measured(name: str, transformation: str) -> None:
    found = largest()[name, transformation]
    if transformation in catalogue[name].invariant_to:
        assert found <= BOUND, f"declared invariant, moved by {found:.1e}"
    else:
        assert found > SEEN, f"not declared invariant, yet moved by no more than {found:.1e}"


@settings(max_examples=12, deadline=None)
@given(
    seed=st.integers(10, 10**6),
    samples=st.sampled_from([4, 6, 8]),
    channels=st.integers(2, 3),
    filters=st.sampled_from([4, 6]),
    size=st.integers(6, 9),
)
@pytest.mark.parametrize("name", NAMES)
def test_invariance_holds_for_every_shape(
    name: str, seed: int, samples: int, channels: int, filters: int, size: int
) -> None:
    setting = Setting.drawn(seed, samples, channels, filters, size)
    for transformation in catalogue[name].invariant_to:
        assert residual(catalogue[name], transformation, setting) <= BOUND, transformation


def test_eps_left_behind_is_seen() -> None:
    """The statement is exact only with ``eps`` going along; a loose test would not notice."""
    method = catalogue["batch"]
    setting = Setting.drawn(0)
    stuck = type(method)(**{f: getattr(method, f) for f in method.__dataclass_fields__})
    object.__setattr__(stuck, "eps_power", 0)
    assert residual(method, "weight scaled", setting) <= BOUND
    assert residual(stuck, "weight scaled", setting) > 100 * BOUND


def test_an_unknown_transformation_or_method() -> None:
    with pytest.raises(KeyError):
        residual(catalogue["batch"], "rotated", Setting.drawn(0))  # type: ignore[arg-type]  # on purpose
    with pytest.raises(CatalogueError):
        catalogue["bacth"]
