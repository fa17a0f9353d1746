"""The network that an experiment names."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from normlib.datasets import INFO
from normlib.models.cnn import CNN
from normlib.models.mlp import MLP
from normlib.models.resnet import resnet
from normlib.models.vgg import VGG
from normlib.records import Experiment
from normlib.records.choices import RESNETS


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
    classes = len(info.classes)
    norm: dict[str, Any] = {
        "norm": experiment.norm,
        "eps": experiment.norm_eps,
        "groups": experiment.norm_groups,
        "initial": initial,
    }
    if experiment.model in RESNETS:
        start = "fixup" if experiment.initialization == "fixup" else "torchvision"
        return resnet(experiment.model, classes, size=info.shape[1:], initialization=start, **norm)
    if experiment.model == "mlp":
        return MLP(info.shape, classes, experiment.hidden, **norm)
    network = VGG if experiment.model == "vgg" else CNN
    return network(info.shape, classes, experiment.width, experiment.hidden, **norm)
