"""The learning rate that makes weight decay superfluous: one that grows exponentially.

Source: Li and Arora 2019, https://arxiv.org/abs/1910.07454
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Exponential:
    """A schedule without weight decay that walks the same directions as one with it.

    Attributes:
        shrink: ``a``; after ``t`` steps the decayed weight is ``a^t`` times the other one.
        first: Learning rate of the first step.
        growth: Its factor from a step to the next.
        lean: The buffer starts at the other's, less ``lean`` times the weight.
    """

    shrink: float
    first: float
    growth: float
    lean: float


def exponential(lr: float, decay: float, momentum: float = 0.0) -> Exponential:
    r"""Return the schedule that replaces a constant ``lr`` with weight ``decay``.

    With ``a`` the larger root of ``a^2 - (1 + momentum - lr decay) a + momentum = 0`` (without
    momentum ``1 - lr decay``), the learning rate of step ``t`` is ``lr a^(-2 t - 1)``, the
    momentum stays what it is, and the buffer starts ``(1 - a) / (a lr) w`` lower.

    Args:
        lr: Constant learning rate.
        decay: Weight decay, part of the gradient as in torch's SGD.
        momentum: In 0..1.

    Raises:
        ValueError: ``lr * decay`` is above ``(1 - sqrt(momentum))^2``, where there is no root, or 1
            without momentum, where the root is 0.

    Source: Li and Arora 2019, https://arxiv.org/abs/1910.07454; written here for torch's buffer,
    which does not contain the learning rate.
    """
    total = 1 + momentum - lr * decay
    if total <= 0 or total**2 < 4 * momentum:
        raise ValueError(
            f"lr * decay = {lr * decay:g} is above {(1 - momentum**0.5) ** 2:g} = "
            f"(1 - sqrt(momentum))^2: no exponential schedule walks the same way; lower one"
        )
    a = (total + (total**2 - 4 * momentum) ** 0.5) / 2
    lean = (1 - a) / (a * lr) if momentum else 0.0
    return Exponential(shrink=a, first=lr / a, growth=a**-2, lean=lean)
