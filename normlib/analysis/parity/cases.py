"""The parity cases: one normalization, one input, training or evaluation."""

from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np

from normlib.analysis.parity.inputs import INPUTS, Array, generator, normal, quantized, sha256

MOMENTUM: Final = 0.01
"""Weight of the NEW value in a running statistic: torch's momentum, 1 - Keras's (0.99)."""


@dataclass(frozen=True, eq=False)
class Case:
    """A normalization of ``x`` (N, C, H, W) with all that it takes, in PyTorch's layouts.

    | method         | statistics over           | gamma, beta        | Keras layer                |
    |----------------|---------------------------|--------------------|----------------------------|
    | batch          | {N,H,W} (running in eval) | (C,)               | BatchNormalization         |
    | layer          | {C,H,W}                   | (C, H, W)          | LayerNormalization, 3 axes |
    | layer-channels | {C}, per position         | (C,)               | LayerNormalization         |
    | group          | {C/G,H,W}, G = ``groups`` | (C,)               | GroupNormalization         |
    | instance       | {H,W}                     | (C,)               | GroupNormalization, G = C  |
    | rms            | {C,H,W}, not centered     | (C, H, W), no beta | RMSNormalization, 3 axes   |
    | rms-channels   | {C}, not centered         | (C,), no beta      | RMSNormalization           |

    ``eps`` is Keras's default for the layer. ``gy`` is the upstream gradient of y, ``u`` the weight
    of the input gradient in the second derivatives; both have the shape of ``x``. ``running_mean``
    and ``running_var`` (C,) are the statistics before the step. The arrays of a method that has no
    use for them are empty. All are float64 and exact in float32.
    """

    method: str
    input: str
    training: bool
    eps: float
    groups: int
    x: Array
    gamma: Array
    beta: Array
    running_mean: Array
    running_var: Array
    gy: Array
    u: Array

    @property
    def name(self) -> str:
        """``method/train/input`` or ``method/eval/input``; only batch has both."""
        return f"{self.method}/{'train' if self.training else 'eval'}/{self.input}"

    @property
    def grouped(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """A shape to view ``x`` in, and its axes over which the statistics are taken."""
        whole: tuple[int, ...] = self.x.shape
        n, c, height, width = whole
        split = (n, self.groups, c // self.groups, height, width)
        return {
            "batch": (whole, (0, 2, 3)),
            "layer": (whole, (1, 2, 3)),
            "rms": (whole, (1, 2, 3)),
            "layer-channels": (whole, (1,)),
            "rms-channels": (whole, (1,)),
            "group": (split, (2, 3, 4)),
            "instance": (split, (2, 3, 4)),
        }[self.method]

    @property
    def centered(self) -> bool:
        """Whether the mean is taken away."""
        return not self.method.startswith("rms")

    def arrays(self) -> dict[str, Array]:
        """Return every array under its name."""
        names = ("x", "gamma", "beta", "running_mean", "running_var", "gy", "u")
        return {name: getattr(self, name) for name in names}


EPS: Final = {
    "batch": 1e-3,
    "layer": 1e-3,
    "layer-channels": 1e-3,
    "group": 1e-3,
    "instance": 1e-3,
    "rms": 1e-6,
    "rms-channels": 1e-6,
}
"""Method and Keras's default eps."""

QUANTITIES: Final = (
    "y",
    "gx",
    "ggamma",
    "gbeta",
    "hx",
    "hgamma",
    "hgy",
    "running_mean",
    "running_var",
)
"""What is compared, with L = <gy, y> and S = <u, dL/dx>, in PyTorch's layouts.

``y``; the gradients ``gx``, ``ggamma``, ``gbeta`` of L by x, gamma, beta; the second derivatives
``hx``, ``hgamma``, ``hgy``: gradients of S by x, gamma, gy; the running statistics after the step.
A quantity that a method has not is absent.
"""


@cache
def cases() -> tuple[Case, ...]:
    """Return all cases, always the same ones; treat their arrays as read-only."""
    modes = [(method, training) for method in EPS for training in (True, False)]
    return tuple(
        _case(method, training, input_)
        for method, training in modes
        if training or method == "batch"
        for input_ in INPUTS
    )


@cache
def inputs_sha256() -> str:
    """Return the hash of all arrays of all cases, and of their options."""
    arrays = {f"{c.name}/{key}": array for c in cases() for key, array in c.arrays().items()}
    options = {f"{c.name}/options": np.array([c.eps, c.groups, MOMENTUM]) for c in cases()}
    return sha256(arrays | options)


def _case(method: str, training: bool, input_: str) -> Case:
    x = INPUTS[input_]()
    channels = x.shape[1]
    affine = x.shape[1:] if method in ("layer", "rms") else (channels,)
    running = (channels,) if method == "batch" else (0,)
    nearby = generator(input_, "running_mean").normal(0, 0.5, running)
    mean = x.mean((0, 2, 3)) if method == "batch" else 0.0
    var = generator(input_, "running_var").uniform(0.5, 2, running)
    case = Case(
        method=method,
        input=input_,
        training=training,
        eps=EPS[method],
        groups={"group": 2, "instance": channels}.get(method, 1),
        x=x,
        gamma=normal(input_, method, "gamma", shape=affine, mean=1.0, std=0.3),
        beta=normal(
            input_, method, "beta", shape=(0,) if method.startswith("rms") else affine, std=0.3
        ),
        running_mean=quantized(np.floor(mean) + nearby),
        running_var=quantized(var),
        gy=normal(input_, "gy", shape=x.shape),
        u=normal(input_, "u", shape=x.shape),
    )
    for array in case.arrays().values():
        array.setflags(write=False)
    return case
