"""Population normalization: running statistics in training too, and a penalty on the scale.

Source: Luo, Wang, Shao and Peng 2019, https://arxiv.org/abs/1809.00846
"""

import torch
from torch import Tensor, nn

from normlib.layers.relative import BatchRelative
from normlib.layers.running import normalize_by_running, over_batch, update
from normlib.layers.snapshot import snapshot
from normlib.precision import wide
from normlib.projection import hyperplane


class PopulationBatchNorm(BatchRelative):
    """Normalize each channel by its running averages, in training and in evaluation.

    ``y = gamma * (x - running_mean) / sqrt(running_var + eps) + beta`` with the averages of the
    batches before this one, constants to the gradient; training then moves them toward the
    batch's mean and unbiased variance. So both modes compute the same, and samples do not depend
    on each other. What is lost is BatchNorm's gradient through the statistics: nothing but the
    averages' lag keeps activations from growing, and a small learning rate is needed.

    Together with `gamma_penalty` this is the paper's decomposition of BatchNorm: population
    statistics, and a decay of ``gamma`` that does the regularization of random batches.

    Args:
        num_features: Number of channels ``C``.
        eps: Added to the variance.
        momentum: Weight of the new value in the running averages.
        affine: Whether to have ``gamma`` and ``beta``.

    Shape:
        (N, C) or (N, C, ...), and the same out.

    Raises:
        ValueError: an argument out of its range, an input without ``C`` channels in dimension 1,
            or a single value per channel when training.

    Source: Luo, Wang, Shao and Peng 2019, https://arxiv.org/abs/1809.00846. Chosen here: the
    population's statistics are running averages, and those of the batches before this one.
    """

    def by_batch(self, x: Tensor) -> Tensor:
        """Normalize as in evaluation, then look at the batch."""
        mean, variance = snapshot(self.running_mean), snapshot(self.running_var)
        y = normalize_by_running(x, mean, variance, self.weight, self.bias, self.eps)
        with torch.no_grad():
            dims = over_batch(x)
            count = x.numel() // self.num_features
            z, mu = hyperplane(wide(x), dims)
            update(self.running_mean, mu, self.momentum)
            update(self.running_var, z.square().sum(dims) / (count - 1), self.momentum)
        return y


def gamma_penalty(model: nn.Module, strength: float) -> Tensor:
    """Return ``strength * sum(gamma ** 2)`` over a model's `PopulationBatchNorm` layers.

    To be added to the loss. In the paper the strength follows from the batch size and the
    activations' moments, of the order of one over the batch size; here it is given.

    Args:
        model: Any module that contains such layers with a scale.
        strength: At least 0.

    Raises:
        ValueError: a negative strength, or a model without such layers.

    Source: Luo, Wang, Shao and Peng 2019, https://arxiv.org/abs/1809.00846
    """
    if not strength >= 0:
        raise ValueError(f"strength={strength} is no penalty; give a number of at least 0")
    gammas = [
        layer.weight
        for layer in model.modules()
        if isinstance(layer, PopulationBatchNorm) and layer.weight is not None
    ]
    if not gammas:
        raise ValueError(
            f"this {type(model).__name__} has no PopulationBatchNorm with a scale to penalize; "
            "use one with affine=True"
        )
    return strength * torch.stack([gamma.square().sum() for gamma in gammas]).sum()
