"""The loops. Their arrays are ``rows`` or ``columns``, as `normlib.kernels` describes them.

Sums run in blocks that are added in double precision, so that their error does not grow with the
length of the sum.
"""

import math
from typing import Any

import numpy as np

from normlib.kernels.compiling import compiled, inlined

BLOCK = 512  # terms summed in single precision before they join the rest

# Loops run over slices from zero: an index that might be negative is checked at every step.


@inlined
def _sum(x: Any) -> Any:
    total = 0.0
    for start in range(0, x.size, BLOCK):
        block, part = x[start : start + BLOCK], x.dtype.type(0)
        for i in range(block.size):
            part += block[i]
        total += part
    return total


@inlined
def _sum_squares(x: Any, mu: Any) -> Any:
    total = 0.0
    for start in range(0, x.size, BLOCK):
        block, part = x[start : start + BLOCK], x.dtype.type(0)
        for i in range(block.size):
            z = block[i] - mu
            part += z * z
        total += part
    return total


@inlined
def _sums_with(g: Any, x: Any, mu: Any) -> Any:
    """Return ``sum(g)`` and ``sum(g * (x - mu))``."""
    total, product = 0.0, 0.0
    for start in range(0, x.size, BLOCK):
        gs, xs = g[start : start + BLOCK], x[start : start + BLOCK]
        s, p = x.dtype.type(0), x.dtype.type(0)
        for i in range(gs.size):
            s += gs[i]
            p += gs[i] * (xs[i] - mu)
        total += s
        product += p
    return total, product


@inlined
def _sums_with_gamma(g: Any, x: Any, mu: Any, r: Any, gamma: Any, dgamma: Any, dbeta: Any) -> Any:
    """Return ``sum(h)`` and ``sum(h * (x - mu))`` for ``h = g * gamma``; add to both gradients."""
    total, product = 0.0, 0.0
    for start in range(0, x.size, BLOCK):
        gs, xs, scale = (
            g[start : start + BLOCK],
            x[start : start + BLOCK],
            gamma[start : start + BLOCK],
        )
        dscale, dshift = dgamma[start : start + BLOCK], dbeta[start : start + BLOCK]
        s, p = x.dtype.type(0), x.dtype.type(0)
        for i in range(gs.size):
            h = gs[i] * scale[i]
            s += h
            p += h * (xs[i] - mu)
        for i in range(gs.size):
            dscale[i] += gs[i] * ((xs[i] - mu) * r)
            dshift[i] += gs[i]
        total += s
        product += p
    return total, product


@inlined
def _place(x: Any, mu: Any, scale: Any, shift: Any, y: Any) -> None:
    for i in range(x.size):
        y[i] = (x[i] - mu) * scale + shift


@inlined
def _place_each(x: Any, mu: Any, r: Any, gamma: Any, beta: Any, y: Any) -> None:
    if beta.size > 0:
        for i in range(x.size):
            y[i] = (x[i] - mu) * r * gamma[i] + beta[i]
    else:
        for i in range(x.size):
            y[i] = (x[i] - mu) * r * gamma[i]


@inlined
def _pull(g: Any, x: Any, mu: Any, scale: Any, slope: Any, offset: Any, dx: Any) -> None:
    for i in range(x.size):
        dx[i] = g[i] * scale - (x[i] - mu) * slope - offset


@inlined
def _pull_each(
    g: Any, x: Any, mu: Any, r: Any, gamma: Any, slope: Any, offset: Any, dx: Any
) -> None:
    for i in range(x.size):
        dx[i] = g[i] * gamma[i] * r - (x[i] - mu) * slope - offset


@compiled
def project_rows(
    x: Any, gamma: Any, beta: Any, eps: float, centered: bool, y: Any, mu: Any, sigma2: Any
) -> None:
    """Write output, mean and variance of rows."""
    real, zero = x.dtype.type, x.dtype.type(0)
    count, width, inner = x.shape
    flat, out = x.reshape(count, width * inner), y.reshape(count, width * inner)
    for row in range(count):
        m = real(_sum(flat[row]) / flat.shape[1]) if centered else zero
        v = real(_sum_squares(flat[row], m) / flat.shape[1])
        r = real(1 / math.sqrt(v + eps))
        mu[row], sigma2[row] = m, v
        if gamma.size == 0:
            _place(flat[row], m, r, zero, out[row])
            continue
        which = row % gamma.shape[0]
        if inner == 1:
            shift = beta[which] if beta.size > 0 else beta.reshape(-1)
            _place_each(flat[row], m, r, gamma[which], shift, out[row])
            continue
        for k in range(width):
            b = beta[which, k] if beta.size > 0 else zero
            _place(x[row, k], m, r * gamma[which, k], b, y[row, k])


