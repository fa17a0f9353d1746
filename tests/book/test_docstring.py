"""Docstrings become pages, whatever stands in them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from normlib.book import docstring

GOOGLE = r"""Normalize each channel over the batch.

gamma (x - mu)/sqrt(sigma2 + eps) + beta over ``{N, H, W}``:

    mu = mean(x)

.. math::

    \hat{x} = (x - \mu)/\sigma

Args:
    num_features: ``C`` of ``(N, C, H, W)``.
    eps (float): added to the variance,
        a positive number.

Shape:
    - Input: ``(N, C, H, W)``
    - Output: the same.

Raises:
    ValueError: the input has not four axes.

Source: Ioffe and Szegedy 2015, arXiv:1502.03167.
"""
PAGE = r"""Normalize each channel over the batch.

gamma (x - mu)/sqrt(sigma2 + eps) + beta over `{N, H, W}`:

```text
mu = mean(x)
```

$$
\hat{x} = (x - \mu)/\sigma
$$

**Args**

- `num_features`: `C` of `(N, C, H, W)`.
- `eps` (float): added to the variance, a positive number.

**Shape**

- `Input`: `(N, C, H, W)`
- `Output`: the same.

**Raises**

- `ValueError`: the input has not four axes.

**Source**: Ioffe and Szegedy 2015, [arXiv:1502.03167](https://arxiv.org/abs/1502.03167)."""


def test_google_sections() -> None:
    assert docstring.markdown(GOOGLE) == PAGE


@pytest.mark.parametrize(
    ("text", "page"),
    [
        ("a * b * c", r"a \* b \* c"),
        ("x_i and x_j", r"x\_i and x\_j"),
        ("costs $5 {sic} <b>", r"costs \$5 \{sic\} \<b\>"),
        (":math:`x_i` is", "$x_i$ is"),
        ("with $s^2 = \\sum_i x_i^2 / n$,\nnot", r"with $s^2 = \sum_i x_i^2 / n$, not"),
        ("$HOME, $PATH; $5 or $6", r"\$HOME, \$PATH; \$5 or \$6"),
        ("`$A` is $a$", "`$A` is $a$"),
        (":class:`~torch.nn.BatchNorm2d`", "`BatchNorm2d`"),
        (":func:`train`", "`train`"),
        ("`name` and ``code``", "`name` and `code`"),
        ("see https://example.org/a_b.", r"see <https://example.org/a_b>."),
        ("https://example.org/a: b", r"<https://example.org/a>: b"),
        (">>> 1 + 1\n2", "```python\n>>> 1 + 1\n2\n```"),
        ("Returns: a tensor.", "**Returns**: a tensor."),
        ("Returns:\n    A tensor.\n\n    And more.", "**Returns**: A tensor.\n\nAnd more."),
        (
            "Source: A 2018,\narXiv:1805.11604.",
            "**Source**: A 2018, [arXiv:1805.11604](https://arxiv.org/abs/1805.11604).",
        ),
        ("Source: A 2018,\n    and B.", "**Source**: A 2018, and B."),
        (
            "Shape:\n    (N, C); ``alpha`` of\n    shape (1,).",
            "**Shape**\n\n- (N, C); `alpha` of shape (1,).",
        ),
        ("", ""),
    ],
)
def test_pieces(text: str, page: str) -> None:
    assert docstring.markdown(text) == page


@given(st.text(alphabet="ab *_`$:{}[]<>#|\\\n-=", max_size=80))
def test_anything_can_be_shown(text: str) -> None:
    docstring.markdown(text)
