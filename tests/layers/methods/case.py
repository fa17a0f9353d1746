"""One method, how it is built, and the NumPy formula that it must give."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from normlib.methods import catalogue
from tests.layers.table import perturb

Array = NDArray[np.float64]
SEED = 5
"""torch's generator has this seed before each call of a ``random`` method."""


def method_of(case: str) -> str:
    """The longest of the catalogue's names that a case's name is, or begins with."""
    found = [name for name in catalogue if f"{case}-".startswith(f"{name}-")]
    assert found, f"no method of the catalogue begins the name {case!r}"
    return max(found, key=len)


@dataclass(frozen=True, kw_only=True)
class MethodCase:
    """One method under its name; the generic tests of ``test_methods.py`` run over all of them.

    Attributes:
        name: As the catalogue calls it, or that with what is special about the case behind it.
        make: A fresh module in float32. The tests move its parameters and running statistics off
            their initial values (`perturb`) and convert it to the type they need.
        shape: Of the input. Small, since second derivatives are checked by finite differences.
        reference: (module, x, training) to the expected output. It reads the module's parameters
            and buffers as they are BEFORE the call, and computes in plain NumPy: independent,
            slow and obvious.
        state: (module, x) to the float buffers expected after one call in training, by their
            names in ``module.named_buffers()``. It too reads the module before the call. None:
            every buffer but ``num_batches_tracked`` must stay as it is.
        backward: (module, x, g, training) to the STATED gradient of <g, y> by x, for a method
            whose backward is not the derivative of its forward.
        stated_in: The modes ("train", "eval") in which `backward` is what is meant. There the
            gradient by x is compared with it, and derivatives are not checked by differences.
        second: Whether second derivatives exist and are checked in the other modes.
        vmap: Whether `torch.func.vmap` over inputs works in training too (layers without state);
            in evaluation it must work in any case.
        also: Further shapes of input on which the same module must give its reference: other
            numbers of spatial dimensions.
        random: Whether the output in training is random. The tests then call
            ``torch.manual_seed(SEED)`` before every call of the module, and `reference` does the
            same before it draws what the module draws, in the same order, with torch, in the
            type of ``x``.
    """

    name: str
    make: Callable[[], nn.Module]
    shape: tuple[int, ...]
    reference: Callable[[nn.Module, Array, bool], Array]
    state: Callable[[nn.Module, Array], dict[str, Array]] | None = None
    backward: Callable[[nn.Module, Array, Array, bool], Array] | None = None
    stated_in: tuple[str, ...] = ()
    second: bool = True
    vmap: bool = False
    also: tuple[tuple[int, ...], ...] = ()
    random: bool = False

    def __post_init__(self) -> None:
        """Refuse a case that would silently check less than it says."""
        assert set(self.stated_in) <= {"train", "eval"}, f"no such modes: {self.stated_in}"
        assert (self.backward is None) == (not self.stated_in), (
            f"{self.name}: backward and stated_in go together"
        )

    def __str__(self) -> str:
        return self.name

    @property
    def method(self) -> str:
        """Its name in the catalogue."""
        return method_of(self.name)

    def stated(self, training: bool) -> bool:
        """Whether the gradient by x is the stated one, and not the derivative."""
        return ("train" if training else "eval") in self.stated_in

    def build(self, *, dtype: torch.dtype = torch.float64, training: bool = True) -> nn.Module:
        """The module with parameters and running statistics away from their initial values."""
        return perturb(self.make()).to(dtype).train(training)

    def input(self, shape: tuple[int, ...] | None = None, *, seed: int = 0) -> Tensor:
        """A float64 input whose channels have different means and scales."""
        shape = self.shape if shape is None else shape
        random = np.random.default_rng([seed, *shape])
        x = random.normal(size=shape) * 1.7 + 0.3
        if x.ndim > 1:
            per_channel = (1, shape[1]) + (1,) * (x.ndim - 2)
            x = x * random.uniform(0.5, 2, per_channel) + random.normal(size=per_channel)
        return torch.from_numpy(x)
