r"""BatchNorm in evaluation: an affine map by running averages, which a convolution can swallow.

Running averages are exponential windows over the batches that were seen:

    running_T = (1 - momentum)^T running_0 + momentum sum_t (1 - momentum)^(T - t) s_t
"""

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d

from normlib.layers import BatchNorm1d, BatchNorm2d
from normlib.theory.identity import Identity, apart, draw, worst

CHAPTER = "02_scale_invariance"
JACOB = "Jacob et al. 2017, https://arxiv.org/abs/1712.05877"


def folded(
    weight: Tensor, bias: Tensor | None, norm: nn.modules.batchnorm._BatchNorm
) -> tuple[Tensor, Tensor]:
    """Return the weight and bias that do what ``norm`` does in evaluation after them, too.

    ``W' = s W``, ``b' = s (b - running_mean) + beta`` with
    ``s = gamma / sqrt(running_var + eps)`` per output channel. `normlib.surgery.fold` does it to
    whole networks.

    Args:
        weight: (C, ...), of a convolution or a linear layer.
        bias: (C,), or None for zero.
        norm: The BatchNorm behind it, with running averages, scale and shift.

    Source: Jacob et al. 2017, https://arxiv.org/abs/1712.05877
    """
    mu, sigma2 = norm.running_mean, norm.running_var
    assert mu is not None
    assert sigma2 is not None
    s = norm.weight / (sigma2 + norm.eps).sqrt()
    b = -mu if bias is None else bias - mu
    return s.reshape(-1, *[1] * (weight.dim() - 1)) * weight, s * b + norm.bias


def train_over_eval(sigma2: Tensor, count: int, eps: float) -> Tensor:
    """Return by what training outputs exceed those of evaluation with the same statistics.

    ``sqrt((sigma2 count / (count - 1) + eps) / (sigma2 + eps))``: training divides by the biased
    variance, the running variance is the unbiased one.

    Args:
        sigma2: Biased variance of the batch.
        count: Values per channel.
        eps: Of the layer.
    """
    return ((sigma2 * count / (count - 1) + eps) / (sigma2 + eps)).sqrt()


def window(seen: Tensor, first: Tensor, momentum: float) -> Tensor:
    """Return the running average after ``seen``: ``T`` statistics, the oldest first.

    ``(1 - momentum)^T first + momentum sum_t (1 - momentum)^(T - t) seen_t``
    """
    ages = torch.arange(len(seen) - 1, -1, -1, dtype=seen.dtype)
    weights = momentum * (1 - momentum) ** ages
    old = float((1 - momentum) ** len(seen))
    return old * first + (weights[:, None] * seen).sum(0)


def _fold(seed: int) -> float:
    random, found = np.random.default_rng(seed), []
    for bias in (draw(random, 6), None):
        norm, weight = BatchNorm2d(6).double(), draw(random, 6, 4, 3, 3)
        for parameter in norm.parameters():
            parameter.data = draw(random, 6)
        for _ in range(4):
            norm(draw(random, 5, 6, 3, 3))
        x = draw(random, 5, 4, 7, 6)
        expected = norm.eval()(conv2d(x, weight, bias, padding=1, stride=2))
        found.append(apart(conv2d(x, *folded(weight, bias, norm), padding=1, stride=2), expected))
    return worst(found)


def _train_against_eval(seed: int) -> float:
    random = np.random.default_rng(seed)
    eps, x = random.uniform(1e-3, 1), draw(random, 4, 3, 2, 2)
    norm = BatchNorm2d(3, eps=eps, momentum=1.0, affine=False).double()
    trained, evaluated = norm(x), norm.eval()(x)
    ratio = train_over_eval(x.var((0, 2, 3), correction=0), 16, eps)
    return apart(trained, ratio[:, None, None] * evaluated)


def _window(seed: int) -> float:
    random = np.random.default_rng(seed)
    momentum, batches = random.uniform(0.05, 0.5), draw(random, 12, 10, 3)
    norm = BatchNorm1d(3, momentum=momentum).double()
    for batch in batches:
        norm(batch)
    assert norm.running_mean is not None
    assert norm.running_var is not None
    return worst(
        (
            apart(norm.running_mean, window(batches.mean(1), torch.zeros(3).double(), momentum)),
            apart(norm.running_var, window(batches.var(1), torch.ones(3).double(), momentum)),
        )
    )


def _noise_of_window(seed: int) -> float:
    random, momentum, size = np.random.default_rng(seed), 0.25, 4000
    norm = BatchNorm1d(size, momentum=momentum).double()
    for _ in range(25):  # of the start 0.75^25 is left
        norm(torch.from_numpy(random.normal(size=(5, size))))
    assert norm.running_mean is not None
    return abs(float(norm.running_mean.var()) * 5 * (2 - momentum) / momentum - 1)


def _between(seed: int) -> float:
    batches = draw(np.random.default_rng(seed), 6, 10, 3)
    norm = BatchNorm1d(3, momentum=None).double()
    for batch in batches + torch.arange(6.0)[:, None, None]:
        norm(batch)
    shifted = batches + torch.arange(6.0, dtype=batches.dtype)[:, None, None]
    assert norm.running_var is not None
    within = norm.running_var * 9 / 10
    return apart(
        within + shifted.mean(1).var(0, correction=0), shifted.flatten(0, 1).var(0, correction=0)
    )


FOLDING = (
    Identity(
        name="folding-convolution",
        title="An evaluated BatchNorm disappears in the convolution before it",
        statement=r"W' = s\,W,\quad b' = s\,(b-\bar\mu)+\beta,\quad"
        r" s = \gamma/\sqrt{\bar\sigma^2+\epsilon}",
        residual=_fold,
        source=JACOB,
        chapter=CHAPTER,
    ),
    Identity(
        name="folding-train-eval",
        title="With the same batch, training exceeds evaluation by the factor of the variances",
        statement=r"\hat x_{\mathrm{train}} = \hat x_{\mathrm{eval}}"
        r"\sqrt{\frac{\frac{n}{n-1}\sigma^2+\epsilon}{\sigma^2+\epsilon}}",
        residual=_train_against_eval,
        chapter=CHAPTER,
    ),
    Identity(
        name="folding-window",
        title="Running averages are an exponential window over the batches",
        statement=r"\bar s_T = (1-m)^T \bar s_0 + m\sum_t (1-m)^{T-t} s_t",
        residual=_window,
        chapter=CHAPTER,
    ),
    Identity(
        name="folding-window-noise",
        title="A running average is as noisy as a plain one over (2 - m)/m batches, within 10%",
        statement=r"\mathrm{Var}[\bar\mu] \approx \frac{m}{2-m}\,\mathrm{Var}[\mu_B]",
        residual=_noise_of_window,
        bound=0.1,
        kind="statistical",
        chapter=CHAPTER,
    ),
    Identity(
        name="folding-between",
        title="The average variance of batches lacks the variance between them",
        statement=r"\sigma^2_{\mathrm{all}} = E[\sigma_B^2] + \mathrm{Var}[\mu_B]",
        residual=_between,
        chapter=CHAPTER,
    ),
)

__all__ = ["FOLDING", "folded", "train_over_eval", "window"]
