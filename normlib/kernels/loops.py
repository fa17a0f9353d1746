"""The loops. Their arrays are ``rows`` or ``columns``, as `normlib.kernels` describes them, or,
where pooling follows, images (N, H, W, C).

Sums run in blocks that are added in double precision, so that their error does not grow with the
length of the sum.
"""

import math
from typing import Any

import numpy as np

from normlib.kernels.compiling import compiled, inlined

# One file for all: Numba compiles a loop anew when its own file has changed, not when another has
# whose functions it inlines.

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
def _add_column_sums_with(
    g: Any, x: Any, mu: Any, first: int, count: int, s: Any, p: Any, total_s: Any, total_p: Any
) -> None:
    """Add ``sum(g)`` and ``sum(g * (x - mu))`` of each column to the totals.

    The rows given are those from number ``first`` on, of ``count`` in all; ``s`` and ``p`` hold
    what is summed and not yet in the totals.
    """
    for n in range(x.shape[0]):
        for c in range(x.shape[1]):
            s[c] += g[n, c]
            p[c] += g[n, c] * (x[n, c] - mu[c])
        if (first + n) % BLOCK == BLOCK - 1 or first + n == count - 1:
            total_s += s
            total_p += p
            s[:], p[:] = 0, 0


@inlined
def _statistics_of_columns(flat: Any, repeats: int, centered: bool, mu: Any, sigma2: Any) -> None:
    """Write mean and variance of columns that ``flat`` holds ``repeats`` times side by side."""
    real, columns = flat.dtype.type, mu.size
    d = flat.shape[0] * repeats
    if centered:
        total = _folded(_column_sums(flat), columns)
        for c in range(columns):
            mu[c] = real(total[c] / d)
    total = _folded(_column_sums_squares(flat, _repeated(mu, repeats)), columns)
    for c in range(columns):
        sigma2[c] = real(total[c] / d)


@inlined
def _factors_of_columns(sigma2: Any, gamma: Any, beta: Any, eps: float) -> Any:
    """Return by what ``x - mu`` is multiplied, and what is then added."""
    real, columns = sigma2.dtype.type, sigma2.size
    scale, shift = np.empty(columns, sigma2.dtype), np.zeros(columns, sigma2.dtype)
    for c in range(columns):
        scale[c] = real(1 / math.sqrt(sigma2[c] + eps))
        if gamma.size > 0:
            scale[c] *= gamma[0, c]
        if beta.size > 0:
            shift[c] = beta[0, c]
    return scale, shift


@inlined
def _place_columns(flat: Any, m: Any, a: Any, b: Any, out: Any) -> None:
    """Write ``(x - m) * a + b``."""
    for n in range(flat.shape[0]):
        for c in range(flat.shape[1]):
            out[n, c] = (flat[n, c] - m[c]) * a[c] + b[c]


@inlined
def _tangent_of_columns(
    sum_g: Any,
    sum_gz: Any,
    sigma2: Any,
    gamma: Any,
    eps: float,
    d: int,
    centered: bool,
    dgamma: Any,
    dbeta: Any,
) -> Any:
    """Write the gradients of gamma and beta; return scale, slope and offset for ``dx``."""
    real, columns = sigma2.dtype.type, sigma2.size
    scale, slope = np.empty(columns, sigma2.dtype), np.empty(columns, sigma2.dtype)
    offset = np.zeros(columns, sigma2.dtype)
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
    return scale, slope, offset


@inlined
def _pull_columns(g: Any, flat: Any, m: Any, a: Any, b: Any, o: Any, out: Any) -> None:
    """Write ``g * a - (x - m) * b - o``."""
    for n in range(flat.shape[0]):
        for c in range(flat.shape[1]):
            out[n, c] = g[n, c] * a[c] - (flat[n, c] - m[c]) * b[c] - o[c]


