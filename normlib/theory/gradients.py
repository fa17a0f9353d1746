r"""Gradients of a loss that does not depend on the length of a weight.

``L(a w) = L(w)`` for all ``a > 0``. Differentiating by ``a``, by ``w`` and by both gives

    <w, grad L(w)> = 0        grad L(a w) = grad L(w) / a        H(w) w = -grad L(w)

With ``eps > 0`` nothing becomes approximate: ``L(a w; eps) = L(w; eps / a^2)``, and the derivative
by ``a`` says what the inner product is instead of zero.
"""

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import conv2d

from normlib.layers import BatchNorm2d, LayerNorm, WeightNorm
from normlib.projection import sphere
from normlib.theory.identity import Identity, apart, draw, worst
from normlib.theory.invariant_losses import Problem, by_batch, by_length, by_sample, each
from normlib.theory.whitening import power

CHAPTER = "02_scale_invariance"
SALIMANS = "Salimans and Kingma 2016, https://arxiv.org/abs/1602.07868"
ARORA = "Li and Arora 2019, https://arxiv.org/abs/1910.07454"


def scaled_eps(eps: float, a: float) -> float:
    """Return the epsilon that does at ``w`` what ``eps`` does at ``a * w``: ``eps / a**2``."""
    return eps / a**2


def cosine(problem: Problem, w: Tensor, step: Tensor) -> float:
    """Return the largest ``abs(<w, step>) / (norm(w) norm(step))`` over the lengths that count."""
    size = (problem.square(w) * problem.square(step)).sqrt()
    return float((problem.inner(w, step).abs() / size).max())


def weight_norm_gradients(g: Tensor, v: Tensor, by_weight: Tensor) -> tuple[Tensor, Tensor]:
    r"""Return the gradients by ``g`` and ``v`` of ``w = g v / norm(v)``, row by row.

    ``grad_g = <grad_w, v> / norm(v)`` and
    ``grad_v = g / norm(v) * (grad_w - grad_g v / norm(v))``.

    Args:
        g: Lengths, (C, 1).
        v: Directions, (C, I).
        by_weight: The gradient by the weight ``w``, (C, I).

    Source: Salimans and Kingma 2016, https://arxiv.org/abs/1602.07868, equation 3.
    """
    length = v.norm(dim=1, keepdim=True)
    by_g = (by_weight * v).sum(1, keepdim=True) / length
    return by_g, g / length * (by_weight - by_g * v / length)


def whiten(x: Tensor) -> Tensor:
    """Return ``x`` (N, D) with mean zero and the unit matrix for its (biased) covariance."""
    z = x - x.mean(0)
    return z @ power(z.T @ z / len(z), -0.5)


def _orthogonal(problem: Problem) -> float:
    return cosine(problem, problem.w, problem.gradient(problem.w))


def _defect(seed: int) -> float:
    random = np.random.default_rng(seed)
    eps, problem = random.uniform(0.1, 2), by_batch(np.random.default_rng(seed))
    x, gamma = draw(random, 5, 3, 6, 6), draw(random, 1, 4, 1, 1)
    w = problem.w.requires_grad_()
    xhat, _, sigma2 = sphere(conv2d(x, w), (0, 2, 3), eps=eps)
    h, by_w = torch.autograd.grad((torch.tanh(gamma * xhat)).pow(2).sum(), (xhat, w))
    expected = eps / (sigma2 + eps) * (h * xhat).sum((0, 2, 3), keepdim=True)
    return apart(problem.inner(w, by_w).flatten(), expected.flatten())


def _inverse(seed: int) -> float:
    random = np.random.default_rng(seed)
    a = random.uniform(2, 9)
    return worst(apart(p.gradient(a * p.w), p.gradient(p.w) / a) for p in each(random))


def _eps_output(seed: int) -> float:
    random = np.random.default_rng(seed)
    a, eps = random.uniform(2, 9), random.uniform(0.1, 2)
    x, w = draw(random, 5, 3, 6, 6), by_batch(random).w
    features, matrix = draw(random, 7, 5), by_sample(random).w
    small = scaled_eps(eps, a)
    return worst(
        (
            apart(
                BatchNorm2d(4, eps=eps).double()(conv2d(x, a * w)),
                BatchNorm2d(4, eps=small).double()(conv2d(x, w)),
            ),
            apart(
                LayerNorm(6, eps=eps).double()(features @ (a * matrix).T),
                LayerNorm(6, eps=small).double()(features @ matrix.T),
            ),
        )
    )


