"""Three dimensions on paper: parallel projection, with the direction (1, 1, 1) pointing up.

The hyperplane of mean zero then lies flat, and the three coordinate axes rise evenly around it.
Plain axes and an explicit drawing order: what is behind is drawn first.
"""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

Points = NDArray[np.float64]

#: Rows: two directions within the hyperplane, and the direction (1, 1, 1).
BASIS: Points = np.array([[1, -1, 0], [1, 1, -2], [1, 1, 1]]) / np.sqrt([[2], [6], [3]])
INK, SOFT, GROUND, EDGE = "#333333", "#808080", "#eaf0f5", "#b9c4cf"


class Scene:
    """A view of the three-dimensional space of vectors ``(x1, x2, x3)``.

    Args:
        axes: Where to draw.
        elevation: Of the eye above the hyperplane, in degrees.
        azimuth: Of the eye around the direction (1, 1, 1), in degrees.
    """

    def __init__(self, axes: Axes, elevation: float = 26, azimuth: float = -62) -> None:
        up, around = np.radians([elevation, azimuth])
        self._azimuth = around
        toward = np.array([np.cos(up) * np.cos(around), np.cos(up) * np.sin(around), np.sin(up)])
        right = np.array([-np.sin(around), np.cos(around), 0.0])
        self._frame: Points = np.stack([right, np.cross(toward, right), toward]) @ BASIS
        self.axes = axes
        self._low, self._high = np.zeros(2), np.zeros(2)
        axes.set_aspect("equal")
        axes.set_axis_off()

    def onto(self, points: Any) -> Points:
        """Return where ``points``, of shape (..., 3), appear: shape (..., 2)."""
        seen: Points = np.asarray(points, dtype=float) @ self._frame[:2].T
        there = seen.reshape(-1, 2)
        there = there[np.isfinite(there).all(1)]  # gaps of a line that is hidden in part
        self._low = np.min([self._low, *there], 0)
        self._high = np.max([self._high, *there], 0)
        return seen

    def _at(self, place: Any) -> tuple[float, float]:
        across, up = self.onto(place)
        return float(across), float(up)

    def front(self, points: Any) -> NDArray[np.bool_]:
        """Return which ``points`` are on the eye's side of the origin."""
        near: NDArray[np.bool_] = np.asarray(points, dtype=float) @ self._frame[2] >= 0
        return near

    def line(self, points: Any, **options: Any) -> None:
        """Draw a line through ``points``."""
        look: dict[str, Any] = {"color": INK, "lw": 1.2, **options}
        self.axes.plot(*self.onto(points).T, **look)

    def dots(self, points: Any, **options: Any) -> None:
        """Draw ``points``."""
        look: dict[str, Any] = {"ls": "", "marker": "o", "ms": 4.5, **options}
        self.line(np.atleast_2d(points), **look)

    def arrow(
        self, start: Any, end: Any, color: str = INK, lw: float = 2, *, zorder: float = 4
    ) -> None:
        """Draw an arrow, with a head that grows with its width ``lw``."""
        head = f"-|>,head_width={0.12 + 0.07 * lw},head_length={0.25 + 0.14 * lw}"
        look = {"arrowstyle": head, "shrinkA": 0, "shrinkB": 0, "color": color, "lw": lw}
        self.axes.annotate(
            "", self._at(end), self._at(start), arrowprops=look, annotation_clip=False,
            zorder=zorder,
        )  # fmt: skip

    def text(self, place: Any, words: str, dx: float = 0, dy: float = 0, **options: Any) -> None:
        """Write ``words`` beside ``place``, ``dx`` and ``dy`` points away."""
        look: dict[str, Any] = {"ha": "center", "va": "center", "color": INK, "zorder": 20}
        self.axes.annotate(
            words, self._at(place), (dx, dy), textcoords="offset points", annotation_clip=False,
            **look | options,
        )  # fmt: skip

    def plane(self, size: float) -> None:
        """Draw a square piece of the hyperplane, ``2 * size`` wide, an edge to the eye."""
        turn = self._azimuth + np.radians(104)
        side = size * (np.cos(turn) * BASIS[0] + np.sin(turn) * BASIS[1])
        other = size * (-np.sin(turn) * BASIS[0] + np.cos(turn) * BASIS[1])
        self.patch(np.zeros(3), side, other)
        self.text(-side - other, "$x_1 + x_2 + x_3 = 0$", 0, -9, color=SOFT, fontsize=8)

    def patch(self, origin: Any, side: Points, other: Points, **options: Any) -> None:
        """Draw the parallelogram around ``origin`` with these half sides."""
        around = [side + other, side - other, -side - other, other - side]
        corners: Points = np.asarray(origin) + np.array(around)
        look: dict[str, Any] = {"facecolor": GROUND, "edgecolor": EDGE, "lw": 0.8, "zorder": 1}
        self.axes.fill(*self.onto(corners).T, alpha=0.85, **look | options)

    def circle(self, radius: float, plane: Points = BASIS[:2], **options: Any) -> None:
        """Draw the circle around the origin in the plane of two orthonormal directions."""
        turn = np.linspace(0, 2 * np.pi, 361)
        points = radius * np.stack([np.cos(turn), np.sin(turn)], 1) @ plane
        hidden = ~self.front(points)
        behind = {**options, "lw": 0.6 * float(options.get("lw", 1.2))}
        for part, look in ((hidden, behind), (~hidden, options)):
            self.line(np.where(part[:, None], points, np.nan), **look)

    def ball(self, radius: float) -> None:
        """Draw the sphere around the origin: its outline and two great circles."""
        turn = np.linspace(0, 2 * np.pi, 361)
        self._low, self._high = np.minimum(self._low, -radius), np.maximum(self._high, radius)
        outline = radius * np.stack([np.cos(turn), np.sin(turn)])
        self.axes.fill(*outline, facecolor="#f1f1f1", edgecolor="none", alpha=0.6, zorder=1.5)
        self.axes.plot(*outline, color="#a8a8a8", lw=0.9, zorder=2)
        for first, second in ((0, 2), (1, 2)):
            self.circle(radius, BASIS[[first, second]], color="#c4c4c4", lw=0.8, zorder=2)

    def coordinates(self, length: float) -> None:
        """Draw the three coordinate axes."""
        for place, axis in enumerate(np.eye(3)):
            self.arrow(np.zeros(3), axis * length, SOFT, 0.9, zorder=3)
            self.text(axis * (length + 0.22), f"$x_{place + 1}$", color=SOFT, fontsize=9)

    def upward(self, length: float) -> None:
        """Draw the direction (1, 1, 1)."""
        end = BASIS[2] * length
        self.arrow(np.zeros(3), end, SOFT, 0.9, zorder=3)
        self.text(end, "(1, 1, 1)", 0, 7, color=SOFT, fontsize=8)


def fit(*scenes: Scene, margin: float = 0.15) -> None:
    """Let all ``scenes`` show what is drawn in any of them, at one scale."""
    low = np.min([scene._low for scene in scenes], 0) - margin
    high = np.max([scene._high for scene in scenes], 0) + margin * np.array([1, 2.5])
    for scene in scenes:
        scene.axes.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]))
