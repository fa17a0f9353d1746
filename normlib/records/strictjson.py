"""JSON read with suspicion: no huge files or numbers, no repeated keys, no NaN, no half letters."""

import json
from typing import Any

MOST_BYTES = 16 * 1024 * 1024
"""No honest record comes near this size; reading stops before memory does."""

_DIGITS = len(str(-(2**63)))


def parse(content: bytes, most: int = MOST_BYTES) -> Any:
    """Return the value that ``content``, of at ``most`` so many bytes, spells in UTF-8 JSON.

    Raises ValueError, with a reason that reads well after "it", for anything else: too large,
    not UTF-8, not JSON, a repeated key, NaN or an infinity, an integer of more than 64 bits, half
    of a surrogate pair, nesting too deep.
    """
    if len(content) > most:
        raise ValueError(f"is larger than {most // 2**20} MiB")
    try:
        found = json.loads(
            content.decode("utf-8"),
            object_pairs_hook=_unique,
            parse_constant=_refuse,
            parse_float=_finite,
            parse_int=_small,
        )
        if rb"\u" in content:  # what else is UTF-8 can be written again
            json.dumps(found, ensure_ascii=False).encode()
        return found
    except RecursionError:
        raise ValueError("is nested too deeply") from None
    except UnicodeDecodeError as error:
        raise ValueError(f"is not UTF-8 text (byte {error.start})") from None
    except UnicodeEncodeError as error:
        half = error.object[error.start]
        raise ValueError(f"has a text with {half!r}, half of a character") from None
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


def _small(text: str) -> int:
    # The digits first: to read thousands of them takes long, and Python refuses.
    if len(text) > _DIGITS or abs(int(text)) >= 2**63:
        raise ValueError(f"has the number {text:.30}, which takes more than 64 bits")
    return int(text)


def _finite(text: str) -> float:
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise ValueError(f"has the number {text:.30}, which overflows (use null)")
    return number
