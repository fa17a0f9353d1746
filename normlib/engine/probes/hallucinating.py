"""Hallucinations: images made from noise that a network takes for a class (source C)."""

import copy
import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from normlib.errors import NormlibError

REGULARIZATIONS = ("none", "smooth")
STEPS = 256
RATE = 0.02
"""Adam's first learning rate: a step moves a pixel by about 5 of 255 levels."""
NOISE = 0.1
"""Standard deviation of the pixels that an image starts from."""
JITTER = 2
"""Pixels that an image is rolled by at most, to each side."""
SMOOTHNESS = 0.2
"""Weight of the total variation beside log-odds whose gradient has the root mean square 1."""
LEVEL = 1 / 255
"""Differences below it hardly count as variation: 8 bits do not show them."""
CONFIDENT = 0.99
"""A network that gives the class this probability is sure of it."""
_MULTIPLE = 8
"""Batches are filled up to a multiple of it: for a few images a CPU takes other kernels, whose last
bits differ, and steps amplify them."""


class HallucinationError(NormlibError, ValueError):
    """What was asked for is no hallucination, or the network cannot have one."""


@dataclass(frozen=True, eq=False)
class Hallucinated:
    """What was hallucinated, in the order of the classes asked for.

    ``images`` is (classes, starts, C, H, W), uint8: after the last step. ``confidence`` is
    (classes, starts), float32: the network's probability of the class for these very images.
    ``reached`` is (classes, starts), int64: steps after which the image, rounded to 8 bits, first
    had a confidence of at least CONFIDENT; 0 if it had at the start and -1 if it never had. One
    that was sure on the way, but is not at the end, has ``reached >= 0`` and less ``confidence``.
    """

    images: NDArray[np.uint8]
    confidence: NDArray[np.float32]
    reached: NDArray[np.int64]


def hallucinate(
    model: nn.Module,
    classes: Sequence[int],
    shape: tuple[int, int, int],
    *,
    seed: int,
    starts: int = 4,
    regularization: str = "smooth",
    steps: int = STEPS,
) -> Hallucinated:
    r"""Return images that ``model`` takes for each of ``classes``: activation maximization.

    An image ``x`` starts as ``1/2 + NOISE * n`` with normal ``n``. Each step is one of Adam, whose
    learning rate falls linearly from RATE to 0, followed by clamping to [0, 1]. It ascends along
    ``g / rms(g)``, with ``g`` the gradient of the log-odds::

        log(p / (1 - p)) = z_c - log sum_{k != c} exp(z_k),    p = softmax(z)_c

    That is the class's logit ``z_c``, which Simonyan et al. and Olah et al. prefer to ``p``,
    against the others: unlike ``z_c`` alone it grows only if the confidence ``p`` does, and unlike
    ``log p`` it does not saturate. Clamped, steps near black and white are as long as at grey, and
    reach them, as images do; through a sigmoid they would not.

    ``smooth`` takes ``g`` of the image rolled by up to JITTER pixels along both axes, drawn for
    each step, and descends along SMOOTHNESS times the gradient of the total variation as well::

        TV(x) = sum_{c, i, j} sqrt((x[i, j+1] - x[i, j])^2 + (x[i+1, j] - x[i, j])^2 + LEVEL^2)

    where a difference over the border is 0. As ``g / rms(g)`` does not depend on the scale of the
    logits, the weight means the same for all networks. If ``g`` is 0 or not finite, it and the
    variation move nothing.

    The network is a copy in float32 and in evaluation mode; hooks run there. The start and the
    jitter of an image depend on ``seed``, its class and the number of its start alone.

    Args:
        model: Takes images in [0, 1] and gives logits; on a CPU or a GPU.
        classes: Their numbers among the logits.
        shape: Channels, height and width.
        seed: Of the noise and the jitter.
        starts: Images of each class.
        regularization: Of REGULARIZATIONS.
        steps: How many; all are taken, those past CONFIDENT, too.

    Raises:
        HallucinationError: an argument is out of range, the model does not take such images or
            give logits of these classes, or images of one batch change one another's logits.

    Source: Simonyan, Vedaldi and Zisserman 2014, https://arxiv.org/abs/1312.6034;
    Mahendran and Vedaldi 2016, https://arxiv.org/abs/1512.02017 (jitter, total variation);
    Olah, Mordvintsev and Schubert 2017, https://distill.pub/2017/feature-visualization
    """
    _check(classes, shape, starts, regularization, steps)
    places = [(one, start) for one in classes for start in range(starts)]
    filled = places + places[-1:] * (-len(places) % _MULTIPLE)
    smooth = regularization == "smooth"
    with _apart(model) as (network, where):
        drawn = [_drawn(seed, *place, shape, steps) for place in filled]
        x = torch.stack([noise for noise, _ in drawn]).to(where)
        shifts = torch.stack([shift for _, shift in drawn], dim=1)
        wanted = torch.tensor([one for one, _ in filled], device=where)
        _try(network, x[:1], max(classes))

        adam = torch.optim.Adam([x], lr=RATE)
        reached = torch.full_like(wanted, -1)
        for step in range(steps):
            if (reached < 0).any():
                sure = _confidence(network, x, wanted) >= CONFIDENT
                reached[sure & (reached < 0)] = step
            gradient = _of_log_odds(network, x, wanted, shifts[step] if smooth else None)
            if smooth:
                gradient -= SMOOTHNESS * _of_variation(x)
            adam.param_groups[0]["lr"] = RATE * (1 - step / steps)
            x.grad = -gradient.nan_to_num_(0, 0, 0)  # Adam descends
            adam.step()
            x.clamp_(0, 1)
        confidence = _confidence(network, x, wanted)
        reached[(confidence >= CONFIDENT) & (reached < 0)] = steps
        images = _rounded(x).to(torch.uint8)
    size = (len(classes), starts)
    return Hallucinated(
        images[: len(places)].cpu().numpy().reshape(*size, *shape),
        confidence[: len(places)].cpu().numpy().reshape(size),
        reached[: len(places)].cpu().numpy().reshape(size),
    )


