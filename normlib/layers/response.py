"""Filter response normalization: each channel's own sphere, then a learned threshold."""

import torch
from torch import Tensor, nn

from normlib.layers.checks import check_channels, check_eps
from normlib.layers.running import per_channel
from normlib.precision import wide
from normlib.projection import rescale, sphere

_TINY = 1e-12


class FilterResponseNorm(nn.Module):
    """Divide each channel of each sample by its root mean square, then cut off from below.

    ``y = max(gamma * x / sqrt(mean(x ** 2) + eps) + beta, tau)`` with the mean over the spatial
    dimensions. The threshold ``tau`` replaces the activation that follows other methods: with
    ``tau = 0``, where it starts, it is a ReLU.

    Where there is a single position, ``x / sqrt(x ** 2 + eps)`` is almost the sign of ``x``. For
    such layers a part can be learned, ``eps + abs(eps_l)`` with ``eps_l`` starting at 1e-4; that
    is ``learned_eps=True``, with one ``eps_l`` for the layer.

    Args:
        num_features: Number of channels ``C``.
        eps: Added to the mean square.
        learned_eps: Whether to learn a part of it.
        thresholded: Whether there is a ``tau``; without it an activation has to follow.

    Shape:
        (N, C) or (N, C, ...), and the same out; ``weight``, ``bias`` and ``tau`` of shape (C,).

    Raises:
        ValueError: the input does not have ``C`` channels in dimension 1, or ``eps`` is negative.

    Source: Singh and Krishnan 2020, https://arxiv.org/abs/1911.09737; ``eps``, and how and from
    where its learned part starts, are as in TensorFlow Addons' `FilterResponseNormalization`.
    """

    tau: nn.Parameter | None
    eps_l: nn.Parameter | None

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-6,
        learned_eps: bool = False,
        thresholded: bool = True,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        check_eps(eps)
        self.num_features = num_features
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(num_features, device=device, dtype=dtype))
        self.bias = nn.Parameter(torch.zeros(num_features, device=device, dtype=dtype))
        tau = nn.Parameter(torch.zeros(num_features, device=device, dtype=dtype))
        eps_l = nn.Parameter(torch.full((1,), 1e-4, device=device, dtype=dtype))
        self.register_parameter("tau", tau if thresholded else None)
        self.register_parameter("eps_l", eps_l if learned_eps else None)

    def forward(self, x: Tensor) -> Tensor:
        """Apply the layer."""
        check_channels(x, self.num_features)
        w = wide(x.unsqueeze(-1) if x.dim() == 2 else x)
        n = w.dim()
        gamma, beta = per_channel(self.weight, n), per_channel(self.bias, n)
        if self.eps_l is None:
            y = sphere(w, range(2, n), gamma, beta, eps=self.eps, centered=False)[0]
        else:
            # The projection takes eps for a constant, so the learned part is one more factor;
            # some constant keeps what is divided by from being zero, whichever.
            constant = self.eps or _TINY
            xhat, _, nu2 = sphere(w, range(2, n), eps=constant, centered=False)
            divided_by = nu2 + self.eps + self.eps_l.abs()
            y = rescale(xhat * torch.sqrt((nu2 + constant) / divided_by), gamma, beta)
        tau = per_channel(self.tau, n)
        y = y if tau is None else torch.maximum(y, tau)
        return y.reshape(x.shape).to(x.dtype)

    def extra_repr(self) -> str:
        """Return the arguments."""
        return (
            f"{self.num_features}, eps={self.eps}, learned_eps={self.eps_l is not None}, "
            f"thresholded={self.tau is not None}"
        )
