"""Rows of text as aligned columns, for the terminal."""

from collections.abc import Collection, Sequence


def aligned(
    head: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    numbers: Collection[int] = (),
    ruled: bool = False,
) -> str:
    """Return a line for the head and each row, the columns two spaces apart.

    Args:
        head: Names of the columns.
        rows: As many texts each.
        numbers: Which columns are aligned to the right.
        ruled: Whether a line of dashes follows the head.
    """
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    rule = [["-" * width for width in widths]] if ruled else []
    return "\n".join(
        "  ".join(
            text.rjust(width) if i in numbers else text.ljust(width)
            for i, (text, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in (head, *rule, *rows)
    )