@compiled
def project_columns(
    x: Any, gamma: Any, beta: Any, eps: float, centered: bool, y: Any, mu: Any, sigma2: Any
) -> None:
    """Write output, mean and variance of columns."""
    real = x.dtype.type
    before, columns, inner = x.shape
    d = before * inner
    if inner == 1:
        repeats = _repeats(before, columns)
        wide = (before // repeats, columns * repeats)
        flat, out = x.reshape(wide), y.reshape(wide)
        _statistics_of_columns(flat, repeats, centered, mu, sigma2)
        scale, shift = _factors_of_columns(sigma2, gamma, beta, eps)
        m, a, b = _repeated(mu, repeats), _repeated(scale, repeats), _repeated(shift, repeats)
        _place_columns(flat, m, a, b, out)
        return
    total = np.zeros(columns)
    if centered:
        for n in range(before):
            for c in range(columns):
                total[c] += _sum(x[n, c])
        for c in range(columns):
            mu[c] = real(total[c] / d)
    total[:] = 0
    for n in range(before):
        for c in range(columns):
            total[c] += _sum_squares(x[n, c], mu[c])
    for c in range(columns):
        sigma2[c] = real(total[c] / d)
    scale, shift = _factors_of_columns(sigma2, gamma, beta, eps)
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
    before, columns, inner = x.shape
    d = before * inner
    if inner == 1:
        repeats = _repeats(before, columns)
        wide = (before // repeats, columns * repeats)
        flat, grads, out = x.reshape(wide), g.reshape(wide), dx.reshape(wide)
        m = _repeated(mu, repeats)
        s, p = np.zeros(wide[1], x.dtype), np.zeros(wide[1], x.dtype)
        total_s, total_p = np.zeros(wide[1]), np.zeros(wide[1])
        _add_column_sums_with(grads, flat, m, 0, wide[0], s, p, total_s, total_p)
        sum_g, sum_gz = _folded(total_s, columns), _folded(total_p, columns)
        scale, slope, offset = _tangent_of_columns(
            sum_g, sum_gz, sigma2, gamma, eps, d, centered, dgamma, dbeta
        )
        a, b, o = _repeated(scale, repeats), _repeated(slope, repeats), _repeated(offset, repeats)
        _pull_columns(grads, flat, m, a, b, o, out)
        return
    sum_g, sum_gz = np.zeros(columns), np.zeros(columns)
    for n in range(before):
        for c in range(columns):
            s2, p2 = _sums_with(g[n, c], x[n, c], mu[c])
            sum_g[c] += s2
            sum_gz[c] += p2
    scale, slope, offset = _tangent_of_columns(
        sum_g, sum_gz, sigma2, gamma, eps, d, centered, dgamma, dbeta
    )
    for n in range(before):
        for c in range(columns):
            _pull(g[n, c], x[n, c], mu[c], scale[c], slope[c], offset[c], dx[n, c])


@inlined
def _largest(first: Any, second: Any, third: Any, fourth: Any, zero: Any) -> Any:
    """Return the largest of four and its place, or ``zero`` and 4 if it is not above."""
    best, place = first, 0
    # What is not a number differs from itself, and wins, as in torch.
    if second > best or second != second:
        best, place = second, 1
    if third > best or third != third:
        best, place = third, 2
    if fourth > best or fourth != fourth:
        best, place = fourth, 3
    if best <= 0:
        return zero, 4
    return best, place


# Each innermost loop writes to one place: a compiler uses vector registers only if it can tell
# that what is written is not what is read next, and it gives up on many such questions.


@inlined
def _pool_image(x: Any, pooled: Any, y: Any, chosen: Any) -> None:
    """Pool (H, W, C) to ``y`` (C, H // 2, W // 2); ``pooled`` (H // 2, W // 2, C) is scratch."""
    zero = x.dtype.type(0)
    for i in range(pooled.shape[0]):
        for j in range(pooled.shape[1]):
            for c in range(pooled.shape[2]):
                pooled[i, j, c] = _largest(
                    x[2 * i, 2 * j, c],
                    x[2 * i, 2 * j + 1, c],
                    x[2 * i + 1, 2 * j, c],
                    x[2 * i + 1, 2 * j + 1, c],
                    zero,
                )[0]
            for c in range(pooled.shape[2]):
                chosen[i, j, c] = _largest(
                    x[2 * i, 2 * j, c],
                    x[2 * i, 2 * j + 1, c],
                    x[2 * i + 1, 2 * j, c],
                    x[2 * i + 1, 2 * j + 1, c],
                    zero,
                )[1]
    _transpose(pooled.reshape(-1, pooled.shape[2]), y.reshape(y.shape[0], -1))


@inlined
def _unpool_image(g: Any, pulled: Any, chosen: Any, dx: Any) -> None:
    """Send ``g`` (C, H // 2, W // 2) back to (H, W, C); ``pulled`` is scratch.

    An odd last row or column is left as it is.
    """
    _transpose(g.reshape(g.shape[0], -1), pulled.reshape(-1, pulled.shape[2]))
    zero = dx.dtype.type(0)
    for i in range(pulled.shape[0]):
        for j in range(pulled.shape[1]):
            for c in range(pulled.shape[2]):
                dx[2 * i, 2 * j, c] = pulled[i, j, c] if chosen[i, j, c] == 0 else zero
            for c in range(pulled.shape[2]):
                dx[2 * i, 2 * j + 1, c] = pulled[i, j, c] if chosen[i, j, c] == 1 else zero
            for c in range(pulled.shape[2]):
                dx[2 * i + 1, 2 * j, c] = pulled[i, j, c] if chosen[i, j, c] == 2 else zero
            for c in range(pulled.shape[2]):
                dx[2 * i + 1, 2 * j + 1, c] = pulled[i, j, c] if chosen[i, j, c] == 3 else zero


@inlined
def _transpose(x: Any, y: Any) -> None:
    for i in range(y.shape[0]):
        for j in range(y.shape[1]):
            y[i, j] = x[j, i]


@compiled
def pool(x: Any, y: Any, chosen: Any) -> None:
    """Write the pooled images and which entry of each window was chosen."""
    scratch = np.empty(chosen.shape[1:], x.dtype)
    for n in range(x.shape[0]):
        _pool_image(x[n], scratch, y[n], chosen[n])


@compiled
def unpool(g: Any, chosen: Any, dx: Any) -> None:
    """Write the gradient of pooling."""
    scratch = np.empty(chosen.shape[1:], dx.dtype)
    for n in range(dx.shape[0]):
        _unpool_image(g[n], scratch, chosen[n], dx[n])


@compiled
def divides_images(count: int, columns: int, height: int, width: int) -> bool:
    """Whether no image ends within one of the rows that `project_columns` works by."""
    return bool(height * width % _repeats(count * height * width, columns) == 0)


@compiled
def project_pool(
    x: Any, gamma: Any, beta: Any, eps: float, y: Any, chosen: Any, mu: Any, sigma2: Any
) -> None:
    """Write `project_columns` followed by `pool`, image by image."""
    count, height, width, columns = x.shape
    rows = height * width
    repeats = _repeats(rows * count, columns)
    flat = x.reshape(count * rows // repeats, columns * repeats)
    _statistics_of_columns(flat, repeats, True, mu, sigma2)
    scale, shift = _factors_of_columns(sigma2, gamma, beta, eps)
    m, a, b = _repeated(mu, repeats), _repeated(scale, repeats), _repeated(shift, repeats)
    rows //= repeats
    placed, scratch = np.empty(x.shape[1:], x.dtype), np.empty(chosen.shape[1:], x.dtype)
    for n in range(count):
        part = flat[n * rows : (n + 1) * rows]
        _place_columns(part, m, a, b, placed.reshape(part.shape))
        _pool_image(placed, scratch, y[n], chosen[n])


@compiled
def unpool_tangent(
    g: Any,
    chosen: Any,
    x: Any,
    gamma: Any,
    mu: Any,
    sigma2: Any,
    eps: float,
    dx: Any,
    dgamma: Any,
    dbeta: Any,
) -> None:
    """Write `unpool` followed by `tangent_columns`, image by image."""
    count, height, width, columns = x.shape
    rows = height * width
    d = rows * count
    repeats = _repeats(d, columns)
    wide = (d // repeats, columns * repeats)
    flat, out, m = x.reshape(wide), dx.reshape(wide), _repeated(mu, repeats)
    rows //= repeats
    # Zeros, since nothing is ever written to an odd last row or column.
    grads, scratch = np.zeros(x.shape[1:], x.dtype), np.empty(chosen.shape[1:], x.dtype)
    s, p = np.zeros(wide[1], x.dtype), np.zeros(wide[1], x.dtype)
    total_s, total_p = np.zeros(wide[1]), np.zeros(wide[1])
    for n in range(count):
        _unpool_image(g[n], scratch, chosen[n], grads)
        part = flat[n * rows : (n + 1) * rows]
        spread = grads.reshape(part.shape)
        _add_column_sums_with(spread, part, m, n * rows, wide[0], s, p, total_s, total_p)
    sum_g, sum_gz = _folded(total_s, columns), _folded(total_p, columns)
    scale, slope, offset = _tangent_of_columns(
        sum_g, sum_gz, sigma2, gamma, eps, d, True, dgamma, dbeta
    )
    a, b, o = _repeated(scale, repeats), _repeated(slope, repeats), _repeated(offset, repeats)
    for n in range(count):
        # Once more: what would have been kept is larger than the memory that is fast.
        _unpool_image(g[n], scratch, chosen[n], grads)
        part = flat[n * rows : (n + 1) * rows]
        _pull_columns(grads.reshape(part.shape), part, m, a, b, o, out[n * rows : (n + 1) * rows])
