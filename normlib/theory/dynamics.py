r"""What steps do to the length and the direction of a weight that the loss has no length for.

The gradient is orthogonal to the weight, so a step of plain SGD is the leg of a right triangle:
``norm(w')^2 = norm(w)^2 + lr^2 norm(grad)^2``. The length only grows; the direction turns by an
angle that depends on ``lr / norm(w)^2``, the effective learning rate. Weight decay pulls the
length back, which in the directions is the same as a learning rate that grows exponentially.

A step is torch's SGD throughout, as in `walking`.
"""

import numpy as np
import torch
from torch import Tensor

from normlib.theory.gradients import cosine
from normlib.theory.identity import Identity, apart, worst
from normlib.theory.invariant_losses import Problem, by_batch, by_length, each
from normlib.theory.schedule import exponential
from normlib.theory.walking import STEPS, Walk, adam, walk

CHAPTER = "02_scale_invariance"
ARORA = "Li and Arora 2019, https://arxiv.org/abs/1910.07454"
SALIMANS = "Salimans and Kingma 2016, https://arxiv.org/abs/1602.07868, section 2.1"
#: Of `noise`: entries of the weight, and batches.
SIZE, BATCHES = 200, 600


def grown(walked: Walk, lr: float, problem: Problem) -> Tensor:
    """Return the squared lengths that plain SGD gives: ``norm(w_0)^2 + lr^2 sum norm(g)^2``."""
    steps = torch.stack([problem.square(g) for g in walked.gradients])
    return problem.square(walked.weights[0]) + lr**2 * steps.cumsum(0)


def grown_with_momentum(walked: Walk, lr: float, momentum: float, problem: Problem) -> Tensor:
    r"""Return the squared lengths that SGD with momentum gives without weight decay.

    ``norm(w_{t+1})^2 = norm(w_t)^2 + lr^2 (norm(m_{t+1})^2 + 2 s_t)`` with
    ``s_t = sum_{k >= 1} momentum^k norm(m_{t+1-k})^2``, since ``<w_t, m_{t+1}> = -lr s_t``.
    """
    length, past, lengths = problem.square(walked.weights[0]), torch.zeros(()), []
    for m in walked.buffers:
        length = length + lr**2 * (problem.square(m) + 2 * past)
        past = momentum * (past + problem.square(m))
        lengths.append(length)
    return torch.stack(lengths)


def noise(random: np.random.Generator) -> Problem:
    """Return a weight that is pushed by fresh noise alone: ``L(w) = <z_t, w> / norm(w)``."""
    z, w = torch.from_numpy(random.normal(size=(BATCHES, SIZE))), random.normal(size=SIZE)
    return Problem(w=torch.from_numpy(w), loss=lambda w, t: (z[t] * w).sum() / w.norm(), dims=(0,))


def _settings(seed: int) -> tuple[np.random.Generator, float, float]:
    random = np.random.default_rng(seed)
    return random, random.uniform(1, 4), random.uniform(2, 5)


def _lengths(problem: Problem, walked: Walk) -> Tensor:
    return torch.stack([problem.square(w) for w in walked.weights[1:]])


def _directions(problem: Problem, weights: Tensor) -> Tensor:
    return torch.stack([w / problem.square(w).sqrt() for w in weights])


def _growth(seed: int) -> float:
    random, lr, _ = _settings(seed)
    walked = [(one, walk(one, lr=lr)) for one in each(random)]
    return worst(apart(_lengths(one, taken), grown(taken, lr, one)) for one, taken in walked)


def _growth_with_decay(seed: int) -> float:
    random, lr, _ = _settings(seed)
    decay, found = random.uniform(0.1, 0.5) / lr, []
    for one in each(random):
        taken = walk(one, lr=lr, decay=decay)
        before = torch.stack([one.square(w) for w in taken.weights[:-1]])
        steps = torch.stack([one.square(g) for g in taken.gradients])
        expected = (1 - lr * decay) ** 2 * before + lr**2 * steps
        found.append(apart(_lengths(one, taken) / expected, torch.ones(()), unit=1))
    return worst(found)


