"""Normalization of three numbers as pictures: where points land, what is left of a gradient.

Points are rows of arrays of shape (n, 3); the first is named, the others are a cloud.
"""

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from normlib.figures import palette, style
from normlib.figures.scene import BASIS, INK, SOFT, Points, Scene, fit

LAYER, RMS = palette.colour("layer"), palette.colour("rms")
#: Of three numbers whose mean square is 1.
RADIUS = float(np.sqrt(3))


def landing(x: Points, z: Points, xhat: Points, *, source: str) -> Figure:
    """Draw a cloud, its projection onto the hyperplane, and from there onto the circle.

    ``z`` is ``x`` centered, ``xhat`` is ``x`` normalized without ``eps``; ``source`` is written
    below the figure.
    """
    size = 1.02 * float(np.abs(z @ BASIS[:2].T).max())
    with style.drawing(3.1, 1, 2) as (figure, axes):
        left, right = Scene(axes[0]), Scene(axes[1])
        axes[0].set_title("subtract the mean: onto the plane", fontsize=10)
        axes[1].set_title("divide by σ: onto the circle", fontsize=10)
        left.coordinates(2.2)
        left.upward(4)
        for scene in (left, right):
            scene.plane(size)
        _feet(left, x, z)
        right.circle(RADIUS, color=LAYER, lw=1.8, zorder=5)
        for start, end in zip(z, xhat, strict=True):
            right.line([start, end], color=SOFT, lw=0.7, zorder=4)
        right.dots(z[1:], color=SOFT, ms=3.4, zorder=4)
        right.dots(xhat[1:], color=LAYER, zorder=6)
        right.arrow(z[0], xhat[0], INK, 1.4, zorder=7)
        _named(right, z[0], INK, r"$z$", -9, 2)
        _named(right, xhat[0], LAYER, r"$\hat x$", 10, -11)
        fit(left, right)
        style.name(figure, source)
    return figure


def _feet(scene: Scene, x: Points, z: Points) -> None:
    above = x.sum(1) >= 0
    for start, end, over in zip(x, z, above, strict=True):
        scene.line([start, end], color=SOFT, lw=0.7, zorder=4 if over else 0.5)
    scene.dots(z[1:], color=SOFT, ms=3.4, zorder=3)
    scene.dots(x[1:][above[1:]], color=INK, zorder=5)
    scene.dots(x[1:][~above[1:]], color=INK, zorder=0.6)
    scene.arrow(x[0], z[0], INK, 1.4, zorder=6)
    _named(scene, x[0], INK, r"$x$", -10, 3)
    _named(scene, z[0], INK, r"$z$", -9, 2)


def spheres(x: Points, rms: Points, layer: Points, *, source: str) -> Figure:
    """Draw where RMSNorm and LayerNorm put one cloud: on the sphere, and on a circle of it."""
    parts = ((rms, RMS, "RMSNorm: the whole sphere"), (layer, LAYER, "LayerNorm: one circle of it"))
    with style.drawing(3.7, 1, 2) as (figure, axes):
        scenes = [Scene(one) for one in axes]
        for scene, (landed, colour, title) in zip(scenes, parts, strict=True):
            scene.axes.set_title(title, fontsize=10)
            scene.ball(RADIUS)
            if landed is layer:
                scene.plane(1.25 * RADIUS)
                scene.circle(RADIUS, color=LAYER, lw=1.8, zorder=5)
            near = scene.front(landed)
            for start, end, seen in zip(x, landed, near, strict=True):
                scene.line([start, end], color=SOFT, lw=0.6, zorder=4 if seen else 0.8)
            scene.dots(x, color=INK, ms=3.4, zorder=4)
            scene.dots(landed[near], color=colour, ms=5, zorder=6)
            scene.dots(landed[~near], color=colour, ms=4, alpha=0.45, zorder=3)
            scene.upward(1.5 * RADIUS)
        fit(*scenes)
        style.name(figure, source)
    return figure


def tangent(
    h: Points, rms: tuple[Points, Points], layer: tuple[Points, Points], *, source: str
) -> Figure:
    """Draw a gradient, the parts that the backward pass takes away, and what it leaves.

    ``h`` is the gradient that arrives; ``rms`` and ``layer`` are each a normalized vector and what
    the method leaves of ``h`` there, times ``sigma``.
    """
    with style.drawing(3.2, 1, 2) as (figure, axes):
        left, right = (Scene(one, azimuth=-148) for one in axes)
        axes[0].set_title("RMSNorm removes one direction", fontsize=10)
        axes[1].set_title("LayerNorm removes two", fontsize=10)
        _tangent_plane(left, h, *rms)
        _tangent_line(right, h, *layer)
        fit(left, right)
        style.name(figure, source)
    return figure


def _tangent_plane(scene: Scene, h: Points, xhat: Points, kept: Points) -> None:
    scene.ball(RADIUS)
    side = kept / np.linalg.norm(kept)
    other = np.cross(side, xhat / RADIUS)
    scene.patch(xhat, 1.9 * side, 1.2 * other, facecolor="#f6e9ef", edgecolor="#d8b4c4", zorder=3)
    scene.line([xhat * 0, xhat], color=SOFT, lw=0.8, ls=":", zorder=4)
    _parts(scene, xhat, h, {r"along $\hat x$": h - kept}, kept, RMS)


