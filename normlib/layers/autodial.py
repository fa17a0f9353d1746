"""AutoDIAL: how much two domains share their statistics is learned."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import ClassVar

import torch
from torch import Tensor, nn

from normlib.errors import NormlibError
from normlib.layers.relative import BatchRelative, Statistics, moments
from normlib.layers.running import over_batch, per_channel, update
from normlib.precision import wide

_FAR = 40.0
"""Where the logistic function is 0 or 1 to double precision, and yet finite."""


class AutoDIAL(BatchRelative):
    """Normalize each of two domains by a mixture of both domains' statistics.

    ``y = gamma * (x - mu) / sqrt(sigma2 + eps) + beta`` per channel, where ``mu`` and ``sigma2``
    are, for source samples, those of the distribution ``alpha * s + (1 - alpha) * t``, and for
    target samples those of ``alpha * t + (1 - alpha) * s``. A mixture's variance has a term for
    the difference of the means; with ``a = alpha`` and ``b = 1 - alpha``

        mu     = a * mu_s + b * mu_t
        sigma2 = a * sigma2_s + b * sigma2_t + a * b * (mu_s - mu_t)^2

    With ``alpha = 1`` each domain has a BatchNorm of its own; with ``alpha = 1/2`` both have the
    same one. In between it is learned: ``alpha = (1 + sigmoid(mixing)) / 2``, which stays in
    [1/2, 1] under any optimizer; if it were clipped its gradient would vanish at the ends.
    ``gamma`` and ``beta`` are the same for both domains.

    Which samples are source is said by `domains`, around the model's call:

        with domains(model, source=len(xs), target=len(xt)):
            y = model(torch.cat([xs, xt]))

    Outside of it, training takes a batch to be of one domain that is source and target alike: the
    layer is then BatchNorm, whatever ``alpha``, as in pretraining; and evaluation takes all samples
    for target samples. Each domain has its running averages, of mean and unbiased variance, and
    evaluation mixes those.

    Args:
        num_features: Number of channels ``C``.
        eps: Added to the mixed variance.
        momentum: Weight of the new value in the running averages, in 0..1.
        affine: Whether to have a scale ``gamma`` and a shift ``beta``.
        alpha: Initial value, in 1/2..1. At the ends it has no gradient, and stays. The start in
            the middle is a choice of this library.

    Shape:
        (N, C) or (N, C, ...), and the same out; ``mixing`` of shape (1,).

    Raises:
        ValueError: an argument out of its range; an input without ``C`` channels in dimension 1;
            a single value per channel, of either domain, when training; or a batch of another
            size than `domains` says.

    Source: Carlucci, Porzi, Caputo, Ricci and Rota Bulo 2017, https://arxiv.org/abs/1704.08082
    """

    starts: ClassVar[Mapping[str, float]] = {
        "source_running_mean": 0.0,
        "source_running_var": 1.0,
        "target_running_mean": 0.0,
        "target_running_var": 1.0,
    }

    mixing: nn.Parameter
    source_running_mean: Tensor
    source_running_var: Tensor
    target_running_mean: Tensor
    target_running_var: Tensor

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float = 0.1,
        affine: bool = True,
        alpha: float = 0.75,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(num_features, eps, momentum, affine, device, dtype)
        if not 0.5 <= alpha <= 1:
            raise ValueError(f"alpha={alpha} is not in 1/2..1; it is the share of the own domain")
        self.initial_alpha = alpha
        self.domains: tuple[int, int] | None = None
        self.mixing = nn.Parameter(torch.empty(1, device=device, dtype=dtype))
        self.reset_parameters()

    @property
    def alpha(self) -> Tensor:
        """The learned share of a sample's own domain, of shape (1,)."""
        return (1 + torch.sigmoid(wide(self.mixing))) / 2

    def reset_parameters(self) -> None:
        """Return to the initial values."""
        super().reset_parameters()
        if hasattr(self, "mixing"):  # not yet, while the base class is set up
            mixing = torch.logit(torch.tensor(2 * self.initial_alpha - 1, dtype=torch.float64))
            nn.init.constant_(self.mixing, mixing.clamp(-_FAR, _FAR).item())

    def by_batch(self, x: Tensor) -> Tensor:
        """Normalize by mixtures of the batch's statistics, and move the running averages."""
        if self.domains is None:
            whole = self._follow(("source", "target"), x)
            return self._normalize(x, whole, whole)
        source, target = self._parts(x)
        for name, part in (("source", source), ("target", target)):
            if part.numel() <= self.num_features:
                raise ValueError(
                    f"training needs at least 2 values per channel of each domain, got {name} "
                    f"samples of shape {tuple(part.shape)}; use larger batches or eval()"
                )
        s, t = self._follow(("source",), source), self._follow(("target",), target)
        return self._both(source, target, s, t).to(x.dtype)

    def by_running(self, x: Tensor) -> Tensor:
        """Normalize by mixtures of the running averages."""
        running = [per_channel(wide(self.get_buffer(name)), x.dim()) for name in self.starts]
        s, t = (running[0], running[1]), (running[2], running[3])
        if self.domains is None:
            return self._normalize(x, t, s)
        return self._both(*self._parts(x), s, t).to(x.dtype)

    def _parts(self, x: Tensor) -> tuple[Tensor, Tensor]:
        assert self.domains is not None
        source, target = self.domains
        if source + target != x.shape[0]:
            raise ValueError(
                f"a batch of {x.shape[0]} samples, where `domains` says {source} source and "
                f"{target} target samples; say how many this batch has"
            )
        return wide(x[:source]), wide(x[source:])

    def _follow(self, names: tuple[str, ...], x: Tensor) -> Statistics:
        """Return the statistics of ``x``, which the running averages of ``names`` follow."""
        mu, sigma2 = moments(x, over_batch(x))
        count = x.numel() // self.num_features
        for name in names:
            update(self.get_buffer(f"{name}_running_mean"), mu, self.momentum)
            unbiased = sigma2 * (count / (count - 1))
            update(self.get_buffer(f"{name}_running_var"), unbiased, self.momentum)
        return mu, sigma2

    def _both(self, source: Tensor, target: Tensor, s: Statistics, t: Statistics) -> Tensor:
        parts = [(source, s, t), (target, t, s)]
        # An empty part would cost the other its memory format.
        filled = [part for part in parts if part[0].shape[0]] or parts
        return torch.cat([self._normalize(*part) for part in filled])

    def _normalize(self, x: Tensor, own: Statistics, other: Statistics) -> Tensor:
        return self.by_statistics(x, mixture_of(own, other, self.alpha))