def _growth_with_momentum(seed: int) -> float:
    random, lr, _ = _settings(seed)
    momentum, found = random.uniform(0.5, 0.95), []
    for one in each(random):
        taken = walk(one, lr=lr, momentum=momentum)
        expected = grown_with_momentum(taken, lr, momentum, one)
        found.append(apart(_lengths(one, taken), expected))
    return worst(found)


def _momentum_breaks(seed: int) -> float:
    random, momentum, lr = np.random.default_rng(seed), 0.9, 0.02
    problem = noise(random)
    taken = walk(problem, BATCHES, lr=lr, momentum=momentum)
    start = problem.square(problem.w)
    real = problem.square(taken.weights[-1]) - start
    plain = grown(taken, lr, problem)[-1] - start
    return abs(float(real / plain) * (1 - momentum) ** 2 - 1)


def _adam_breaks(seed: int) -> float:
    """Return how far the cosine between weight and step is outside what was measured."""
    problem = by_batch(np.random.default_rng(seed))
    weights, steps = adam(problem, STEPS, lr=0.01, start=problem.w)
    cosines = [cosine(problem, w, step) for w, step in zip(weights, steps, strict=False)]
    return abs(float(np.mean(cosines)) - ADAM_COSINE)


def _effective_rate(seed: int) -> float:
    random, lr, a = _settings(seed)
    found = []
    for momentum in (0.0, 0.9):
        for one in each(random):
            short = walk(one, lr=lr, decay=0.01, momentum=momentum)
            long = walk(one, lr=a**2 * lr, decay=0.01 / a**2, momentum=momentum, start=a * one.w)
            found.append(apart(long.weights, a * short.weights))
    return worst(found)


def _effective_rate_of_adam(seed: int) -> float:
    random, _, a = _settings(seed)
    # A gradient entry near zero would leave Adam's quotient to rounding: few steps, one problem.
    problem = by_batch(random)
    short = adam(problem, 5, lr=0.01, start=problem.w)[0]
    long = adam(problem, 5, lr=a * 0.01, start=a * problem.w)[0]
    return apart(torch.stack(long), a * torch.stack(short))


def _exponential(seed: int, momentum: float) -> float:
    random, lr, _ = _settings(seed)
    limit = (1 - momentum**0.5) ** 2
    decay, found = random.uniform(0.02, 0.1 if momentum == 0 else 0.9) * limit / lr, []
    schedule = exponential(lr, decay, momentum)
    for one in each(random):
        decayed = walk(one, lr=lr, decay=decay, momentum=momentum)
        free = walk(
            one,
            lr=schedule.first,
            growth=schedule.growth,
            momentum=momentum,
            buffer=-schedule.lean * one.w,
        )
        found.append(
            apart(_directions(one, free.weights), _directions(one, decayed.weights), unit=1)
        )
        shrunk = schedule.shrink ** torch.arange(STEPS + 1).double()
        lengths = decayed.weights.flatten(1).norm(dim=1) / free.weights.flatten(1).norm(dim=1)
        found.append(apart(lengths, shrunk))
    return worst(found)


def _weight_norm_grows(seed: int) -> float:
    random, lr, _ = _settings(seed)
    problem = by_length(random)
    taken = walk(problem, lr=lr)
    lengths = torch.stack([problem.square(w) for w in taken.weights])
    steps = lr**2 * torch.stack([problem.square(g) for g in taken.gradients])
    shrunk = float(torch.relu(-lengths.diff(dim=0)).max())
    return worst((shrunk, apart(lengths[1:], lengths[:-1] + steps)))


#: Mean over steps of the largest cosine between a filter and its step under Adam, on the problem
#: of `_adam_breaks`; measured, with the bound of the identity for its spread over seeds.
ADAM_COSINE = 0.1

