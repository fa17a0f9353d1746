"""Switchable normalization: which of several statistics is best is learned."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from normlib.layers.relative import BatchRelative, Statistics, moments
from normlib.layers.running import per_channel, update
from normlib.precision import wide

SCOPES = ("instance", "layer", "batch")
"""Over what statistics are taken: the positions; those of all channels; those of all samples."""


class SwitchableNorm(BatchRelative):
    """Normalize by a learned mixture of the statistics of InstanceNorm, LayerNorm and BatchNorm.

    ``y = gamma * (x - mu) / sqrt(sigma2 + eps) + beta`` with

        mu     = sum(w_k * mu_k)           w  = softmax(mean_weight)
        sigma2 = sum(w'_k * sigma2_k)      w' = softmax(var_weight)

    where ``mu_k`` and the biased ``sigma2_k`` are taken over the positions (instance), over these
    and the channels (layer), or over these and the batch (batch), and ``gamma`` and ``beta`` are
    per channel. Note that ``sigma2`` is not the variance around ``mu``.

    In evaluation running averages stand for the batch's statistics, and only for them. The
    running variance is biased, unlike BatchNorm's, since training mixes the biased one. The paper
    averages over some batches after training instead; ``momentum`` follows them all along.

    Args:
        num_features: Number of channels ``C``.
        eps: Added to the mixed variance.
        momentum: Weight of the new value in the running averages, in 0..1.
        affine: Whether to have a scale ``gamma`` and a shift ``beta``.
        scopes: Which statistics are mixed, of "instance", "layer" and "batch".

    Shape:
        (N, C, ...), and the same out; (N, C) without the scope "instance". ``mean_weight`` and
        ``var_weight`` of one entry per scope.

    Raises:
        ValueError: no such scope, or one named twice; the scope "instance" and an input with a
            single position, whose mean is the input itself; an argument out of its range; an
            input without ``C`` channels in dimension 1, or with a single value per channel when
            training.

    Source: Luo, Ren, Peng, Zhang and Li 2019, https://arxiv.org/abs/1806.10779
    """

    shown = ("eps", "momentum", "affine", "scopes")

    mean_weight: nn.Parameter
    var_weight: nn.Parameter

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float = 0.1,
        affine: bool = True,
        scopes: Sequence[str] = SCOPES,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(num_features, eps, momentum, affine, device, dtype)
        if not scopes or not set(scopes) <= set(SCOPES) or len(set(scopes)) < len(scopes):
            raise ValueError(f"scopes={scopes!r} are not some of {', '.join(SCOPES)}, each once")
        self.scopes = tuple(scopes)
        for name in ("mean_weight", "var_weight"):
            start = torch.ones(len(scopes), device=device, dtype=dtype)
            self.register_parameter(name, nn.Parameter(start))

    def reset_parameters(self) -> None:
        """Return to the initial values; all scopes weigh the same."""
        super().reset_parameters()
        if hasattr(self, "mean_weight"):  # not yet, while the base class is set up
            nn.init.ones_(self.mean_weight)
            nn.init.ones_(self.var_weight)

    def importance(self) -> dict[str, dict[str, float]]:
        """Return the learned weights of the scopes, for the "mean" and for the "variance"."""
        return {
            statistic: dict(zip(self.scopes, torch.softmax(wide(w), 0).tolist(), strict=True))
            for statistic, w in (("mean", self.mean_weight), ("variance", self.var_weight))
        }

    def by_batch(self, x: Tensor) -> Tensor:
        """Normalize with the batch's statistics in the mixture, and move the running averages."""
        instance = self._of_instances(x)
        batch = _pooled(instance, 0)
        update(self.running_mean, batch[0], self.momentum)
        update(self.running_var, batch[1], self.momentum)
        return self._normalize(x, instance, batch)

    def by_running(self, x: Tensor) -> Tensor:
        """Normalize with running averages in the mixture."""
        n = x.dim()
        mu, sigma2 = (per_channel(wide(s), n) for s in (self.running_mean, self.running_var))
        return self._normalize(x, self._of_instances(x), (mu, sigma2))

    def _normalize(self, x: Tensor, instance: Statistics, batch: Statistics) -> Tensor:
        found = {"instance": instance, "layer": _pooled(instance, 1), "batch": batch}
        mu = _mixed(self.mean_weight, [found[scope][0] for scope in self.scopes])
        sigma2 = _mixed(self.var_weight, [found[scope][1] for scope in self.scopes])
        return self.by_statistics(x, (mu, sigma2))

    def _of_instances(self, x: Tensor) -> Statistics:
        """Return mean and biased variance of each channel of each sample."""
        if "instance" in self.scopes and x.shape[2:].numel() == 1:
            raise ValueError(
                f"the input of shape {tuple(x.shape)} has a single position, whose mean is itself; "
                'leave the scope "instance" out: scopes=("layer", "batch")'
            )
        if x.dim() == 2:
            return wide(x), torch.zeros_like(wide(x))
        return moments(x, range(2, x.dim()))


def _pooled(parts: Statistics, dim: int) -> Statistics:
    """Return mean and variance of equal parts together: variance within, and between their means.

    Never the mean of squares less the square of the mean, which cancels.
    """
    mu, sigma2 = parts
    mean = mu.mean(dim, keepdim=True)
    return mean, (sigma2 + (mu - mean).square()).mean(dim, keepdim=True)


def _mixed(logits: Tensor, statistics: list[Tensor]) -> Tensor:
    weights = torch.softmax(wide(logits), 0)
    mixed = weights[0] * statistics[0]
    for weight, statistic in zip(weights[1:], statistics[1:], strict=True):
        mixed = mixed + weight * statistic
    return mixed