def _tangent_line(scene: Scene, h: Points, xhat: Points, kept: Points) -> None:
    scene.plane(1.35 * RADIUS)
    scene.circle(RADIUS, color=LAYER, lw=1.2, zorder=3)
    scene.line([xhat - 1.2 * kept, xhat + 1.4 * kept], color=LAYER, lw=0.8, zorder=3)
    scene.line([xhat * 0, xhat], color=SOFT, lw=0.8, ls=":", zorder=4)
    mean = np.full(3, h.mean())
    parts = {"along (1, 1, 1)": mean, r"along $\hat x$": h - mean - kept}
    _parts(scene, xhat, h, parts, kept, LAYER)


def _parts(
    scene: Scene, at: Points, h: Points, removed: dict[str, Points], kept: Points, colour: str
) -> None:
    # The box whose diagonal is h and whose edges are its parts.
    edges = [*removed.values(), kept]
    for number, edge in enumerate(edges):
        others = edges[:number] + edges[number + 1 :]
        for chosen in itertools.product((0, 1), repeat=len(others)):
            start = at + sum(k * other for k, other in zip(chosen, others, strict=True))
            scene.line([start, start + edge], color="#b0b0b0", lw=0.7, ls="--", zorder=4)
    for name, part in removed.items():
        scene.arrow(at, at + part, SOFT, 1.8, zorder=5)
        down = scene.onto(part)[1] < 0
        scene.text(at + part, name, 6 if down else 0, -7 if down else 9, color=SOFT, fontsize=8,
                   ha="left" if down else "center")  # fmt: skip
    scene.arrow(at, at + h, INK, 2, zorder=6)
    scene.text(at + h, r"$h$", -8, 6)
    scene.arrow(at, at + kept, colour, 2.6, zorder=7)
    scene.text(at + kept, r"$\sigma\,dx$", -4, -11, color=colour)
    _named(scene, at, colour, r"$\hat x$", 11, -10)


def depth(z: Points, inside: Points, measured: pd.DataFrame, *, source: str) -> Figure:
    """Draw how deep inside the circle ``eps`` leaves points, and the depth by the variance.

    ``inside`` is ``z`` normalized with an ``eps``; ``measured`` has the columns ``ratio`` (sigma
    over the root of eps) and ``radius`` (the result's length over that of the sphere).
    """
    with style.drawing(3.3, 1, 2, width_ratios=(1.15, 1)) as (figure, axes):
        scene = Scene(axes[0], elevation=40)
        axes[0].set_title("where points end", fontsize=10)
        scene.plane(1.02 * float(np.abs(z @ BASIS[:2].T).max()))
        scene.circle(RADIUS, color=SOFT, lw=1.2, ls="--", zorder=3)
        for start, end in zip(z, inside, strict=True):
            scene.line([start * 0, start], color="#cccccc", lw=0.6, zorder=2)
            scene.line([start, end], color=SOFT, lw=0.8, zorder=4)
        scene.dots(z, color=SOFT, ms=3.4, zorder=4)
        scene.dots(inside, color=LAYER, ms=5, zorder=6)
        fit(scene)
        _curve(axes[1], measured, "radius", lambda t: t / np.sqrt(1 + t * t), LAYER, "-")
        axes[1].axhline(1, color=SOFT, lw=1.2, ls="--")
        axes[1].set_title("how far out", fontsize=10)
        axes[1].set(ylim=(0, 1.08), ylabel=r"$\|\hat x\| / \sqrt{d}$")
        style.name(figure, source)
    return figure


def passing(measured: pd.DataFrame, *, source: str) -> Figure:
    """Draw the derivative's two eigenvalues that are not zero, by the variance.

    ``measured`` has the columns ``ratio`` (sigma over the root of eps), ``along`` and ``across``
    (eigenvalues times the root of eps: along the result, and across it).
    """
    with style.drawing(3.2) as (figure, axes):
        _curve(axes, measured, "across", lambda t: (1 + t * t) ** -0.5, LAYER, "-",
               r"across: $1/\sqrt{\sigma^2+\varepsilon}$, $d-2$ times")  # fmt: skip
        _curve(axes, measured, "along", lambda t: (1 + t * t) ** -1.5, INK, "--",
               r"along $\hat x$: $\varepsilon/(\sigma^2+\varepsilon)^{3/2}$")  # fmt: skip
        axes.set(yscale="log", ylabel=r"eigenvalue of $J$, times $\sqrt{\varepsilon}$")
        axes.legend(loc="lower left")
        style.name(figure, source)
    return figure


def _curve(
    axes: Axes, measured: pd.DataFrame, column: str, formula: Callable[[Any], Any], colour: str,
    line: str, label: str | None = None,
) -> None:  # fmt: skip
    ratio = measured["ratio"]
    t = np.geomspace(ratio.min(), ratio.max(), 200)
    axes.plot(t, formula(t), color=colour, ls=line, label=label)
    axes.plot(ratio, measured[column], ls="", marker="o", ms=5, color=colour)
    axes.set(xscale="log", xlabel=r"$\sigma / \sqrt{\varepsilon}$")


def _named(scene: Scene, place: Points, colour: str, name: str, dx: float, dy: float) -> None:
    scene.dots(place, color=colour, ms=7.5, mec="black", mew=0.8, zorder=9)
    scene.text(place, name, dx, dy)
