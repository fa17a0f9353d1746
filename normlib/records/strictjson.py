"""JSON read with suspicion: no huge files, no repeated keys, no NaN."""

import json
from typing import Any

MOST_BYTES = 16 * 1024 * 1024
"""No honest record comes near this size; reading stops before memory does."""


def parse(content: bytes) -> Any:
    """Return the value that ``content`` spells in UTF-8 JSON.

    Raises ValueError, with a reason that reads well after "it", for anything else: too large,
    not UTF-8, not JSON, a repeated key, NaN or an infinity, nesting too deep.
    """
    if len(content) > MOST_BYTES:
        raise ValueError(f"is larger than {MOST_BYTES // 2**20} MiB")
    try:
        return json.loads(
            content.decode("utf-8"),
            object_pairs_hook=_unique,
            parse_constant=_refuse,
            parse_float=_finite,
        )
    except RecursionError:
        raise ValueError("is nested too deeply") from None
    except UnicodeDecodeError as error:
        raise ValueError(f"is not UTF-8 text (byte {error.start})") from None
    except json.JSONDecodeError as error:
        raise ValueError(
            f"is not complete JSON ({error.msg} at line {error.lineno} column {error.colno})"
        ) from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"has the key {twice!r:.60} twice")
    return found


def _refuse(constant: str) -> Any:
    raise ValueError(f"has the number {constant}, which JSON does not know (use null)")


def _finite(text: str) -> float:
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise ValueError(f"has the number {text:.30}, which overflows (use null)")
    return number