@compiled
def tangent_rows(
    g: Any,
    x: Any,
    gamma: Any,
    mu: Any,
    sigma2: Any,
    eps: float,
    centered: bool,
    dx: Any,
    dgamma: Any,
    dbeta: Any,
) -> None:
    """Write the three gradients of rows."""
    real, zero = x.dtype.type, x.dtype.type(0)
    count, width, inner = x.shape
    d = width * inner
    flat, grads, out = x.reshape(count, d), g.reshape(count, d), dx.reshape(count, d)
    dscale, dshift = np.zeros_like(dgamma), np.zeros_like(dbeta)
    total_dscale, total_dshift = np.zeros(dgamma.shape), np.zeros(dgamma.shape)
    for row in range(count):
        m = mu[row]
        exact = 1 / math.sqrt(sigma2[row] + eps)  # its cube may leave single precision
        r = real(exact)
        which = row % max(1, gamma.shape[0])
        sum_h, sum_hz = 0.0, 0.0
        if gamma.size == 0:
            sum_h, sum_hz = _sums_with(grads[row], flat[row], m)
        elif inner == 1:
            sum_h, sum_hz = _sums_with_gamma(
                grads[row], flat[row], m, r, gamma[which], dscale[which], dshift[which]
            )
        else:
            for k in range(width):
                s, p = _sums_with(g[row, k], x[row, k], m)
                dscale[which, k] += real(p * r)
                dshift[which, k] += real(s)
                sum_h += gamma[which, k] * s
                sum_hz += gamma[which, k] * p
        slope = real(exact * exact * exact * (sum_hz / d))
        offset = real(r * (sum_h / d)) if centered else zero
        if gamma.size == 0:
            _pull(grads[row], flat[row], m, r, slope, offset, out[row])
        elif inner == 1:
            _pull_each(grads[row], flat[row], m, r, gamma[which], slope, offset, out[row])
        else:
            for k in range(width):
                _pull(g[row, k], x[row, k], m, r * gamma[which, k], slope, offset, dx[row, k])
        if gamma.size > 0 and (row % BLOCK == BLOCK - 1 or row == count - 1):
            total_dscale += dscale
            total_dshift += dshift
            dscale[:], dshift[:] = 0, 0
    dgamma[:], dbeta[:] = total_dscale, total_dshift


@inlined
def _repeats(before: int, columns: int) -> int:
    """Return how many rows of ``columns`` entries are best taken as one, since loops cost."""
    repeats = 1
    while before % (2 * repeats) == 0 and 2 * repeats * columns <= BLOCK:
        repeats *= 2
    return repeats


@inlined
def _repeated(x: Any, repeats: int) -> Any:
    return x.repeat(repeats).reshape(x.size, repeats).T.copy().reshape(-1)


@inlined
def _folded(x: Any, columns: int) -> Any:
    total = np.zeros(columns)
    for i in range(x.size):
        total[i % columns] += x[i]
    return total


@inlined
def _column_sums(x: Any) -> Any:
    total, part = np.zeros(x.shape[1]), np.zeros(x.shape[1], x.dtype)
    for n in range(x.shape[0]):
        for c in range(x.shape[1]):
            part[c] += x[n, c]
        if n % BLOCK == BLOCK - 1 or n == x.shape[0] - 1:
            total += part
            part[:] = 0
    return total


@inlined
def _column_sums_squares(x: Any, mu: Any) -> Any:
    total, part = np.zeros(x.shape[1]), np.zeros(x.shape[1], x.dtype)
    for n in range(x.shape[0]):
        for c in range(x.shape[1]):
            z = x[n, c] - mu[c]
            part[c] += z * z
        if n % BLOCK == BLOCK - 1 or n == x.shape[0] - 1:
            total += part
            part[:] = 0
    return total


