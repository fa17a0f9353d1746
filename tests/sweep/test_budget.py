import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from normlib.sweep import budget


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("30m", 1800), ("2h", 7200), ("1h30m", 5400), ("1.5h", 5400), (" 2H ", 7200)],
)
def test_is_read(text, seconds):
    assert budget.seconds(text) == seconds


@given(st.text())
def test_anything_else_is_refused_not_crashed_on(text):
    with contextlib.suppress(budget.BudgetError):
        assert budget.seconds(text) > 0
