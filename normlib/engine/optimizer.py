"""The optimizer of an experiment."""

from collections.abc import Iterable

import torch
from torch import nn

from normlib.records import Experiment


def optimizer(
    experiment: Experiment, parameters: Iterable[nn.Parameter]
) -> torch.optim.SGD | torch.optim.Adam:
    """Return what ``experiment`` trains with; one rate for all parameters, Fixup's numbers too.

    ``sgd``: with ``momentum``. ``adam``: betas 0.9 and 0.999, eps 1e-8, torch's defaults. In both,
    ``weight_decay`` times the parameter is added to its gradient. All updates of a step are made
    by one fused call.

    Source: Kingma and Ba 2015, https://arxiv.org/abs/1412.6980
    """
    parameters = list(parameters)
    if experiment.optimizer == "adam":
        return torch.optim.Adam(
            parameters,
            experiment.learning_rate,
            betas=(0.9, 0.999),
            eps=1e-8,
            weight_decay=experiment.weight_decay,
            fused=True,
            capturable=parameters[0].is_cuda,  # its count of steps stays on the device
        )
    return torch.optim.SGD(
        parameters,
        experiment.learning_rate,
        experiment.momentum,
        weight_decay=experiment.weight_decay,
        fused=True,
    )
