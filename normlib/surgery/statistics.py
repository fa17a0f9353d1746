"""Exact statistics of everything that a norm is given, added up batch by batch."""

import copy
from typing import Protocol

import torch
from torch import Tensor, nn

from normlib.errors import NormlibError
from normlib.layers.ghost import GhostBatchNorm
from normlib.layers.noisy import NoisyBatchNorm
from normlib.layers.population import PopulationBatchNorm
from normlib.surgery.moments import Moments

BATCH = (
    nn.modules.batchnorm._BatchNorm,
    GhostBatchNorm,
    NoisyBatchNorm,
    PopulationBatchNorm,
)
"""Layers that keep mean and unbiased variance per channel and evaluate by them as BatchNorm."""


class Statistics(Protocol):
    """Adds up inputs; then gives the running averages that they amount to."""

    def add(self, x: Tensor) -> None:
        """Add an input of shape (N, C, ...)."""

    def averages(self) -> dict[str, Tensor]:
        """Return the values of the buffers, by name."""


def statistics_of(norm: nn.Module) -> Statistics:
    """Return what adds up the statistics that ``norm`` keeps."""
    if isinstance(norm, BATCH):
        return Pooled()
    if isinstance(norm, nn.modules.instancenorm._InstanceNorm):
        return PerSample(norm)
    return Joined(norm)


class Pooled:
    """Mean and variance per channel of all values, for BatchNorm.

    Args:
        correction: The variance is divided by the number of values less this: 1 for the unbiased
            one, which training averages, 0 for the biased one, by which it normalizes.
        prefix: Of the buffers' names.
    """

    def __init__(self, correction: int = 1, prefix: str = "") -> None:
        self.moments = Moments()
        self.correction = correction
        self.prefix = prefix

    def add(self, x: Tensor) -> None:
        """Add an input of shape (N, C, ...)."""
        self.moments.add(x)

    def averages(self) -> dict[str, Tensor]:
        """Return mean and variance."""
        count = self.moments.count
        if count < 2:
            raise NormlibError(f"gets {count} values per channel, which have no variance")
        variance = self.moments.squares / (count - self.correction)
        names = (f"{self.prefix}running_mean", f"{self.prefix}running_var")
        return dict(zip(names, (self.moments.mean, variance), strict=True))


class PerSample:
    """Means over all samples of each sample's mean and unbiased variance, for InstanceNorm."""

    def __init__(self, norm: nn.modules.instancenorm._InstanceNorm) -> None:
        self.norm = norm
        self.samples = 0
        self.mean = self.variance = torch.zeros((), dtype=torch.float64)

    def add(self, x: Tensor) -> None:
        """Add an input of shape (N, C, ...), or (C, ...) of one sample."""
        x = x.double()
        x = (x[None] if x.dim() == self.norm._get_no_batch_dim() else x).flatten(2)
        if x.shape[-1] < 2:
            raise NormlibError("gets a single position, which has no variance")
        variance, mean = torch.var_mean(x, 2)
        self.samples += x.shape[0]
        self.mean = self.mean.to(x) + mean.sum(0)
        self.variance = self.variance.to(x) + variance.sum(0)

    def averages(self) -> dict[str, Tensor]:
        """Return both means."""
        if not self.samples:
            raise NormlibError("gets no samples")
        return {
            "running_mean": self.mean / self.samples,
            "running_var": self.variance / self.samples,
        }


class Joined:
    """All inputs as one batch, for layers that alone know what their statistics are.

    The layer itself takes them, in training with the weight 1 for the new value.
    """

    def __init__(self, norm: nn.Module) -> None:
        self.norm = norm
        self.inputs: list[Tensor] = []

    def add(self, x: Tensor) -> None:
        """Keep an input of shape (N, C, ...)."""
        self.inputs.append(x.detach().clone())

    def averages(self) -> dict[str, Tensor]:
        """Return the layer's buffers after one training call."""
        if len({x.shape[1:] for x in self.inputs}) != 1:
            shapes = sorted({tuple(x.shape) for x in self.inputs})
            raise NormlibError(f"gets inputs of shapes {shapes}, which make no single batch")
        twin = copy.deepcopy(self.norm).double().train()
        twin.momentum = 1.0  # type: ignore[assignment]  # a module's attributes are tensors to mypy
        try:
            twin(torch.cat(self.inputs).double())
        except (RuntimeError, ValueError) as error:
            raise NormlibError(f"takes no statistics of all batches joined: {error}") from error
        return {name: value for name, value in twin.named_buffers() if "running_" in name}
