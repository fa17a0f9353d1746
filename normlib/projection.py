r"""The one idea: normalization is a projection.

Take ``x`` and some of its dimensions, ``d`` entries in all. Subtracting their mean ``mu`` projects
onto the hyperplane ``sum(z) = 0``; dividing by the root of their mean square ``sigma2`` projects
onto the sphere of radius ``sqrt(d)``; ``gamma`` and ``beta`` then re-scale and shift:

    mu     = mean(x)                      or absent, if not centered
    z      = x - mu
    sigma2 = mean(z ** 2)
    xhat   = z / sqrt(sigma2 + eps)
    y      = gamma * xhat + beta

The derivative of ``xhat`` is, up to the factor ``1 / sqrt(sigma2 + eps)``, the projector onto the
tangent space of that sphere within that hyperplane. With ``h`` the gradient that reaches ``xhat``
(``gamma`` times the one that reaches ``y``):

    dx = (h - mean(h) - xhat * mean(h * xhat)) / sqrt(sigma2 + eps)

Which dimensions, whether centered, and the shapes of ``gamma`` and ``beta`` make the method:
BatchNorm, LayerNorm, GroupNorm, InstanceNorm, RMSNorm and weight normalization are this function.

The backward passes are written by hand out of differentiable operations on the inputs and the
outputs, so that they can be differentiated again. The statistics are outputs too: a second
derivative then flows through them instead of taking them for constants.
"""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function

from normlib import kernels
from normlib.precision import full_precision, wide

Dims = tuple[int, ...]


def sphere(
    x: Tensor,
    dims: Sequence[int],
    gamma: Tensor | None = None,
    beta: Tensor | None = None,
    *,
    eps: float = 0.0,
    centered: bool = True,
) -> tuple[Tensor, Tensor, Tensor]:
    """Project ``x`` onto the sphere over ``dims``, then re-scale and shift.

    ``y = gamma * (x - mu) / sqrt(sigma2 + eps) + beta``

    Args:
        x: Tensor of any shape; float16 and bfloat16 have their statistics taken in float32.
        dims: The dimensions over which ``mu`` and ``sigma2`` are taken, at least one.
        gamma: Scale, of as many dimensions as ``x`` and broadcastable to it, or None for 1.
        beta: Shift, of the same shape as ``gamma``, or None for 0.
        eps: Added to ``sigma2``, at least 0; with 0 the projection is exact.
        centered: Whether to project onto the hyperplane of mean zero first.

    Returns:
        ``y`` like ``x``; ``mu`` and ``sigma2`` (biased) with the dimensions ``dims`` of size 1.
        Without centering ``mu`` is zero.

    Raises:
        IndexError: there are no ``dims``, or ``x`` has not all of them.
        NotImplementedError: ``x`` is of integers.

    Source: Ioffe and Szegedy 2015, https://arxiv.org/abs/1502.03167 (batch normalization and
    its gradient); Zhang and Sennrich 2019, https://arxiv.org/abs/1910.07467 (uncentered).
    """
    _check_dims(x, dims)
    order = memory_order(x)
    dims = tuple(i for i, d in enumerate(order) if d in {e % x.dim() for e in dims})
    y, mu, sigma2 = _Sphere.apply(
        x.permute(order), _in_order(gamma, order), _in_order(beta, order), dims, eps, centered
    )
    back = [order.index(d) for d in range(x.dim())]
    return y.permute(back), mu.permute(back), sigma2.permute(back)


def rescale(
    x: Tensor,
    gamma: Tensor | None = None,
    beta: Tensor | None = None,
    mu: Tensor | None = None,
    sigma2: Tensor | None = None,
    *,
    eps: float = 0.0,
) -> Tensor:
    """Re-scale and shift by given amounts: ``y = gamma * (x - mu) / sqrt(sigma2 + eps) + beta``.

    This is a normalization whose statistics are constants (evaluation with running averages),
    and the affine layer, without ``mu`` and ``sigma2``.

    Args:
        x: Tensor of any shape.
        gamma: Scale, of as many dimensions as ``x`` and broadcastable to it, or None for 1.
        beta: Shift, likewise, or None for 0.
        mu: What is subtracted first, likewise, or None for 0. It gets no gradient.
        sigma2: The variance, of the shape of ``mu``, or None for no division. No gradient either.
        eps: Added to ``sigma2``.

    Returns:
        ``y`` like ``x``.
    """
    y: Tensor = _Rescale.apply(x, gamma, beta, mu, sigma2, eps)
    return y


