"""Numbers of a chapter's prose come from its code: ``glue`` stores them by name."""

import math
from numbers import Integral, Real

from normlib.errors import NormlibError


class GlueError(NormlibError, ValueError):
    """A value that a sentence could not show."""


def plain(name: str, value: object) -> object:
    """Return ``value`` as Python's own type, so that no ``np.float64(...)`` reaches a sentence.

    Args:
        name: what the prose calls the value; used in the error.
        value: a number (NumPy's too), a string, a figure or a table.

    Raises:
        GlueError: the value is empty or not finite.
    """
    if value is None or (isinstance(value, str) and not value.strip()):
        raise GlueError(f"glue {name!r} is empty: the sentence would have a hole; glue a value")
    if isinstance(value, bool | str):
        return value
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, Real):
        number = float(value)
        if not math.isfinite(number):
            raise GlueError(f"glue {name!r} is {number}: glue a finite number, or say so in words")
        return number
    return value


def glue(name: str, value: object, *, display: bool = False) -> None:
    """Store ``value`` under ``name`` for ``{glue:text}`name:.2f``` in this page's prose.

    Args:
        name: unique in the whole book; start it with the chapter's number.
        value: a number, a string, a figure or a table.
        display: show it below the cell as well.

    Raises:
        GlueError: the value is empty or not finite.
    """
    from myst_nb import glue as store

    store(name, plain(name, value), display=display)