def _eps_gradient(seed: int) -> float:
    random = np.random.default_rng(seed)
    a, eps = random.uniform(2, 9), random.uniform(0.1, 2)
    found = []
    for make in (by_batch, by_sample):
        one = make(np.random.default_rng(seed), eps)
        other = make(np.random.default_rng(seed), scaled_eps(eps, a))
        found.append(apart(one.gradient(a * one.w), other.gradient(one.w) / a))
    return worst(found)


def _hessian(seed: int) -> float:
    found = []
    for problem in each(np.random.default_rng(seed)):
        w = problem.w.requires_grad_()
        (gradient,) = torch.autograd.grad(problem.loss(w, 0), w, create_graph=True)
        filters = range(1 if 0 in problem.dims else len(w))
        for chosen in filters:
            only = torch.ones_like(w) if 0 in problem.dims else torch.zeros_like(w)
            only[chosen] = 1
            (product,) = torch.autograd.grad(gradient, w, only * w.detach(), retain_graph=True)
            unit = float(gradient.detach().abs().max())
            found.append(apart(product, -only * gradient.detach(), unit=unit))
    return worst(found)


def _bias(seed: int) -> float:
    random = np.random.default_rng(seed)
    x, w, direction = draw(random, 5, 3, 6, 6), by_batch(random).w, draw(random, 5, 4, 4, 4)
    z = conv2d(x, w, draw(random, 4)).requires_grad_()
    y = BatchNorm2d(4).double()(z)
    (by_z,) = torch.autograd.grad((direction * torch.tanh(y)).sum(), z)
    return float((by_z.sum((0, 2, 3)).abs() / by_z.abs().sum((0, 2, 3))).max())


def _weight_norm(seed: int) -> float:
    random = np.random.default_rng(seed)
    x, v, g = draw(random, 7, 5), by_length(random).w.requires_grad_(), draw(random, 6, 1)
    g.requires_grad_()
    w = WeightNorm()(g, v)
    by_g, by_v, by_w = torch.autograd.grad(torch.tanh(x @ w.T).pow(2).sum(), (g, v, w))
    expected = weight_norm_gradients(g, v, by_w)
    return worst((apart(by_g, expected[0]), apart(by_v, expected[1])))


def _metric(seed: int) -> float:
    random = np.random.default_rng(seed)
    v, g = by_length(random).w.requires_grad_(), draw(random, 6, 1).requires_grad_()
    by_w = draw(random, 6, 5).requires_grad_()
    pulled = torch.autograd.grad(WeightNorm()(g, v), (g, v), by_w, create_graph=True)
    # The derivative of the pulled back gradient by what is pulled back pushes a step forward.
    (pushed,) = torch.autograd.grad(pulled, by_w, [one.detach() for one in pulled])
    unit = v / v.norm(dim=1, keepdim=True)
    along = (by_w * unit).sum(1, keepdim=True) * unit
    ratio = (g / v.norm(dim=1, keepdim=True)).square()
    return apart(pushed, along + ratio * (by_w - along))


def _whitened(seed: int) -> float:
    random = np.random.default_rng(seed)
    x, v = whiten(draw(random, 40, 5)), by_length(random).w.requires_grad_()
    gamma, beta, direction = draw(random, 6), draw(random, 6), draw(random, 40, 6)
    by_batch_norm = sphere(x @ v.T, (0,), gamma[None], beta[None])[0]
    by_weight_norm = x @ WeightNorm()(gamma[:, None], v).T + beta
    gradients = [
        torch.autograd.grad((direction * torch.tanh(y)).sum(), v)[0]
        for y in (by_batch_norm, by_weight_norm)
    ]
    return worst((apart(by_batch_norm, by_weight_norm), apart(*gradients)))


