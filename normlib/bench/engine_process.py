"""Train as a sweep's worker does: ``python -m normlib.bench.engine_process DATA --warmup ...``.

After the warm-up it prints ``warm`` and waits for a line, so that processes side by side are timed
together; then ``{"stamps": [...]}``, the times at which the steps ended.
"""

import argparse
import json
import sys
import time
from pathlib import Path

import numpy as np

from normlib.bench import resnets, training, two_layers
from normlib.bench.images import as_set
from normlib.datasets import ImageSet
from normlib.engine import train


class _EnoughError(Exception):
    """The steps to be timed are done; the rest of the run is of no interest."""


def image_set(file: Path) -> ImageSet:
    """Return the arrays of ``file`` as a data set."""
    with np.load(file) as arrays:
        images, labels = arrays["images"], arrays["labels"]
    images = images if images.ndim == 4 else images[:, np.newaxis]
    return as_set(images, labels)


def main() -> None:
    """Train and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--warmup", type=int, required=True)
    parser.add_argument("--steps", type=int, required=True)
    parser.add_argument("--compiled", action="store_true")
    parser.add_argument("--network", default="cnn", help="cnn, mlp, or one of source E's")
    arguments = parser.parse_args()
    data = image_set(arguments.data)
    known = {"cnn": training.experiment, "mlp": two_layers.experiment}
    network = arguments.network
    timed = known[network]() if network in known else resnets.experiment(network)
    stamps: list[float] = []

    def on_step(step: int, steps: int) -> None:
        if len(stamps) == arguments.warmup - 1:
            print("warm", flush=True)
            sys.stdin.readline()
        stamps.append(time.monotonic())
        if len(stamps) == arguments.warmup + arguments.steps:
            raise _EnoughError

    try:
        train(
            timed,
            threads=1,
            on_step=on_step,
            data=(data, data),
            compiled=arguments.compiled,
        )
    except _EnoughError:
        print(json.dumps({"stamps": stamps[arguments.warmup - 1 :]}))


if __name__ == "__main__":
    main()
