"""Mistakes found in well-known implementations, planted one by one in a plain layer.

Each is a factory of a ``torch.nn.BatchNorm2d`` or ``GroupNorm`` look-alike that is right but for
the one line its name says. The tests must tell every one of them from the framework's layer, and
must accept the version without a mistake.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn


class PlainBatchNorm(nn.BatchNorm2d):
    """BatchNorm composed of elementary operations; ``mistake`` names what is done wrongly."""

    mistake = ""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if self.mistake == "keyword swallowed":
            kwargs.pop("epsilon", None)
        super().__init__(*args, **kwargs)
        if self.mistake == "moving mean starts at 1":
            self.running_mean.fill_(1)
        if self.mistake == "bias not initialized":
            self.bias.data.fill_(0.37)  # whatever the memory held

    def _update(self, mu: Tensor, sigma2: Tensor, count: int) -> None:
        unbiased = sigma2 if self.mistake == "biased running variance" else (
            sigma2 * count / (count - 1))  # fmt: skip
        new = 1 - self.momentum if self.mistake == "momentum swapped" else self.momentum
        if self.mistake == "buffers keep a graph":
            self.running_mean = (1 - new) * self.running_mean + new * mu
            self.running_var = (1 - new) * self.running_var + new * unbiased
            return
        with torch.no_grad():
            self.num_batches_tracked += 1
            self.running_mean.lerp_(mu, new)
            self.running_var.lerp_(unbiased, new)

    def forward(self, x: Tensor) -> Tensor:
        by_gradients = self.mistake == "gradients enabled taken for training"
        training = torch.is_grad_enabled() if by_gradients else self.training
        shape, count = (1, -1, 1, 1), x.numel() // x.shape[1]
        mu, sigma2 = self.running_mean, self.running_var
        if training:
            mu = x.mean((0, 2, 3))
            if self.mistake == "variance as E[x^2] - E[x]^2":
                sigma2 = (x * x).mean((0, 2, 3)) - mu * mu
            else:
                sigma2 = (x - mu.view(shape)).square().mean((0, 2, 3))
            self._update(mu, sigma2, count)
        if self.mistake == "statistics taken for constants":
            mu, sigma2 = mu.detach(), sigma2.detach()
        if self.mistake == "eps outside the root":
            r = 1 / (sigma2.sqrt() + self.eps)
        else:
            r = (sigma2 + self.eps).rsqrt()
        xhat = (x - mu.view(shape)) * r.view(shape)
        return xhat * self.weight.view(shape) + self.bias.view(shape)


class PlainGroupNorm(nn.GroupNorm):
    """GroupNorm composed of elementary operations."""

    mistake = ""

    def forward(self, x: Tensor) -> Tensor:
        a = x.reshape(len(x), self.num_groups, -1)
        correction = int(self.mistake == "group norm with unbiased variance")
        var, mu = torch.var_mean(a, -1, correction=correction, keepdim=True)
        xhat = ((a - mu) * (var + self.eps).rsqrt()).reshape(x.shape)
        shape = (1, -1) + (1,) * (x.ndim - 2)
        return xhat * self.weight.view(shape) + self.bias.view(shape)


class _ConstantStatistics(torch.autograd.Function):
    """First derivative right, second wrong: the statistics are saved as constants."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, eps: float) -> Tensor:
        mu = x.mean((0, 2, 3), keepdim=True)
        r = ((x - mu).square().mean((0, 2, 3), keepdim=True) + eps).rsqrt()
        xhat = (x - mu) * r
        ctx.save_for_backward(xhat.detach(), r)
        return xhat

    @staticmethod
    def backward(ctx: Any, h: Tensor) -> tuple[Tensor, None]:
        xhat, r = ctx.saved_tensors
        mean = (0, 2, 3)
        projected = h - h.mean(mean, keepdim=True) - xhat * (h * xhat).mean(mean, keepdim=True)
        return projected * r, None


class OnceDifferentiable(PlainBatchNorm):
    """Passes gradcheck, fails gradgradcheck."""

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return super().forward(x)
        super().forward(x.detach())
        shape = (1, -1, 1, 1)
        xhat = _ConstantStatistics.apply(x, self.eps)
        return xhat * self.weight.view(shape) + self.bias.view(shape)


def _with(base: type[nn.Module], mistake: str) -> type[nn.Module]:
    return type(base.__name__, (base,), {"mistake": mistake})


BATCH_MISTAKES: dict[str, Callable[..., nn.Module]] = {
    name: _with(PlainBatchNorm, name)
    for name in (
        "biased running variance", "buffers keep a graph", "variance as E[x^2] - E[x]^2",
        "moving mean starts at 1", "bias not initialized", "momentum swapped",
        "gradients enabled taken for training", "keyword swallowed",
        "statistics taken for constants", "eps outside the root",
    )
} | {"second derivative forgotten": OnceDifferentiable}  # fmt: skip
GROUP_MISTAKES = {
    "group norm with unbiased variance": _with(PlainGroupNorm, "group norm with unbiased variance")
}
