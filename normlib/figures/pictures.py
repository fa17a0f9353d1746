"""What grids of small pictures share."""

from collections.abc import Sequence
from typing import Any

from matplotlib.figure import Figure

from normlib.errors import NormlibError
from normlib.figures import style

INK = "#111111"
#: Characters of the line below a figure, by the inch of its width.
DENSITY = 16
# Pixels go into an SVG as they are, and none is lost to a resolution; a PNG takes the nearest.
PIXELS: dict[str, Any] = {"interpolation": "none", "origin": "upper"}


class PictureGridError(NormlibError):
    """Pictures do not fit the grid; the message says which shape it takes."""


def sign(figure: Figure, shown: Sequence[str], plan: str) -> None:
    """Write below the figure which runs it shows, one of each condition."""
    # Spaces that do not break keep a condition's name on one line.
    names = "; ".join(name.replace(" ", "\u00a0") for name in shown)
    said = f"one run each of {names}." if shown else "none is recorded yet."
    width = int(DENSITY * figure.get_size_inches()[0])
    style.name(figure, f"Runs: plan {plan}; {said}", width)
