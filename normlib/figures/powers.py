"""A grid of errors, each as the power of ten that it is above."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

#: Smallest error written: zeros and what is below are put here.
FLOOR = 1e-20
#: Powers of ten at which the shades begin.
EDGES = (-30, -16, -14, -12, -9, -4)
SHADES = ("#f2f6fa", "#d3e2f0", "#b3cde3", "#8cb3d4", "#f4b183", "#e07b39")
BOX: dict[str, Any] = {"fill": False, "edgecolor": "black", "linewidth": 1.4}


def power(error: float) -> int:
    """Return the power of ten that ``error`` is above."""
    return int(np.floor(np.log10(max(error, FLOOR))))


def cells(
    axes: Axes, errors: NDArray[np.float64], outside: NDArray[np.bool_], *, size: float
) -> None:
    """Draw shades with powers of ten, 0 for none at all; NaN stays empty.

    Args:
        axes: Row 0 of the grid is drawn at the top.
        errors: Rows by columns.
        outside: Of the same shape: which of them get a box.
        size: Of the numbers, in points.
    """
    shades = np.full(errors.shape, np.nan)
    for down, across in np.argwhere(~np.isnan(errors)):
        error, out = float(errors[down, across]), bool(outside[down, across])
        shades[down, across] = np.digitize(power(error), EDGES) - 1
        mark = f"{power(error)}".replace("-", "−") if error else "0"
        axes.text(across, down, mark, ha="center", va="center", fontsize=size,
                  fontweight="bold" if out else "normal")  # fmt: skip
        if out:
            axes.add_patch(Rectangle((across - 0.46, down - 0.46), 0.92, 0.92, **BOX))
    axes.imshow(shades, cmap=ListedColormap(SHADES), vmin=0, vmax=len(SHADES) - 1, aspect="auto")
    axes.grid(visible=False)
