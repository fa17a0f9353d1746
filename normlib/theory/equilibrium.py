r"""Where weight decay and the growth of a scale-invariant weight balance.

Decay shrinks the squared length by ``2 lr decay`` of it, a step adds ``lr^2 norm(grad)^2``. The
gradient is inverse to the length: ``norm(grad)^2 = spread / norm(w)^2``, where ``spread`` depends
on the direction alone. The balance fixes the length, and with it the angle of a step, which
depends on neither gradient nor data:

    norm(w)^4  = lr spread / (decay (1 - momentum) (2 - lr decay / (1 + momentum)))
    cos(angle) = 1 - lr decay / (1 + momentum),  angle ~ sqrt(2 lr decay / (1 + momentum))

Derivation: write a step with momentum as ``w' = c w - momentum w_before - lr grad`` with
``c = 1 + momentum - lr decay``. The gradient is orthogonal to ``w``; where it is also, on average,
orthogonal to ``w_before`` (always without momentum; with it, where noise dominates), the mean
squares ``A`` of the length and ``B = <w', w>`` in a steady state obey ``B = c A - momentum B`` and
``A = c^2 A + momentum^2 A - 2 c momentum B + lr^2 norm(grad)^2``.

Source: van Laarhoven 2017, https://arxiv.org/abs/1706.05350 (SGD); Wan, Zhu, Zhang and Sun 2020,
https://arxiv.org/abs/2006.08419 (with momentum; the angle); Kosson, Messmer and Jaggi 2023,
https://arxiv.org/abs/2305.17212 (as a rotation, for further optimizers).
"""

import math
from functools import cache

import numpy as np
import torch
from torch import Tensor

from normlib.theory.identity import Identity, apart, worst
from normlib.theory.invariant_losses import Problem
from normlib.theory.walking import Walk, walk

CHAPTER = "02_scale_invariance"
LAARHOVEN = "van Laarhoven 2017, https://arxiv.org/abs/1706.05350"
WAN = "Wan, Zhu, Zhang and Sun 2020, https://arxiv.org/abs/2006.08419"
#: Of `regression`: entries of the weight, samples of a batch, and batches.
SIZE, BATCH, BATCHES = 64, 8, 400


def length(lr: float, decay: float, spread: float, momentum: float = 0.0) -> float:
    """Return the length at which decay and growth balance.

    ``norm(w)^4 = lr spread / (decay (1 - momentum) (2 - lr decay / (1 + momentum)))``

    Args:
        lr: Learning rate.
        decay: Weight decay, part of the gradient as in torch's SGD.
        spread: Mean of ``norm(grad)^2 norm(w)^2``.
        momentum: In 0..1.
    """
    return float(
        (lr * spread / (decay * (1 - momentum) * (2 - lr * decay / (1 + momentum)))) ** 0.25
    )


def angle(lr: float, decay: float, momentum: float = 0.0) -> float:
    """Return the angle between the weights before and after a step in balance, in radians.

    ``cos(angle) = 1 - lr decay / (1 + momentum)``
    """
    return math.acos(1 - lr * decay / (1 + momentum))


def next_square(square: float, lr: float, decay: float, spread: float) -> float:
    """Return the squared length after one step of SGD, from that before it.

    ``norm(w')^2 = (1 - lr decay)^2 norm(w)^2 + lr^2 spread / norm(w)^2``
    """
    return (1 - lr * decay) ** 2 * square + lr**2 * spread / square


def regression(random: np.random.Generator) -> Problem:
    """Return a noisy regression on a normalized output: ``L = mean (<w, x> / norm(w) - y)^2``."""
    x = torch.from_numpy(random.normal(size=(BATCHES, BATCH, SIZE)))
    y = x[..., 0] + torch.from_numpy(random.normal(scale=4, size=(BATCHES, BATCH)))

    def loss(w: Tensor, t: int) -> Tensor:
        mean: Tensor = (x[t] @ w / w.norm() - y[t]).square().mean()
        return mean

    return Problem(w=torch.from_numpy(random.normal(size=SIZE)), loss=loss, dims=(0,))


def settled(walked: Walk, last: int) -> tuple[float, float, float]:
    """Return mean length, root mean square angle and mean spread over the ``last`` steps."""
    w = walked.weights[-last - 1 :].flatten(1)
    lengths = w.norm(dim=1)
    cosines = (w[1:] * w[:-1]).sum(1) / (lengths[1:] * lengths[:-1])
    spread = walked.gradients[-last:].flatten(1).norm(dim=1).square() * lengths[:-1].square()
    return (
        float(lengths.mean()),
        float(cosines.clamp(max=1).acos().square().mean().sqrt()),
        float(spread.mean()),
    )


