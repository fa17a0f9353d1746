"""Noisy batch normalization: its stability taken away again, to ask what it was good for.

Source: Santurkar et al. 2018, https://arxiv.org/abs/1805.11604
"""

import math

import torch
from torch import Tensor

from normlib.layers.relative import BatchRelative
from normlib.layers.running import over_batch, update
from normlib.precision import wide
from normlib.projection import sphere


class NoisyBatchNorm(BatchRelative):
    """BatchNorm, then noise whose own distribution is drawn anew for each channel and batch.

    ``y = s * (gamma * xhat + beta) + m`` with BatchNorm's ``xhat``. In each training batch

        mu_c    ~ uniform(-n_mu, n_mu)       for each channel
        sigma_c ~ uniform(1, n_sigma)
        m       ~ uniform(mu_c - r_mu, mu_c + r_mu)    for each sample and channel
        s       ~ normal(sigma_c, r_sigma)             r_sigma being a standard deviation

    so that a channel's mean and variance jump from batch to batch. The noise is constant over a
    channel's positions, and is a constant to the gradient. It is drawn in float32 whatever the
    precision of ``x``, so that a seed gives the same noise in all of them. Running averages are
    BatchNorm's, of what comes in; evaluation uses them and has no noise.

    Args:
        num_features: Number of channels ``C``.
        eps: Added to the variance.
        momentum: Weight of the new value in the running averages.
        affine: Whether to have ``gamma`` and ``beta``.
        n_mu: How far the mean of the shift ``m`` may be from 0.
        n_sigma: How far the mean of the factor ``s`` may be from 1, as a factor.
        r_mu: How far ``m`` may be from its mean.
        r_sigma: The standard deviation of ``s``.
        generator: Where the noise comes from, on the device of the input; None for torch's own,
            which `torch.compile` needs: given another it refuses to make one graph.

    Shape:
        (N, C) or (N, C, ...), and the same out.

    Raises:
        ValueError: an argument out of its range, an input without ``C`` channels in dimension 1,
            or a single value per channel when training.

    Source: Santurkar, Tsipras, Ilyas and Madry 2018, https://arxiv.org/abs/1805.11604: noise after
    BatchNorm, of a mean that is not 0 and a variance that is not 1, from a distribution that
    changes in each step. How it changes, and the four constants, are as in a reimplementation of
    that experiment; they were not checked against the paper's appendix. Chosen here: a
    distribution for each channel, and noise that is constant over a channel's positions.
    """

    shown = ("eps", "momentum", "affine", "n_mu", "n_sigma", "r_mu", "r_sigma")

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float = 0.1,
        affine: bool = True,
        n_mu: float = 0.5,
        n_sigma: float = 1.25,
        r_mu: float = 0.1,
        r_sigma: float = 0.1,
        generator: torch.Generator | None = None,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(num_features, eps, momentum, affine, device, dtype)
        sizes = {"n_mu": n_mu, "n_sigma": n_sigma, "r_mu": r_mu, "r_sigma": r_sigma}
        for name, value in sizes.items():
            if not (value >= 0 and math.isfinite(value)):
                raise ValueError(f"{name}={value} is no size of noise; give a number from 0 up")
        self.n_mu = n_mu
        self.n_sigma = n_sigma
        self.r_mu = r_mu
        self.r_sigma = r_sigma
        self.generator = generator

    def noise(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Draw ``m`` and ``s`` for one batch, of shape (N, C, 1, ...)."""
        n, c = x.shape[:2]
        generator, device, dtype = self.generator, x.device, wide(x).dtype

        def uniform(samples: int, low: float | Tensor, high: float | Tensor) -> Tensor:
            u = torch.rand((samples, c), generator=generator, device=device, dtype=torch.float32)
            return low + (high - low) * u.to(dtype)

        mu = uniform(1, -self.n_mu, self.n_mu)
        sigma = uniform(1, 1.0, self.n_sigma)
        m = uniform(n, mu - self.r_mu, mu + self.r_mu)
        z = torch.randn((n, c), generator=generator, device=device, dtype=torch.float32)
        s = sigma + self.r_sigma * z.to(dtype)
        shape = [n, c] + [1] * (x.dim() - 2)
        return m.reshape(shape), s.reshape(shape)

    def by_batch(self, x: Tensor) -> Tensor:
        """Normalize by the batch, with the noise in scale and shift."""
        count = x.numel() // self.num_features
        m, s = self.noise(x)
        gamma, beta = self.scale_and_shift(x)
        scale, shift = (s, m) if gamma is None or beta is None else (s * gamma, s * beta + m)
        y, mu, sigma2 = sphere(x, over_batch(x), scale, shift, eps=self.eps)
        update(self.running_mean, mu, self.momentum)
        update(self.running_var, sigma2 * (count / (count - 1)), self.momentum)
        return y