GRADIENTS = (
    Identity(
        name="gradients-orthogonal-batch",
        title="Under BatchNorm each filter's gradient is orthogonal to the filter",
        statement=r"\langle w_c, \nabla_{w_c} L\rangle = 0",
        residual=lambda seed: _orthogonal(by_batch(np.random.default_rng(seed))),
        source=ARORA,
        chapter=CHAPTER,
    ),
    Identity(
        name="gradients-orthogonal-layer",
        title="Under LayerNorm the gradient of the whole weight is orthogonal to it",
        statement=r"\langle W, \nabla_W L\rangle = 0",
        residual=lambda seed: _orthogonal(by_sample(np.random.default_rng(seed))),
        source=ARORA,
        chapter=CHAPTER,
    ),
    Identity(
        name="gradients-orthogonal-weight",
        title="Under weight normalization the gradient of the direction is orthogonal to it",
        statement=r"\langle v_c, \nabla_{v_c} L\rangle = 0",
        residual=lambda seed: _orthogonal(by_length(np.random.default_rng(seed))),
        source=SALIMANS,
        chapter=CHAPTER,
    ),
    Identity(
        name="gradients-defect",
        title="With an epsilon the gradient leans by a known amount",
        statement=r"\langle w_c, \nabla_{w_c} L\rangle = -2\epsilon\,\partial L/\partial\epsilon_c"
        r" = \frac{\epsilon}{\sigma_c^2 + \epsilon}\,\langle h_c, \hat x_c\rangle,"
        r"\quad h = \partial L/\partial\hat x",
        residual=_defect,
        chapter=CHAPTER,
    ),
    Identity(
        name="gradients-inverse",
        title="A longer weight has a smaller gradient, in inverse proportion",
        statement=r"\nabla L(a w) = \nabla L(w) / a",
        residual=_inverse,
        source=ARORA,
        chapter=CHAPTER,
    ),
    Identity(
        name="gradients-eps-output",
        title="Scaling the weight is dividing epsilon by the square of the scale",
        statement=r"\mathrm{BN}(a w; \epsilon) = \mathrm{BN}(w; \epsilon / a^2)",
        residual=_eps_output,
        chapter=CHAPTER,
    ),
    Identity(
        name="gradients-eps-gradient",
        title="With an epsilon the gradient of a scaled weight is one at another epsilon",
        statement=r"\nabla L(a w; \epsilon) = \nabla L(w; \epsilon / a^2) / a",
        residual=_eps_gradient,
        chapter=CHAPTER,
    ),
    Identity(
        name="gradients-hessian",
        title="The Hessian turns a filter into its negative gradient and reaches no other filter",
        statement=r"\nabla^2_{w_b w_c} L \; w_c = -\delta_{bc}\,\nabla_{w_c} L",
        residual=_hessian,
        chapter=CHAPTER,
    ),
    Identity(
        name="gradients-bias",
        title="A bias before BatchNorm has no gradient",
        statement=r"\textstyle\sum_{n,h,w} \partial L/\partial z_{nchw} = 0",
        residual=_bias,
        source="Ioffe and Szegedy 2015, https://arxiv.org/abs/1502.03167, section 3.2",
        chapter=CHAPTER,
    ),
    Identity(
        name="gradients-weight-norm",
        title="Weight normalization projects the gradient and rescales it",
        statement=r"\nabla_v L = \frac{g}{\lVert v\rVert}\Bigl(I - \frac{v v^\top}"
        r"{\lVert v\rVert^2}\Bigr)\nabla_w L,\quad"
        r"\nabla_g L = \frac{\langle v, \nabla_w L\rangle}{\lVert v\rVert}",
        residual=_weight_norm,
        source=SALIMANS,
        chapter=CHAPTER,
    ),
    Identity(
        name="gradients-weight-norm-metric",
        title="A small step on (g, v) is one on w whose part across w is scaled",
        statement=r"\frac{dw}{d\eta} = -\Bigl(u u^\top + \frac{g^2}{\lVert v\rVert^2}"
        r"(I - u u^\top)\Bigr)\nabla_w L,\quad u = v/\lVert v\rVert",
        residual=_metric,
        chapter=CHAPTER,
    ),
    Identity(
        name="gradients-whitened",
        title="On whitened input BatchNorm is weight normalization, gradients included",
        statement=r"E[x]=0,\ E[xx^\top]=I:\quad \mathrm{BN}(v^\top x) = \gamma\,"
        r"\frac{v^\top x}{\lVert v\rVert} + \beta",
        residual=_whitened,
        source=SALIMANS,
        chapter=CHAPTER,
    ),
)

__all__ = ["GRADIENTS", "cosine", "scaled_eps", "weight_norm_gradients", "whiten"]
