"""AdaBN's layer: a BatchNorm that `normlib.surgery.adapt` may take to another domain."""

import torch

from normlib.layers.batch import BatchNormOfAnyShape


class AdaBatchNorm(BatchNormOfAnyShape):
    """BatchNorm whose running averages `adapt` replaces by the statistics of a target domain.

    ``y = gamma * (x - mu) / sqrt(sigma2 + eps) + beta``: while training on the source domain it is
    BatchNorm (`BatchNorm1d`), whose state_dict it can load. Being of this class marks a layer as
    one to adapt; layers of the other classes keep their statistics.

    Args:
        num_features: Number of channels ``C``.
        eps: Added to the variance.
        momentum: Weight of the new value in the running averages, or None for their plain mean.
        affine: Whether to have a scale ``gamma`` and a shift ``beta``.

    Shape:
        (N, C) or (N, C, ...), and the same out.

    Raises:
        ValueError: fewer than two dimensions; when training, a single value per channel or an
            ``eps`` that is not above 0.
        RuntimeError: another number of channels.

    Source: Li, Wang, Shi, Liu and Hou 2016, https://arxiv.org/abs/1603.04779
    """

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(num_features, eps, momentum, affine, True, device, dtype)
