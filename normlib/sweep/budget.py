"""A length of time, as typed by a person."""

import re

from normlib.errors import NormlibError

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_PATTERN = re.compile(r"(?:\d+(?:\.\d+)?[smhd])+")


class BudgetError(NormlibError, ValueError):
    """A budget that cannot be read."""


def seconds(text: str) -> float:
    """Return the seconds in ``90s``, ``30m``, ``2h`` or ``1h30m``.

    Raises BudgetError for anything else, and for none at all.
    """
    plain = text.strip().lower()
    if not (plain.isascii() and len(plain) < 40 and _PATTERN.fullmatch(plain)):
        raise BudgetError(f"budget {text!r:.40} is not a time; write it like 90s, 30m, 2h or 1h30m")
    total = sum(
        float(number) * _UNITS[unit] for number, unit in re.findall(r"([\d.]+)([smhd])", plain)
    )
    if not 0 < total < 366 * 86400:
        raise BudgetError(f"budget {text!r:.40} must be above 0 and below a year, such as 30m")
    return total
