"""Train a ResNet50 in a process of its own: ``python -m tests.sweep.memory FOLDER``.

Prints, as JSON, the process's peak resident bytes, and how many bytes of the mapped images it had
to copy for itself. As many images as CIFAR-10 has, of its shape, lie in a mapped file as a cached
data set does, and all are read. The run has few steps, since memory does not depend on their
number; it is stopped once and resumed, since a checkpoint takes memory to read.
"""

import contextlib
import gc
import json
import math
import re
import sys
from pathlib import Path

import numpy as np

from normlib.datasets import ImageSet
from normlib.engine import Interrupted, train
from normlib.records import Experiment


def mapped(file: Path, split: str, count: int) -> ImageSet:
    """Return images in a file that is read as it is touched."""
    shape = (count, 3, 32, 32)
    with file.open("wb") as out:
        out.truncate(math.prod(shape))
    images = np.asarray(np.memmap(file, np.uint8, mode="c", shape=shape))
    labels = np.arange(count, dtype=np.uint8) % 10
    return ImageSet("cifar10", split, images, labels, "0" * 64, tuple("0123456789"))


def copied(file: Path) -> int:
    """Return the bytes of the mapping of ``file`` that belong to this process alone."""
    mappings = re.split(r"\n(?=[0-9a-f]+-[0-9a-f]+ )", Path("/proc/self/smaps").read_text())
    own = [one for one in mappings if one.splitlines()[0].endswith(str(file))]
    assert own, "the images are not mapped"
    return 1024 * sum(int(n) for one in own for n in re.findall(r"Private_Dirty:\s+(\d+)", one))


def peak() -> int:
    """Return the most bytes that were resident at a time.

    Not ``ru_maxrss``, which begins with that of whoever started the process.
    """
    status = Path("/proc/self/status").read_text()
    return 1024 * int(re.search(r"VmHWM:\s+(\d+) kB", status)[1])


def main(folder: Path) -> None:
    experiment = Experiment(
        dataset="cifar10",
        model="resnet50",
        norm="batch",
        initialization="torchvision",
        optimizer="adam",
        batch_size=50,
        train_size=150,
        epochs=2,
    )
    files = folder / "train.bin", folder / "test.bin"
    data = mapped(files[0], "train", 50_000), mapped(files[1], "test", 1_000)
    data[0].images.max()
    with contextlib.suppress(Interrupted):
        train(experiment, data=data, checkpoint=folder / "run.npz", should_stop=lambda: True)
    gc.collect()  # as a worker does between runs
    train(experiment, data=data, checkpoint=folder / "run.npz")
    print(json.dumps({"peak": peak(), "copied": sum(map(copied, files))}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