def _spiral(seed: int) -> float:
    """Walk in the plane on a loss that is the angle itself, so that the spread is constant."""
    random = np.random.default_rng(seed)
    slope, lr = random.uniform(1, 3), random.uniform(0.5, 2)
    decay = random.uniform(0.05, 0.15) / lr
    problem = Problem(
        w=torch.from_numpy(random.normal(size=2)),
        loss=lambda w, t: slope * torch.atan2(w[1], w[0]),
        dims=(0,),
    )
    w = walk(problem, 250, lr=lr, decay=decay).weights[-2:]
    turned = torch.acos((w[0] * w[1]).sum() / (w[0].norm() * w[1].norm()))
    expected = torch.as_tensor([length(lr, decay, slope**2), angle(lr, decay)], dtype=w.dtype)
    return apart(torch.stack([w[1].norm(), turned]) / expected, torch.ones(()), unit=1)


def _fixed_point(seed: int) -> float:
    random = np.random.default_rng(seed)
    lr, spread = random.uniform(0.1, 2), random.uniform(0.5, 9)
    decay = random.uniform(0.01, 0.4) / lr
    square = length(lr, decay, spread) ** 2
    # The angle of the right triangle whose legs are the shrunk weight and the step.
    turned = math.atan2(lr * math.sqrt(spread / square), (1 - lr * decay) * math.sqrt(square))
    return worst(
        (
            abs(next_square(square, lr, decay, spread) / square - 1),
            abs(turned / angle(lr, decay) - 1),
        )
    )


#: Learning rate and weight decay of `_balanced`, by momentum.
SETTINGS = {0.0: (0.05, 0.2), 0.9: (0.005, 0.4)}


@cache
def _balanced(seed: int, momentum: float) -> tuple[float, float, float]:
    lr, decay = SETTINGS[momentum]
    problem = regression(np.random.default_rng(seed))
    return settled(walk(problem, BATCHES, lr=lr, decay=decay, momentum=momentum), 250)


def _length(seed: int, momentum: float) -> float:
    found, _, spread = _balanced(seed, momentum)
    return abs(found / length(*SETTINGS[momentum], spread, momentum) - 1)


def _angle(seed: int, momentum: float) -> float:
    _, turned, _ = _balanced(seed, momentum)
    return abs(turned / angle(*SETTINGS[momentum], momentum) - 1)


EQUILIBRIUM = (
    Identity(
        name="equilibrium-fixed-point",
        title="At the predicted length decay and growth cancel",
        statement=r"\lVert w\rVert^4 = \frac{\eta\,E[\lVert\nabla L\rVert^2\lVert w\rVert^2]}"
        r"{\lambda\,(2-\eta\lambda)},\quad \cos\theta = 1-\eta\lambda",
        residual=_fixed_point,
        source=LAARHOVEN,
        chapter=CHAPTER,
    ),
    Identity(
        name="equilibrium-spiral",
        title="A walk with gradients of one size ends at the predicted length and angle",
        statement=r"L = s\arg(w):\quad \lVert w_t\rVert^4 \to \frac{\eta s^2}"
        r"{\lambda(2-\eta\lambda)},\quad \cos\theta_t \to 1-\eta\lambda",
        residual=_spiral,
        bound=1e-10,  # the arc cosine of a number near 1 has half the digits of its angle
        source=LAARHOVEN,
        chapter=CHAPTER,
    ),
    Identity(
        name="equilibrium-length",
        title="Under SGD the length settles where predicted, within 2%",
        statement=r"\lVert w\rVert^4 \approx \frac{\eta\,E[\lVert\nabla L\rVert^2\lVert w"
        r"\rVert^2]}{\lambda\,(2-\eta\lambda)}",
        residual=lambda seed: _length(seed, 0.0),
        bound=0.02,
        kind="statistical",
        source=LAARHOVEN,
        chapter=CHAPTER,
    ),
    Identity(
        name="equilibrium-angle",
        title="Under SGD the angle per step settles where predicted, within 3%",
        statement=r"\theta \approx \arccos(1-\eta\lambda) \approx \sqrt{2\eta\lambda}",
        residual=lambda seed: _angle(seed, 0.0),
        bound=0.03,
        kind="statistical",
        source=WAN,
        chapter=CHAPTER,
    ),
    Identity(
        name="equilibrium-length-momentum",
        title="With momentum the length settles where predicted, within 5%",
        statement=r"\lVert w\rVert^4 \approx \frac{\eta\,E[\lVert\nabla L\rVert^2\lVert w"
        r"\rVert^2]}{\lambda\,(1-\beta)\,(2-\eta\lambda/(1+\beta))}",
        residual=lambda seed: _length(seed, 0.9),
        bound=0.05,
        kind="statistical",
        source=WAN,
        chapter=CHAPTER,
    ),
    Identity(
        name="equilibrium-angle-momentum",
        title="With momentum the angle per step settles where predicted, within 5%",
        statement=r"\theta \approx \arccos\Bigl(1-\frac{\eta\lambda}{1+\beta}\Bigr)"
        r" \approx \sqrt{\frac{2\eta\lambda}{1+\beta}}",
        residual=lambda seed: _angle(seed, 0.9),
        bound=0.05,
        kind="statistical",
        source=WAN,
        chapter=CHAPTER,
    ),
)

__all__ = ["EQUILIBRIUM", "angle", "length", "next_square", "regression", "settled"]