def mixture_of(own: Statistics, other: Statistics, alpha: Tensor | float) -> Statistics:
    """Return mean and variance of the distribution ``alpha * own + (1 - alpha) * other``.

    Args:
        own: Mean and variance of the one distribution.
        other: Mean and variance of the other.
        alpha: The share of the first, in 0..1.
    """
    # Written so that equal distributions give themselves, to the last bit.
    between = own[0] - other[0]
    mu = other[0] + alpha * between
    sigma2 = other[1] + alpha * (own[1] - other[1]) + alpha * (1 - alpha) * between.square()
    return mu, sigma2


@contextmanager
def domains(model: nn.Module, *, source: int, target: int) -> Iterator[None]:
    """Say within a ``with`` block which samples of a batch are of which domain.

    All `AutoDIAL` layers of ``model`` then take the first ``source`` samples of their input for
    source samples and the other ``target`` ones for target samples. A batch of another size is an
    error, so that an old split is never applied to a new batch.

    Args:
        model: A model with `AutoDIAL` layers.
        source: Number of source samples, which come first.
        target: Number of target samples, which follow.

    Raises:
        NormlibError: a negative number, or a model without such layers.
    """
    layers = [module for module in model.modules() if isinstance(module, AutoDIAL)]
    if not layers:
        raise NormlibError(f"this {type(model).__name__} has no AutoDIAL layer to tell domains to")
    if source < 0 or target < 0:
        raise NormlibError(f"source={source}, target={target} are no numbers of samples")
    before = [layer.domains for layer in layers]
    try:
        for layer in layers:
            layer.domains = (source, target)
        yield
    finally:
        for layer, previous in zip(layers, before, strict=True):
            layer.domains = previous
