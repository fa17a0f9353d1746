"""Time runs that take turns on a device: ``python -m normlib.bench.replicas_process JOB``.

JOB is a JSON object with ``network``, ``norms``, ``batch_size``, ``replicas``, ``warmup``,
``steps`` and ``device``. Prints the images per second of all runs together, or ``null`` if there
is no such device.
"""

import json
import sys
import time
from collections.abc import Sequence

import torch

from normlib.bench.images import CIFAR, as_set, drawn
from normlib.bench.resnets import experiment
from normlib.engine.device import usable
from normlib.engine.lane import Lane
from normlib.engine.processor import processor
from normlib.engine.training import steps as steps_of
from normlib.errors import NormlibError


def measure(
    network: str,
    norms: Sequence[str],
    batch_size: int,
    replicas: int,
    warmup: int,
    steps: int,
    device: str,
) -> float | None:
    """Return images per second; the runs have the norms in turn, and each a seed of its own."""
    try:
        where = usable(device)
    except NormlibError:
        return None
    data = as_set(*drawn((warmup + steps + 1) * batch_size, CIFAR))  # its epoch does not end
    with processor(1, where), torch.random.fork_rng():
        lanes = []
        for seed in range(replicas):
            run = experiment(network, norms[seed % len(norms)], batch_size).replace(seed=seed)
            lanes.append(Lane(steps_of(run, where, data=(data, data)), where))
        begin = 0.0
        for step in range(warmup + steps):
            if step == warmup:
                _wait(where)
                begin = time.perf_counter()
            for lane in lanes:
                lane.advance()
        _wait(where)
    return replicas * steps * batch_size / (time.perf_counter() - begin)


def _wait(where: torch.device) -> None:
    """Wait for all that was launched."""
    if where.type == "cuda":
        torch.cuda.synchronize(where)


if __name__ == "__main__":
    print(json.dumps(measure(**json.loads(sys.argv[1]))))
