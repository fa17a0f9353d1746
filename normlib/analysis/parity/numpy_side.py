r"""A parity case computed by NumPy in extended precision, from the formulas alone.

With ``s = sqrt(sigma2 + eps)``, ``xhat = (x - mu) / s``, ``d`` entries per group, ``h = gamma gy``
and the symmetric Jacobian ``J = (I - 1 1^T / d - xhat xhat^T / d) / s`` (no ``1 1^T`` if not
centered):

    gx  = J h                   S  = <u, J h>
    hgy = gamma (J u)           hgamma = sum of gy (J u)
    hx  = -xhat S / (d s) - (<xhat, h> J u + <xhat, u> J h) / (s d)

the last since ``ds/dx = xhat / d`` and ``dxhat/dx = J``.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from normlib.analysis.parity.cases import MOMENTUM, Case

Array = NDArray[Any]
WIDE = np.longdouble
"""80 bits on x86, where it has 11 bits more than float64; elsewhere it may be float64 itself."""


def results(case: Case) -> dict[str, Array]:
    """Return the QUANTITIES that ``case`` has, in PyTorch's layouts."""
    arrays = {name: array.astype(WIDE) for name, array in case.arrays().items()}
    x, gy, u = arrays["x"], arrays["gy"], arrays["u"]
    affine = case.gamma.shape if case.gamma.ndim == 3 else (-1, 1, 1)
    gamma = arrays["gamma"].reshape(1, *affine)
    if case.method == "batch" and not case.training:
        xhat, jh, ju, hx = _fixed(case, x, gamma * gy, u)
    else:
        xhat, jh, ju, hx = _projected(case, x, gamma * gy, u)
    found = {"y": xhat * gamma, "gx": jh, "hx": hx, "hgy": gamma * ju}
    summed = (0,) if case.gamma.ndim == 3 else (0, 2, 3)
    found["ggamma"] = (gy * xhat).sum(summed)
    found["hgamma"] = (gy * ju).sum(summed)
    if case.beta.size:
        found["y"] = found["y"] + arrays["beta"].reshape(1, *affine)
        found["gbeta"] = gy.sum(summed)
    if case.method == "batch":
        found["running_mean"], found["running_var"] = _running(case, x)
    return found


def _projected(case: Case, x: Array, h: Array, u: Array) -> tuple[Array, ...]:
    (shape, axes), centered = case.grouped, case.centered
    z, h, u = (array.reshape(shape) for array in (x, h, u))

    def mean(array: Array) -> Array:
        return np.asarray(array.mean(axes, keepdims=True))

    z = z - mean(z) if centered else z
    s = np.sqrt(mean(z * z) + WIDE(case.eps))
    xhat = z / s

    def jacobian(v: Array) -> Array:
        projected = v - xhat * mean(xhat * v)
        return np.asarray((projected - mean(v) if centered else projected) / s)

    jh, ju = jacobian(h), jacobian(u)
    hx = -(xhat * mean(u * jh) + mean(xhat * h) * ju + mean(xhat * u) * jh) / s
    return tuple(array.reshape(x.shape) for array in (xhat, jh, ju, hx))


def _fixed(case: Case, x: Array, h: Array, u: Array) -> tuple[Array, ...]:
    """Evaluate with running statistics, which are constants."""
    mu, sigma2 = (
        a.astype(WIDE).reshape(1, -1, 1, 1) for a in (case.running_mean, case.running_var)
    )
    s = np.sqrt(sigma2 + WIDE(case.eps))
    return (x - mu) / s, h / s, u / s, np.zeros_like(x)


def _running(case: Case, x: Array) -> tuple[Array, Array]:
    """Return the statistics after the step; the variance's new value is unbiased, as in torch."""
    mean, var = case.running_mean.astype(WIDE), case.running_var.astype(WIDE)
    if not case.training:
        return mean, var
    unbiased = x.var((0, 2, 3), ddof=1)
    momentum = WIDE(MOMENTUM)
    return (
        (1 - momentum) * mean + momentum * x.mean((0, 2, 3)),
        (1 - momentum) * var + momentum * unbiased,
    )