DYNAMICS = (
    Identity(
        name="dynamics-growth",
        title="Under plain SGD the squared length grows by that of the step",
        statement=r"\lVert w'\rVert^2 = \lVert w\rVert^2 + \eta^2 \lVert\nabla L\rVert^2",
        residual=_growth,
        source=SALIMANS,
        chapter=CHAPTER,
    ),
    Identity(
        name="dynamics-growth-decay",
        title="Weight decay shrinks what the step adds to",
        statement=r"\lVert w'\rVert^2 = (1-\eta\lambda)^2\lVert w\rVert^2"
        r" + \eta^2\lVert\nabla L\rVert^2",
        residual=_growth_with_decay,
        source="van Laarhoven 2017, https://arxiv.org/abs/1706.05350",
        chapter=CHAPTER,
    ),
    Identity(
        name="dynamics-growth-momentum",
        title="With momentum the length grows by the buffer and by what it remembers",
        statement=r"\lVert w_{t+1}\rVert^2 = \lVert w_t\rVert^2 + \eta^2\Bigl("
        r"\lVert m_{t+1}\rVert^2 + 2\sum_{k\ge1}\beta^k\lVert m_{t+1-k}\rVert^2\Bigr)",
        residual=_growth_with_momentum,
        chapter=CHAPTER,
    ),
    Identity(
        name="dynamics-momentum-breaks",
        title="Momentum breaks the law of plain SGD: under independent gradients growth is "
        "1/(1 - momentum)^2 times as large",
        statement=r"\lVert w_T\rVert^2 - \lVert w_0\rVert^2 \approx"
        r" \frac{\eta^2}{(1-\beta)^2} \sum_t \lVert\nabla L\rVert^2",
        residual=_momentum_breaks,
        bound=0.1,
        kind="statistical",
        chapter=CHAPTER,
    ),
    Identity(
        name="dynamics-adam-breaks",
        title="Adam breaks it: its step is not orthogonal to the weight",
        statement=r"\Bigl|\cos\bigl(w, \hat m/\sqrt{\hat v}\bigr)\Bigr| \approx 0.1",
        residual=_adam_breaks,
        bound=0.06,
        kind="statistical",
        chapter=CHAPTER,
    ),
    Identity(
        name="dynamics-effective-rate",
        title="Directions depend on the learning rate over the squared length alone",
        statement=r"(a w_0,\ a^2\eta,\ \lambda/a^2) \text{ walks } a \text{ times the way of }"
        r" (w_0,\ \eta,\ \lambda)",
        residual=_effective_rate,
        source="van Laarhoven 2017, https://arxiv.org/abs/1706.05350",
        chapter=CHAPTER,
    ),
    Identity(
        name="dynamics-effective-rate-adam",
        title="Under Adam they depend on the learning rate over the length",
        statement=r"(a w_0,\ a\eta) \text{ walks } a \text{ times the way of } (w_0,\ \eta)",
        residual=_effective_rate_of_adam,
        bound=1e-10,
        chapter=CHAPTER,
    ),
    Identity(
        name="dynamics-exponential",
        title="Weight decay is a learning rate that grows exponentially",
        statement=r"\eta,\ \lambda \;\equiv\; \eta_t = \eta\,\alpha^{-2t-1},\ 0,"
        r"\quad \alpha = 1-\eta\lambda",
        residual=lambda seed: _exponential(seed, 0.0),
        source=ARORA,
        chapter=CHAPTER,
    ),
    Identity(
        name="dynamics-exponential-momentum",
        title="With momentum, too, if the buffer starts where it has to",
        statement=r"\alpha^2 - (1+\beta-\eta\lambda)\alpha + \beta = 0,\quad"
        r" m_0 \to m_0 - \frac{1-\alpha}{\alpha\eta}\,w_0",
        residual=lambda seed: _exponential(seed, 0.9),
        source=ARORA,
        chapter=CHAPTER,
    ),
    Identity(
        name="dynamics-weight-norm-grows",
        title="Under SGD on (g, v) the length of v never shrinks",
        statement=r"\lVert v'\rVert^2 = \lVert v\rVert^2 + \eta^2\lVert\nabla_v L\rVert^2"
        r" \ge \lVert v\rVert^2",
        residual=_weight_norm_grows,
        source=SALIMANS,
        chapter=CHAPTER,
    ),
)

__all__ = ["DYNAMICS", "grown", "grown_with_momentum", "noise"]
