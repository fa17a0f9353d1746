"""What an experiment may choose from, and the checks of single fields."""

import difflib
import math
import numbers
from collections.abc import Callable, Iterable
from typing import Any

from normlib.errors import NormlibError


class ExperimentError(NormlibError, ValueError):
    """A field of an Experiment that cannot be; the message names field, value and choices."""


DATASETS = (
    "fashion-mnist",
    "mnist",
    "cifar10",
    "fashion-mnist-sample",
    "synthetic-gray",
    "synthetic-color",
)
COLOR_DATASETS = ("cifar10", "synthetic-color")
"""Data sets whose images have three channels."""
RESNETS = ("resnet18", "resnet34", "resnet50", "resnet101")
"""torchvision's, with its own names."""
ABLATED = ("batch", "affine", "batch-minus", "none")
"""Source E's methods: both of normalizing and re-scaling, the one or the other alone, neither."""
MODELS = ("cnn", "mlp", "vgg", *RESNETS)
INITIALIZATIONS = {
    "cnn": ("glorot",),
    "mlp": ("glorot", "torch"),
    "vgg": ("glorot", "torch"),
    **dict.fromkeys(RESNETS, ("torchvision", "fixup", "data")),
}
"""How a model can start, by model."""
STARTED_AS = {"fixup": ("none", "torch:none"), "data": ("affine", "weight")}
"""The norms that a start is for, where it is not for all."""
NORMS = (
    "none",
    "batch",
    "batch-minus",
    "batch-batchstats",
    "affine",
    "layer",
    "layer-channels",
    "group",
    "instance",
    "rms",
    "weight",
    "mean-only",
    "l1",
    "ghost",
    "renorm",
    "noisy",
    "population",
    "power",
    "scale",
    "frn",
    "evonorm-b0",
    "evonorm-s0",
    "local-response",
    "centered-weight",
    "weight-standardization",
    "scaled-weight-standardization",
    "spectral",
    "decorrelated",
    "iterative",
    "switchable",
    "adabn",
    "autodial",
    "dynamic-tanh",
)
PEERS = {
    "torch": ("none", "batch", "layer", "layer-channels", "group", "instance", "rms", "weight"),
    "tensorflow": ("none", "batch", "layer"),
}
ALL_NORMS = NORMS + tuple(f"{peer}:{norm}" for peer, norms in PEERS.items() for norm in norms)
WITHOUT_EPS = (
    "none",
    "affine",
    "mean-only",
    "local-response",
    "dynamic-tanh",
    "weight",
    "centered-weight",
    "weight-standardization",
    "scaled-weight-standardization",
    "spectral",
)
"""Norms that divide by nothing that could be zero for lack of spread, and methods on weights, whose
eps is no option of an experiment."""
WITH_GROUPS = ("group", "evonorm-s0", "decorrelated", "iterative")
"""Norms that divide the channels into groups."""

WITHIN_CHANNELS = ("instance", "switchable")
"""Norms with statistics over the positions of one channel of one sample, which must be several."""

Check = Callable[[str, Any], Any]


def choice(*choices: str) -> Check:
    """Return a check that the value is one of ``choices``; its error suggests the nearest."""

    def check(field: str, value: Any) -> str:
        if isinstance(value, str) and value in choices:
            return value
        raise ExperimentError(f"{field}={value!r} is unknown; {suggest(value, choices)}")

    return check


def suggest(value: object, choices: Iterable[str]) -> str:
    """Return "did you mean ...?" with the nearest choices, and all of them."""
    names = sorted(choices)
    near = difflib.get_close_matches(str(value), names, n=3, cutoff=0.5)
    meant = f"did you mean {' or '.join(near)}? " if near else ""
    return f"{meant}choose one of {', '.join(names)}"


def whole(least: int, most: int | None = None, *, optional: bool = False) -> Check:
    """Return a check for an integer in ``[least, most]`` (a bool is none), or None if optional."""
    wanted = f"an integer of at least {least}" + (f" and at most {most}" if most else "")

    def check(field: str, value: Any) -> int | None:
        if optional and value is None:
            return None
        if not isinstance(value, bool) and isinstance(value, numbers.Integral):
            number = int(value)
            if number >= least and (most is None or number <= most):
                return number
        raise ExperimentError(
            f"{field}={value!r} is not possible; give {wanted}" + (" or null" if optional else "")
        )

    return check


def real(
    least: float, below: float = math.inf, *, above: bool = False, optional: bool = False
) -> Check:
    """Return a check for a finite float in ``[least, below)``, or above ``least`` if ``above``."""
    wanted = f"a finite number {'above' if above else 'of at least'} {least:g}" + (
        f" and below {below:g}" if math.isfinite(below) else ""
    )

    def check(field: str, value: Any) -> float | None:
        if optional and value is None:
            return None
        if not isinstance(value, bool) and isinstance(value, numbers.Real):
            # Adding 0.0 turns -0.0 into 0.0, which must not have a key of its own.
            number = _as_float(value) + 0.0
            if (
                math.isfinite(number)
                and least <= number < below
                and not (above and number == least)
            ):
                return number
        raise ExperimentError(
            f"{field}={value!r} is not possible; give {wanted}" + (" or null" if optional else "")
        )

    return check


def _as_float(value: Any) -> float:
    try:
        return float(value)
    except OverflowError:  # an integer of hundreds of digits
        return math.inf
