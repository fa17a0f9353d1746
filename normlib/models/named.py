"""The network that an experiment names."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from torch import nn

from normlib.datasets import INFO
from normlib.models.cnn import CNN
from normlib.models.resnet import resnet
from normlib.records import Experiment


def build(
    experiment: Experiment, initial: Mapping[str, NDArray[np.float32]] | None = None
) -> nn.Module:
    """Return the network that ``experiment`` names, starting from ``initial``.

    A start from ``data`` is left to whoever has the first batch.

    Raises:
        CatalogueError: the norm is not one of normlib's or torch's.
        NormlibError: the norm cannot be in this network.
    """
    info = INFO[experiment.dataset]
    if experiment.model == "cnn":
        return CNN(
            info.shape,
            len(info.classes),
            experiment.width,
            experiment.hidden,
            experiment.norm,
            experiment.norm_eps,
            experiment.norm_groups,
            initial,
        )
    return resnet(
        experiment.model,
        len(info.classes),
        experiment.norm,
        size=info.shape[1:],
        eps=experiment.norm_eps,
        groups=experiment.norm_groups,
        initialization="fixup" if experiment.initialization == "fixup" else "torchvision",
        initial=initial,
    )
