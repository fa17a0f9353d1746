"""The optimizer of an experiment."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from normlib.records import Experiment


class Optimizer:
    """What ``experiment`` trains with; one rate for all parameters, Fixup's numbers too.

    ``sgd``: with ``momentum``. ``adam``: betas 0.9 and 0.999, eps 1e-8, torch's defaults. In both,
    ``weight_decay`` times the parameter is added to its gradient. All updates of a step are made
    by one fused call.

    That call walks through memory. Of a weight in channels_last torch first makes a copy in the
    plain order, which nobody uses, and a gradient that lies otherwise than its parameter is taken
    for one that lies alike. So torch's optimizer gets views with their dimensions in the order of
    memory, of which neither is true.

    Source: Kingma and Ba 2015, https://arxiv.org/abs/1412.6980
    """

    def __init__(self, experiment: Experiment, parameters: Iterable[nn.Parameter]) -> None:
        self._parameters = list(parameters)
        self._views = [nn.Parameter(_as_stored(p.detach(), p)) for p in self._parameters]
        self._optimizer = _of_torch(experiment, self._views)

    def zero_grad(self) -> None:
        """Let the gradients go."""
        for parameter, view in zip(self._parameters, self._views, strict=True):
            parameter.grad = view.grad = None

    def step(self) -> None:
        """Update each parameter that has a gradient."""
        for parameter, view in zip(self._parameters, self._views, strict=True):
            grad = parameter.grad
            view.grad = None if grad is None else _as_stored(grad, parameter).contiguous()
        self._optimizer.step()

    def state_dict(self) -> dict[str, Any]:
        """Return torch's, of the views."""
        return self._optimizer.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Set the state that ``state_dict`` returned."""
        self._optimizer.load_state_dict(state)


def _of_torch(
    experiment: Experiment, parameters: list[nn.Parameter]
) -> torch.optim.SGD | torch.optim.Adam:
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


def _as_stored(tensor: Tensor, parameter: Tensor) -> Tensor:
    """Return a view of ``tensor`` with its dimensions as those of ``parameter`` lie in memory."""
    last = parameter.dim() == 4 and parameter.is_contiguous(memory_format=torch.channels_last)
    return tensor.permute(0, 2, 3, 1) if last else tensor
