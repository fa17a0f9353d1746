"""Ghost batch normalization: the statistics of small parts of a large batch.

Source: Hoffer, Hubara and Soudry 2017, https://arxiv.org/abs/1705.08741
"""

import torch
from torch import Tensor

from normlib.layers.relative import BatchRelative
from normlib.layers.running import over_batch
from normlib.precision import full_precision
from normlib.projection import sphere


class GhostBatchNorm(BatchRelative):
    """Normalize each channel over each part of the batch by itself, as BatchNorm would.

    ``y = gamma * (x - mu) / sqrt(sigma2 + eps) + beta`` with ``mu`` and the biased ``sigma2``
    of ``ghost_size`` samples that follow each other. Samples left over join the last part, so
    that no statistics come from fewer samples than asked for; a batch smaller than
    ``ghost_size`` is one part.

    The running averages move as if the parts had come one after the other, each with the weight
    ``momentum``: toward their means and unbiased variances. ``num_batches_tracked`` counts
    batches, not parts. Evaluation uses the running averages, as BatchNorm does.

    Args:
        num_features: Number of channels ``C``.
        ghost_size: Samples per part.
        eps: Added to the variance.
        momentum: Weight of the new value in the running averages, for each part.
        affine: Whether to have ``gamma`` and ``beta``.

    Shape:
        (N, C) or (N, C, ...), and the same out.

    Raises:
        ValueError: an argument out of its range, an input without ``C`` channels in dimension 1,
            or a single value per channel and part when training.

    Source: Hoffer, Hubara and Soudry 2017, https://arxiv.org/abs/1705.08741. The running averages
    are those of its code, https://github.com/eladhoffer/bigBatch, which sends the parts through
    BatchNorm one after the other. Chosen here: what becomes of samples left over.
    """

    shown = ("ghost_size", "eps", "momentum", "affine")

    def __init__(
        self,
        num_features: int,
        ghost_size: int = 32,
        eps: float = 1e-5,
        momentum: float = 0.1,
        affine: bool = True,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(num_features, eps, momentum, affine, device, dtype)
        if ghost_size < 1:
            raise ValueError(f"ghost_size={ghost_size} is no number of samples; give 1 or more")
        self.ghost_size = ghost_size

    def by_batch(self, x: Tensor) -> Tensor:
        """Normalize part by part."""
        samples, size = x.shape[0], self.ghost_size
        parts = max(samples // size, 1)
        if parts == 1 or samples % size == 0:
            groups = [x.unflatten(0, (parts, samples // parts))]
        else:
            even = (parts - 1) * size
            groups = [x[:even].unflatten(0, (parts - 1, size)), x[even:].unsqueeze(0)]
        done = [self._normalize(group) for group in groups]
        self._follow(self.running_mean, torch.cat([mu for _, mu, _ in done]))
        self._follow(self.running_var, torch.cat([variance for _, _, variance in done]))
        y = [y.flatten(0, 1) for y, _, _ in done]
        return y[0] if len(y) == 1 else torch.cat(y)

    def _normalize(self, group: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return ``y``, ``mu`` and the unbiased variance of parts (parts, samples, C, ...)."""
        dims = [d + 1 for d in over_batch(group[0])]
        count = group[0].numel() // self.num_features
        if count == 1:
            raise ValueError(
                "a part has a single value per channel, which less its mean is zero: "
                f"ghost_size={self.ghost_size} needs to be at least 2 for inputs (N, C)"
            )
        gamma, beta = (
            None if p is None else p.unsqueeze(0) for p in self.scale_and_shift(group[0])
        )
        y, mu, sigma2 = sphere(group, dims, gamma, beta, eps=self.eps)
        return y, mu.flatten(1), sigma2.flatten(1) * (count / (count - 1))

    @torch.no_grad()
    def _follow(self, running: Tensor, parts: Tensor) -> None:
        """Move a buffer toward each row of ``parts`` in turn."""
        keep = 1 - self.momentum
        ages = torch.arange(len(parts) - 1, -1, -1, device=parts.device, dtype=parts.dtype)
        with full_precision(parts):
            moved = self.momentum * (keep**ages @ parts)
        running.mul_(keep ** len(parts)).add_(moved.to(running.dtype))
