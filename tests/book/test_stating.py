"""A table of identities says what holds, shows formula and code, and hides no failure."""

import math
from dataclasses import replace

import pytest

from normlib.book.stating import Stated, numbers
from normlib.theory import Identity


def right(seed: int) -> float:
    return 4e-16 * (seed + 1)


def wrong(seed: int) -> float:
    return 0.1 if seed == 1 else 0.0


def undefined(seed: int) -> float:
    return math.nan


def identity(residual):
    name = residual.__name__
    return Identity(
        name=f"a-{name}", title=f"{name} < 1", statement=r"a < b", residual=residual, chapter="01_x"
    )


def test_the_verdict_counts_and_names_what_failed_on_any_seed():
    stated = Stated([identity(right), identity(wrong), identity(undefined)], "c", seeds=2)
    assert stated.verdict() == (
        "1 of 3 identities hold, within 1e-12, on 2 seeds; not: a-wrong, a-undefined"
    )
    assert Stated([identity(wrong)], "c", seeds=1).verdict().startswith("1 of 1")
    about = replace(identity(wrong), kind="statistical", bound=0.05)
    assert Stated([about], "c", seeds=1).verdict() == (
        "1 of 1 predictions hold, within 5% or less, on 1 seeds"
    )


def test_the_table_has_formula_code_and_worst_residual():
    html = Stated([identity(right), identity(wrong)], "A <caption>", seeds=3)._repr_html_()
    assert "<caption>A &lt;caption&gt;</caption>" in html
    assert '<span class="math notranslate nohighlight">\\(a &lt; b\\)</span>' in html
    assert "<summary>right &lt; 1</summary>" in html
    assert "return 4e-16 * (seed + 1)" in html
    assert "<td>1·10<sup>\N{MINUS SIGN}15</sup></td><td>yes</td>" in html
    assert "<td>1·10<sup>\N{MINUS SIGN}1</sup></td><td>no</td>" in html


def test_a_line_may_break_between_the_parts_of_a_statement():
    one = replace(identity(right), statement=r"a < b,\quad c = d \quad (e = 0)")
    html = Stated([one], "c", seeds=1)._repr_html_()
    assert r"\(a &lt; b,\)</span>&emsp;<span" in html
    assert html.count('class="math') == 3
    assert "quad" not in html


@pytest.mark.parametrize(
    ("values", "text"),
    [([1, -0.00004], "  1.000    0.000"), ([[1.5], [-2]], "  1.500\n -2.000")],
)
def test_numbers_line_up_without_a_negative_zero(values, text):
    assert numbers(values) == text
