"""Definitions that a hand-written layer and the framework's may differ in, pair by pair."""

from dataclasses import dataclass
from typing import Final, Literal


@dataclass(frozen=True)
class Keras:
    """A Keras layer at initialization, after ``updates`` training steps on the same batch."""

    family: Literal["batch", "layer"]
    axes: Literal["batch", "last", "all"]
    training: bool = True
    updates: int = 0

    @property
    def title(self) -> str:
        """The layer as one would write it."""
        if self.family == "batch":
            steps = f"{self.updates} step{'' if self.updates == 1 else 's'}"
            mode = "training" if self.training else f"inference after {steps}"
            return f"BatchNormalization(), {mode}"
        return "LayerNormalization()" if self.axes == "last" else "LayerNormalization(all axes)"


@dataclass(frozen=True)
class Custom:
    """Basic operations: ``(x - mu) / sqrt(sigma2 + eps)`` over ``axes``, gamma 1 and beta 0.

    ``batch`` is all axes but the last, ``all`` all axes but the first; ``unbiased`` divides the
    variance by n - 1; ``outside`` divides by ``sqrt(sigma2) + eps``.
    """

    axes: Literal["batch", "last", "all"]
    eps: float = 1e-3
    unbiased: bool = False
    outside: bool = False

    @property
    def title(self) -> str:
        """What differs, in a few words."""
        parts = [f"axes {self.axes}", f"eps {self.eps:g}"]
        parts += ["unbiased"] * self.unbiased + ["eps outside the root"] * self.outside
        return ", ".join(parts)


def _variants(axes: Literal["batch", "last", "all"]) -> tuple[Custom, ...]:
    return (
        Custom(axes),
        Custom(axes, eps=1e-5),
        Custom(axes, eps=1e-8),
        Custom(axes, unbiased=True),
        Custom(axes, eps=1e-5, unbiased=True),
        Custom(axes, eps=1e-5, outside=True),
    )


_BATCH = (
    Keras("batch", "batch"),
    Keras("batch", "batch", training=False),
    Keras("batch", "batch", training=False, updates=1),
    Keras("batch", "batch", training=False, updates=100),
)
_LAYER = (Keras("layer", "last"), Keras("layer", "all"))

PAIRS: Final = (
    *((keras, custom) for keras in _BATCH for custom in _variants("batch")),
    *((keras, custom) for keras in _LAYER for custom in (*_variants("last"), *_variants("all"))),
)
"""What is compared on every set-up. A pair of equal definitions shows the rounding alone."""
