"""Batch renormalization: what the batch's statistics lack of the running ones is put back.

Source: Ioffe 2017, https://arxiv.org/abs/1702.03275
"""

import math
from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor

from normlib.layers.relative import BatchRelative
from normlib.layers.running import over_batch, per_channel, update
from normlib.layers.snapshot import snapshot
from normlib.precision import wide
from normlib.projection import rescale, sphere

Ramp = tuple[int, int]


class BatchRenorm(BatchRelative):
    """Normalize each channel over the batch, then correct toward the running statistics.

    ``y = gamma * (xhat * r + d) + beta`` with ``xhat = (x - mu) / sigma``, the batch's own
    ``mu`` and ``sigma = sqrt(sigma2 + eps)``, and

        r = clip(sigma / running_std, 1 / r_max, r_max)
        d = clip((mu - running_mean) / running_std, -d_max, d_max)

    with the running averages of the batches before this one. No gradient goes through ``r`` and
    ``d``, so that the backward is that of the sphere with the scale ``gamma * r`` and the shift
    ``gamma * d + beta``, and NOT the derivative of the forward. Where nothing is clipped, training
    computes what evaluation computes, ``gamma * (x - running_mean) / running_std + beta``;
    ``r_max=1, d_max=0`` is BatchNorm's training.

    As in the paper ``sigma`` itself is averaged, not its square: then ``r`` is 1 on average. So
    the buffer is ``running_std``, with ``eps`` inside.

    Args:
        num_features: Number of channels ``C``.
        eps: Added to ``sigma2``.
        momentum: Weight of the new value in the running averages; the paper takes 0.01.
        affine: Whether to have ``gamma`` and ``beta``.
        r_max: The largest factor ``r``, at least 1. An attribute that may be changed at any time.
        d_max: The largest shift ``d``, at least 0. Likewise.
        r_ramp: The training batches (first, last) between which the limit goes linearly from 1
            to ``r_max``; None to have ``r_max`` from the start. Counted by
            ``num_batches_tracked``, thus kept in the state_dict.
        d_ramp: The same from 0 to ``d_max``. The defaults of both are the paper's; a short
            training never leaves BatchNorm with them.

    Shape:
        (N, C) or (N, C, ...), and the same out.

    Raises:
        ValueError: an argument out of its range, an input without ``C`` channels in dimension 1,
            or a single value per channel when training.

    Source: Ioffe 2017, https://arxiv.org/abs/1702.03275
    """

    starts: ClassVar[Mapping[str, float]] = {"running_mean": 0.0, "running_std": 1.0}
    shown = ("eps", "momentum", "affine", "r_max", "d_max", "r_ramp", "d_ramp")

    running_std: Tensor

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float = 0.1,
        affine: bool = True,
        r_max: float = 3.0,
        d_max: float = 5.0,
        r_ramp: Ramp | None = (5000, 40000),
        d_ramp: Ramp | None = (5000, 25000),
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(num_features, eps, momentum, affine, device, dtype)
        if not (r_max >= 1 and math.isfinite(r_max)):
            raise ValueError(f"r_max={r_max} is no largest factor; give a number of at least 1")
        if not (d_max >= 0 and math.isfinite(d_max)):
            raise ValueError(f"d_max={d_max} is no largest shift; give a number of at least 0")
        for name, ramp in (("r_ramp", r_ramp), ("d_ramp", d_ramp)):
            if ramp is not None and not (len(ramp) == 2 and 0 <= ramp[0] < ramp[1]):
                raise ValueError(
                    f"{name}={ramp} is no ramp; give the numbers of a first and a later batch"
                )
        self.r_max = r_max
        self.d_max = d_max
        self.r_ramp = r_ramp
        self.d_ramp = d_ramp

    def limits(self, dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor]:
        """Return the limits of ``r`` and ``d`` for the next training batch."""
        return self._on(self.r_ramp, 1.0, self.r_max, dtype), self._on(
            self.d_ramp, 0.0, self.d_max, dtype
        )

    def _on(self, ramp: Ramp | None, start: float, end: float, dtype: torch.dtype) -> Tensor:
        done = self.num_batches_tracked.to(dtype)
        if ramp is None:
            return torch.full_like(done, end)
        return start + (end - start) * ((done - ramp[0]) / (ramp[1] - ramp[0])).clamp(0, 1)

    def by_batch(self, x: Tensor) -> Tensor:
        """Normalize by the batch, correct by ``r`` and ``d``."""
        n = x.dim()
        xhat, mu, sigma2 = sphere(wide(x), over_batch(x), eps=self.eps)
        gamma, beta = self.scale_and_shift(x)
        with torch.no_grad():
            sigma = (sigma2 + self.eps).sqrt()
            mean, std = per_channel(self.running_mean, n), per_channel(self.running_std, n)
            r_max, d_max = self.limits(sigma.dtype)
            r = snapshot((sigma / std).clamp(1 / r_max, r_max))
            d = snapshot(((mu - mean) / std).clamp(-d_max, d_max))
        update(self.running_mean, mu, self.momentum)
        update(self.running_std, sigma, self.momentum)
        if gamma is None or beta is None:
            return rescale(xhat, r, d).to(x.dtype)
        return rescale(xhat, gamma * r, gamma * d + beta).to(x.dtype)

    def by_running(self, x: Tensor) -> Tensor:
        """Normalize by the running averages."""
        n = x.dim()
        mean, std = per_channel(self.running_mean, n), per_channel(wide(self.running_std), n)
        assert std is not None
        return rescale(x, *self.scale_and_shift(x), mean, std.square())