def hyperplane(x: Tensor, dims: Sequence[int], beta: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Project ``x`` onto the hyperplane of mean zero over ``dims``, then shift.

    ``y = x - mu + beta`` with ``mu = mean(x)``; linear, so its derivative is the projector itself.

    Args:
        x: Tensor of any shape; float16 and bfloat16 have their mean taken in float32.
        dims: The dimensions over which ``mu`` is taken, at least one.
        beta: Shift, of as many dimensions as ``x`` and broadcastable to it, or None for 0.

    Returns:
        ``y`` like ``x``; ``mu`` with the dimensions ``dims`` of size 1.

    Raises:
        IndexError: there are no ``dims``, or ``x`` has not all of them.
        NotImplementedError: ``x`` is of integers.

    Source: Salimans and Kingma 2016, https://arxiv.org/abs/1602.07868 (mean-only normalization).
    """
    _check_dims(x, dims)
    w = wide(x)
    mu = w.mean(tuple(dims), keepdim=True)
    y = w - mu if beta is None else w - mu + beta
    return y.to(x.dtype), mu


def _check_dims(x: Tensor, dims: Sequence[int]) -> None:
    n = x.dim()
    if len(dims) == 0 or min(dims) < -n or max(dims) >= n:
        raise IndexError(
            f"dims={tuple(dims)} are not dimensions of an input of shape {tuple(x.shape)}; "
            f"give one or more of {-n}..{n - 1}"
        )


def memory_order(x: Tensor) -> list[int]:
    """Return the dimensions by decreasing stride, so that channels_last is one more shape.

    A compiler, to which strides may be unknown, finds a good order by itself.
    """
    if torch.compiler.is_compiling():
        return list(range(x.dim()))
    strides = x.stride()
    return sorted(range(x.dim()), key=lambda d: (-strides[d], d))


class _Sphere(Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(
        x: Tensor,
        gamma: Tensor | None,
        beta: Tensor | None,
        dims: Dims,
        eps: float,
        centered: bool,
    ) -> tuple[Tensor, Tensor, Tensor]:
        gamma, beta = _laid_out(gamma), _laid_out(beta)
        kept = [1 if d in dims else n for d, n in enumerate(x.shape)]
        if (
            (gamma is not None or beta is None)  # the loops shift only what they scale
            and (layout := kernels.layout_of(x, [gamma, beta], dims)) is not None
        ):
            y, mu, sigma2 = kernels.project(x, gamma, beta, eps, centered, layout)
            return y, mu.reshape(kept), sigma2.reshape(kept)
        w = wide(x)
        mu = w.mean(dims, keepdim=True) if centered else w.new_zeros(kept)
        z = w - mu if centered else w.clone()
        sigma2 = _mean_square(z, dims)
        scale = torch.rsqrt(sigma2 + eps)
        if gamma is not None and _shared(gamma, dims):
            scale, gamma = scale * gamma, None
        y = _times(z, scale)
        y = y if gamma is None else _times(y, gamma)
        y = y if beta is None else _plus(y, beta)
        return y.to(x.dtype), mu, sigma2

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
        x, gamma, beta, ctx.dims, ctx.eps, ctx.centered = inputs
        ctx.beta = None if beta is None else (beta.shape, beta.dtype)
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(x, gamma, output[1] if ctx.centered else None, output[2])

    @staticmethod
    def backward(
        ctx: Any, g: Tensor | None, g_mu: Tensor | None, g_sigma2: Tensor | None
    ) -> tuple[Tensor | None, ...]:
        x, gamma, mu, sigma2 = ctx.saved_tensors
        gamma = _laid_out(gamma)
        if (
            g is not None
            and (g_mu is None and g_sigma2 is None)
            and (gamma is not None or ctx.beta is None)
            and _overwritable(g)
            and (layout := kernels.layout_of(x, [gamma], ctx.dims)) is not None
        ):
            gradients = kernels.tangent(g, x, gamma, mu, sigma2, ctx.eps, layout)
            return *gradients[:2], gradients[2] if ctx.beta else None, None, None, None
        z = wide(x) - mu if ctx.centered else wide(x).clone()
        # The gradients through the statistics come first: what follows may overwrite z.
        dx, dgamma, dbeta = None, None, None
        if g_mu is not None and ctx.centered:
            dx = (g_mu / _count(x, ctx.dims)).expand_as(x)
        if g_sigma2 is not None:
            dx = _total(dx, z * (g_sigma2 * 2 / _count(x, ctx.dims)))
        if g is not None:
            r = torch.rsqrt(sigma2 + ctx.eps)
            if gamma is None and ctx.beta is not None:
                dbeta = wide(g).sum_to_size(ctx.beta[0])
            tangent, dgamma, d = _tangent(wide(g), z, r, gamma, ctx.dims, ctx.centered)
            dx, dbeta = _total(dx, tangent), d if dbeta is None else dbeta
        return (
            None if dx is None else dx.to(x.dtype),
            None if gamma is None or dgamma is None else dgamma.to(gamma.dtype),
            None if ctx.beta is None or dbeta is None else dbeta.to(ctx.beta[1]),
            None,
            None,
            None,
        )


def _tangent(
    g: Tensor, z: Tensor, r: Tensor, gamma: Tensor | None, dims: Dims, centered: bool
) -> tuple[Tensor, Tensor | None, Tensor | None]:
    """Project ``h = gamma * g`` onto the tangent space; return ``dx, dgamma, dbeta``.

    ``dx = r * (h - mean(h) - z * r**2 * mean(h * z))`` with ``r = 1 / sqrt(sigma2 + eps)``.
    """
    d = _count(z, dims)
    product = g * z
    # Below, r is multiplied in one at a time: its cube leaves float32 where z and r do not.
    dgamma = dbeta = None
    if gamma is None or _shared(gamma, dims):
        # What both the statistics and gamma reduce is reduced once; the rest is small.
        shared = dims if gamma is None else _shared(gamma, dims)
        s, p, scale = _sum(g, shared), _sum(product, shared), r
        if gamma is not None:
            dgamma, dbeta = (p * r).sum_to_size(gamma.shape), s.sum_to_size(gamma.shape)
            s, p, scale = s * gamma, p * gamma, r * gamma
        mean_h, mean_hz = _sum(s, dims) / d, _sum(p, dims) / d
        normal = _normal(z, r * (r * (r * mean_hz)), r * mean_h if centered else None)
        return _add_product(normal, g, scale, product), dgamma, dbeta
    mean_h, mean_hz = _inner(g, gamma, dims) / d, _inner(product, gamma, dims) / d
    dgamma, dbeta = _outer(r, product, gamma, dims), g.sum_to_size(gamma.shape)
    normal = _normal(z, r * (r * mean_hz), mean_h if centered else None)
    return _times(_add_product(normal, g, gamma, product), r), dgamma, dbeta


def _normal(z: Tensor, slope: Tensor, offset: Tensor | None) -> Tensor:
    """Return what the projection takes away, negated: ``-(z * slope + offset)``."""
    normal = _times(z, -slope)
    if offset is None:
        return normal
    return normal.sub_(offset) if _overwritable(normal, offset) else normal - offset


def _add_product(a: Tensor, g: Tensor, scale: Tensor, scratch: Tensor) -> Tensor:
    """Return ``a + g * scale``."""
    if not _overwritable(a, g, scale, scratch):
        return a + g * scale
    # addcmul crawls where scale differs from neighbour to neighbour over a short stretch.
    if scale.shape[-1] == 1 or scale.numel() >= 4096:
        return a.addcmul_(g, scale)
    return a.add_(torch.mul(g, scale, out=scratch))


class _Rescale(Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(
        x: Tensor,
        gamma: Tensor | None,
        beta: Tensor | None,
        mu: Tensor | None,
        sigma2: Tensor | None,
        eps: float,
    ) -> Tensor:
        y = wide(x)
        y = y.clone() if mu is None else y - mu
        for factor in _factors(gamma, sigma2, eps):
            y = _times(y, factor)
        y = y if beta is None else _plus(y, beta)
        return y.to(x.dtype)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        x, gamma, beta, mu, sigma2, ctx.eps = inputs
        ctx.beta = None if beta is None else (beta.shape, beta.dtype)
        ctx.x_dtype = x.dtype
        needs_x = gamma is not None
        ctx.save_for_backward(x if needs_x else None, gamma, mu if needs_x else None, sigma2)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, ...]:
        x, gamma, mu, sigma2 = ctx.saved_tensors
        h, dgamma, dbeta = wide(g), None, None
        if ctx.beta is not None:
            dbeta = h.sum_to_size(ctx.beta[0]).to(ctx.beta[1])
        if gamma is not None:
            z = wide(x) if mu is None else wide(x) - mu
            for r in _factors(None, sigma2, ctx.eps):
                z = z * r
            dgamma = (h * z).sum_to_size(gamma.shape).to(gamma.dtype)
        for factor in _factors(gamma, sigma2, ctx.eps):
            h = h * factor
        return h.to(ctx.x_dtype), dgamma, dbeta, None, None, None


def _factors(gamma: Tensor | None, sigma2: Tensor | None, eps: float) -> list[Tensor]:
    """Return what ``x - mu`` is multiplied by: ``gamma / sqrt(sigma2 + eps)``, or part of it."""
    if sigma2 is None:
        return [] if gamma is None else [gamma]
    r = torch.rsqrt(wide(sigma2) + eps)
    return [r if gamma is None else r * gamma]


def _count(x: Tensor, dims: Dims) -> int:
    return math.prod([x.shape[d] for d in dims])  # a list: a compiler traces no generator


def _total(a: Tensor | None, b: Tensor) -> Tensor:
    return b if a is None else a + b


def _sum(x: Tensor, dims: Dims) -> Tensor:
    return x.sum(dims, keepdim=True) if dims else x


def _shared(gamma: Tensor, dims: Dims) -> Dims:
    """Return those of ``dims`` along which ``gamma`` is constant, too."""
    return tuple(d for d in dims if gamma.shape[d] == 1)


def _inner(a: Tensor, gamma: Tensor, dims: Dims) -> Tensor:
    """Return ``sum(a * gamma)`` over ``dims``."""
    if not _is_row(gamma, a, dims):
        return (a * gamma).sum(dims, keepdim=True)
    with full_precision(a):
        rows = a.reshape(-1, gamma.numel()) @ gamma.reshape(-1).to(a.dtype)
    return rows.reshape([1 if d in dims else n for d, n in enumerate(a.shape)])


def _outer(weight: Tensor, a: Tensor, gamma: Tensor, dims: Dims) -> Tensor:
    """Return ``sum(weight * a)`` in ``gamma``'s shape; ``weight`` is constant over ``dims``."""
    if not _is_row(gamma, a, dims):
        return (weight * a).sum_to_size(gamma.shape)
    with full_precision(a):
        return (weight.reshape(-1) @ a.reshape(-1, gamma.numel())).reshape(gamma.shape)


def _is_row(gamma: Tensor, a: Tensor, dims: Dims) -> bool:
    """Whether ``gamma`` is a row of the matrix that ``a`` is, with ``dims`` as its columns.

    A product of matrices then reads ``a`` once; a compiler fuses the plain sum into more.
    """
    if torch.compiler.is_compiling():
        return False
    trailing = dims[0] == a.dim() - len(dims)
    return trailing and gamma.numel() == _count(a, dims) and gamma.numel() > 0


def _mean_square(z: Tensor, dims: Dims) -> Tensor:
    """Return ``mean(z ** 2)``.

    On a CPU torch.var takes several times as long, and so does vector_norm over entries that do
    not lie side by side in memory: those are squared and summed.
    """
    inner = [d for i, d in enumerate(dims) if dims[i:] == tuple(range(d, z.dim()))]
    if _count(z, tuple(inner)) < 32:
        return (z * z).mean(dims, keepdim=True)
    partial = torch.linalg.vector_norm(z, dim=inner, keepdim=True).square()
    return _sum(partial, dims) / _count(z, dims)


def _overwritable(*operands: Tensor) -> bool:
    """Whether an intermediate result may hold the next one, which halves the memory traffic.

    Not while a graph of the backward pass is recorded, since the graph needs it; nor under a
    transformation (a batched operand would not fit in); and a compiler does it by itself.
    """
    return not (torch.is_grad_enabled() or kernels.transformed(*operands))


def _times(z: Tensor, factor: Tensor) -> Tensor:
    return z.mul_(factor) if _overwritable(z, factor) else z * factor


def _plus(z: Tensor, term: Tensor) -> Tensor:
    return z.add_(term) if _overwritable(z, term) else z + term


def _in_order(parameter: Tensor | None, order: list[int]) -> Tensor | None:
    return None if parameter is None else parameter.permute(order)


def _laid_out(parameter: Tensor | None) -> Tensor | None:
    """Copy a permuted parameter, for speed; not before it is saved, which would take memory."""
    return None if parameter is None else parameter.contiguous()
