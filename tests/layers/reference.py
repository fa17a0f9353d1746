"""Independent references in NumPy, written from the formulas, slow and obvious.

    xhat = (x - mu) / sqrt(sigma2 + eps),   y = gamma xhat + beta

over groups of positions that share statistics. The forward pass is written with operations that
are analytic, so that its derivative is the imaginary part at a complex step of 1e-200: exact to
rounding, with nothing derived by hand. The hand-derived backward beside it is checked against
that, and serves in turn, at a complex step, for second derivatives.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
STEP = 1e-200


@dataclass(frozen=True)
class Reference:
    """Statistics over ``axes`` of shape ``grouped``; gamma and beta of shape ``affine``."""

    grouped: tuple[int, ...]
    axes: tuple[int, ...]
    affine: tuple[int, ...]
    eps: float
    centered: bool = True

    def forward(self, x: Array, gamma: Array, beta: Array) -> Array:
        """y = gamma xhat + beta, of the shape of ``x``; complex input allowed."""
        a = x.reshape(self.grouped)
        mu = a.mean(self.axes, keepdims=True) if self.centered else 0
        sigma2 = ((a - mu) ** 2).mean(self.axes, keepdims=True)
        xhat = ((a - mu) / np.sqrt(sigma2 + self.eps)).reshape(x.shape)
        return xhat * gamma.reshape(self.affine) + beta.reshape(self.affine)

    def backward(
        self, x: Array, gamma: Array, beta: Array, gy: Array
    ) -> tuple[Array, Array, Array]:
        """Gradients of <gy, y> by x, gamma and beta, through the Jacobian written as a matrix."""
        a = np.moveaxis(x.reshape(self.grouped), self.axes, range(-len(self.axes), 0))
        kept = a.shape[: a.ndim - len(self.axes)]
        rows = a.reshape(*kept, -1)
        d = rows.shape[-1]
        rows = rows - rows.mean(-1, keepdims=True) if self.centered else rows
        sigma = np.sqrt((rows**2).mean(-1) + self.eps)
        xhat = rows / sigma[..., None]
        jacobian = np.eye(d) - xhat[..., :, None] * xhat[..., None, :] / d
        if self.centered:
            jacobian = jacobian - 1 / d
        jacobian = jacobian / sigma[..., None, None]

        def grouped(t: Array) -> Array:
            t = np.moveaxis(t.reshape(self.grouped), self.axes, range(-len(self.axes), 0))
            return t.reshape(*kept, -1)

        def back(t: Array) -> Array:
            t = np.moveaxis(t.reshape(a.shape), range(-len(self.axes), 0), self.axes)
            return t.reshape(x.shape)

        gx = back((jacobian @ grouped(gy * gamma.reshape(self.affine))[..., None])[..., 0])
        shared = tuple(i for i, n in enumerate(self.affine) if n == 1)
        ggamma = (gy * back(xhat)).sum(shared).reshape(gamma.shape)
        gbeta = (gy + 0 * x).sum(shared).reshape(beta.shape)
        return gx, ggamma, gbeta


def complex_step(f: Callable[[Array], Array], at: Array, cotangent: Array) -> Array:
    """Gradient of <cotangent, f> at ``at``, one complex step per coordinate."""
    gradient = np.empty(at.size)
    for i in range(at.size):
        moved = at.astype(complex).ravel()
        moved[i] += 1j * STEP
        gradient[i] = (cotangent * f(moved.reshape(at.shape)).imag).sum() / STEP
    return gradient.reshape(at.shape)


def reference(
    cls: str, shape: tuple[int, ...], eps: float, *, groups: int = 1, trailing: int = 1
) -> Reference:
    """The reference of a layer by its class's name, for batched input (N, C, ...) of ``shape``."""
    channel = (1, shape[1]) + (1,) * (len(shape) - 2) if len(shape) > 1 else shape
    last = tuple(range(len(shape)))
    if cls.startswith("BatchNorm"):
        return Reference(shape, (0, *last[2:]), channel, eps)
    if cls.startswith("InstanceNorm"):
        return Reference(shape, last[2:], channel, eps)
    if cls == "GroupNorm":
        split = (shape[0], groups, shape[1] // groups, *shape[2:])
        return Reference(split, tuple(range(2, len(split))), channel, eps)
    elementwise = (1,) * (len(shape) - trailing) + shape[len(shape) - trailing :]
    return Reference(shape, last[-trailing:], elementwise, eps, centered=cls != "RMSNorm")


def running(old: tuple[Array, Array], x: Array, momentum: float) -> tuple[Array, Array]:
    """Running mean and running UNBIASED variance per channel; momentum weighs the new value."""
    axes = (0, *range(2, x.ndim))
    count = x.size / x.shape[1]
    mean = x.mean(axes)
    unbiased = ((x - mean.reshape(1, -1, *(1,) * (x.ndim - 2))) ** 2).sum(axes) / (count - 1)
    return (
        (1 - momentum) * old[0] + momentum * mean,
        (1 - momentum) * old[1] + momentum * unbiased,
    )