def _check(
    classes: Sequence[int],
    shape: tuple[int, int, int],
    starts: int,
    regularization: str,
    steps: int,
) -> None:
    if regularization not in REGULARIZATIONS:
        raise HallucinationError(
            f"regularization {regularization!r:.60} is unknown; "
            f"choose from {', '.join(REGULARIZATIONS)}"
        )
    if not len(classes) or min(classes) < 0:
        raise HallucinationError(
            f"classes are {list(classes)}; name at least one, as numbers counted from 0"
        )
    if len(shape) != 3 or min(shape) < 1:
        raise HallucinationError(
            f"shape is {tuple(shape)}; give channels, height and width, each at least 1"
        )
    for name, count in (("starts", starts), ("steps", steps)):
        if count < 1:
            raise HallucinationError(f"{name} is {count}; choose at least 1")


@contextmanager
def _apart(model: nn.Module) -> Iterator[tuple[nn.Module, torch.device]]:
    """Give a copy to work on, and its device, where nothing reaches the model or its caller."""
    tensor = next(chain(model.parameters(), model.buffers()), None)
    where = torch.device("cpu") if tensor is None else tensor.device
    with (
        torch.inference_mode(False),
        torch.no_grad(),
        torch.random.fork_rng([where] if where.type == "cuda" else []),
    ):
        yield copy.deepcopy(model).float().eval().requires_grad_(False), where


def _drawn(
    seed: int, one: int, start: int, shape: tuple[int, int, int], steps: int
) -> tuple[Tensor, Tensor]:
    """Return the image that a start of a class begins with, and its shifts, (steps, 2)."""
    digest = hashlib.sha256(f"hallucination/{seed}/{one}/{start}".encode()).digest()
    generator = torch.Generator().manual_seed(int.from_bytes(digest[:7], "little"))
    noise = 0.5 + NOISE * torch.randn(shape, generator=generator)
    shifts = torch.randint(-JITTER, JITTER + 1, (steps, 2), generator=generator)
    return noise.clamp_(0, 1), shifts


def _try(network: nn.Module, x: Tensor, largest: int) -> None:
    """Raise HallucinationError if this network does not tell classes of single images."""
    with torch.enable_grad():
        pair = torch.cat((x, 1 - x)).requires_grad_()
        try:
            logits = network(pair)
        except (RuntimeError, ValueError) as error:
            raise HallucinationError(
                f"the network takes no images of the shape {tuple(x.shape[1:])}; "
                f"give that of its training images ({str(error).splitlines()[0]})"
            ) from error
        if logits.ndim != 2 or len(logits) != 2 or logits.shape[1] <= max(largest, 1):
            raise HallucinationError(
                f"the network gives {tuple(logits.shape)} for 2 images; for class {largest} it "
                f"must give (2, K) logits with K above {max(largest, 1)}"
            )
        if not logits.requires_grad:
            raise HallucinationError(
                "the network's logits have no gradient; it must be differentiable in the image"
            )
        (gradient,) = torch.autograd.grad(logits[0].sum(), pair)
    other = gradient[1]
    if (other.isfinite() & (other != 0)).any():
        raise HallucinationError(
            "an image changes the logits of another one in evaluation mode; "
            "give the network's norms running averages (see normlib.surgery)"
        )


def _of_log_odds(network: nn.Module, x: Tensor, wanted: Tensor, shift: Tensor | None) -> Tensor:
    """Return the gradient of the log-odds of ``wanted``, each image's over its rms."""
    at = wanted[:, None]

    def log_odds(x: Tensor) -> Tensor:
        logits: Tensor = network(x)
        return logits.gather(1, at)[:, 0] - logits.scatter(1, at, -torch.inf).logsumexp(1)

    if shift is None:
        g = _gradient(log_odds, x)
    else:
        g = _rolled(_gradient(log_odds, _rolled(x, shift)), -shift)
    return g / g.square().mean((1, 2, 3), keepdim=True).sqrt()


def _gradient(function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """Return the gradient of the sum over the batch, so that no image's depends on how many."""
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        (gradient,) = torch.autograd.grad(function(x).sum(), x)
    return gradient


def _of_variation(x: Tensor) -> Tensor:
    """Return the gradient of the total variation."""
    right, down = F.pad(x.diff(dim=-1), (0, 1)), F.pad(x.diff(dim=-2), (0, 0, 0, 1))
    length = (right.square() + down.square() + LEVEL**2).sqrt()
    right, down = right / length, down / length
    gradient = -right - down
    gradient[..., :, 1:] += right[..., :, :-1]
    gradient[..., 1:, :] += down[..., :-1, :]
    return gradient


def _rolled(x: Tensor, shift: Tensor) -> Tensor:
    """Return each image rolled by its own shift of (N, 2), down and to the right."""
    each = zip(x, shift.tolist(), strict=True)
    return torch.stack([image.roll(by, (-2, -1)) for image, by in each])


def _rounded(x: Tensor) -> Tensor:
    return (x * 255).round_()


def _confidence(network: nn.Module, x: Tensor, wanted: Tensor) -> Tensor:
    """Return the probabilities (N,) of ``wanted`` for the images rounded to 8 bits."""
    logits: Tensor = network(_rounded(x).div_(255))
    return logits.softmax(1).gather(1, wanted[:, None])[:, 0]