@inlined
def _column_sums_with(g: Any, x: Any, mu: Any) -> Any:
    """Return ``sum(g)`` and ``sum(g * (x - mu))`` of each column."""
    total_s, total_p = np.zeros(x.shape[1]), np.zeros(x.shape[1])
    s, p = np.zeros(x.shape[1], x.dtype), np.zeros(x.shape[1], x.dtype)
    for n in range(x.shape[0]):
        for c in range(x.shape[1]):
            s[c] += g[n, c]
            p[c] += g[n, c] * (x[n, c] - mu[c])
        if n % BLOCK == BLOCK - 1 or n == x.shape[0] - 1:
            total_s += s
            total_p += p
            s[:], p[:] = 0, 0
    return total_s, total_p


@compiled
def project_columns(
    x: Any, gamma: Any, beta: Any, eps: float, centered: bool, y: Any, mu: Any, sigma2: Any
) -> None:
    """Write output, mean and variance of columns."""
    real = x.dtype.type
    before, columns, inner = x.shape
    d = before * inner
    repeats = _repeats(before, columns) if inner == 1 else 1
    wide = (before // repeats, columns * repeats * inner)
    flat, out = x.reshape(wide), y.reshape(wide)
    total = np.zeros(columns)
    if centered:
        if inner == 1:
            total = _folded(_column_sums(flat), columns)
        else:
            for n in range(before):
                for c in range(columns):
                    total[c] += _sum(x[n, c])
        for c in range(columns):
            mu[c] = real(total[c] / d)
    if inner == 1:
        total = _folded(_column_sums_squares(flat, _repeated(mu, repeats)), columns)
    else:
        total[:] = 0
        for n in range(before):
            for c in range(columns):
                total[c] += _sum_squares(x[n, c], mu[c])
    scale, shift = np.empty(columns, x.dtype), np.zeros(columns, x.dtype)
    for c in range(columns):
        sigma2[c] = real(total[c] / d)
        scale[c] = real(1 / math.sqrt(sigma2[c] + eps))
        if gamma.size > 0:
            scale[c] *= gamma[0, c]
        if beta.size > 0:
            shift[c] = beta[0, c]
    if inner == 1:
        m, a, b = (_repeated(mu, repeats), _repeated(scale, repeats), _repeated(shift, repeats))
        for n in range(wide[0]):
            for c in range(wide[1]):
                out[n, c] = (flat[n, c] - m[c]) * a[c] + b[c]
    else:
        for n in range(before):
            for c in range(columns):
                _place(x[n, c], mu[c], scale[c], shift[c], y[n, c])


@compiled
def tangent_columns(
    g: Any,
    x: Any,
    gamma: Any,
    mu: Any,
    sigma2: Any,
    eps: float,
    centered: bool,
    dx: Any,
    dgamma: Any,
    dbeta: Any,
) -> None:
    """Write the three gradients of columns."""
    real = x.dtype.type
    before, columns, inner = x.shape
    d = before * inner
    repeats = _repeats(before, columns) if inner == 1 else 1
    wide = (before // repeats, columns * repeats * inner)
    flat, grads, out = x.reshape(wide), g.reshape(wide), dx.reshape(wide)
    sum_g, sum_gz = np.zeros(columns), np.zeros(columns)
    if inner == 1:
        s, p = _column_sums_with(grads, flat, _repeated(mu, repeats))
        sum_g, sum_gz = _folded(s, columns), _folded(p, columns)
    else:
        for n in range(before):
            for c in range(columns):
                s2, p2 = _sums_with(g[n, c], x[n, c], mu[c])
                sum_g[c] += s2
                sum_gz[c] += p2
    scale, slope = np.empty(columns, x.dtype), np.empty(columns, x.dtype)
    offset = np.zeros(columns, x.dtype)
    for c in range(columns):
        r = 1 / math.sqrt(sigma2[c] + eps)
        a = r
        if gamma.size > 0:
            dgamma[0, c] = real(sum_gz[c] * r)
            dbeta[0, c] = real(sum_g[c])
            a = r * gamma[0, c]
        scale[c] = real(a)
        slope[c] = real(a * r * r * (sum_gz[c] / d))
        if centered:
            offset[c] = real(a * (sum_g[c] / d))
    if inner == 1:
        m, o = _repeated(mu, repeats), _repeated(offset, repeats)
        a2, b = _repeated(scale, repeats), _repeated(slope, repeats)
        for n in range(wide[0]):
            for c in range(wide[1]):
                out[n, c] = grads[n, c] * a2[c] - (flat[n, c] - m[c]) * b[c] - o[c]
    else:
        for n in range(before):
            for c in range(columns):
                _pull(g[n, c], x[n, c], mu[c], scale[c], slope[c], offset[c], dx[n, c])
