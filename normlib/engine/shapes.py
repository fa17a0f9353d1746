"""Names and shapes of the parameters outside the norms, by framework-free rules."""

import math
from collections.abc import Iterator

from normlib.datasets import INFO
from normlib.records import Experiment

Shape = tuple[int, ...]

BLOCKS = {
    "resnet18": (2, 2, 2, 2),
    "resnet34": (3, 4, 6, 3),
    "resnet50": (3, 4, 6, 3),
    "resnet101": (3, 4, 23, 3),
}
"""Residual blocks of the four stages."""
BOTTLENECKS = ("resnet50", "resnet101")
"""Networks of three convolutions in a block, 1x1, 3x3 and 1x1 to four times the channels."""


def shapes(experiment: Experiment) -> dict[str, Shape]:
    """Return name and shape of every parameter outside the norms, in PyTorch's layouts.

    ``cnn``: a 5x5 convolution with padding 2 to ``width`` channels, pooling by 2, a fully
    connected layer of ``hidden`` units and one of as many outputs as the data set has classes.
    ``mlp``: a fully connected layer of ``hidden`` units and one of as many outputs as classes.
    ``vgg``: see `models.VGG`. A ResNet: torchvision's, without those of its norms.
    """
    info = INFO[experiment.dataset]
    classes = len(info.classes)
    if experiment.model in BLOCKS:
        return dict(_resnet(experiment.model, info.shape[0], classes))
    convolutions, features = {
        "cnn": _cnn,
        "mlp": lambda experiment, shape: ({}, math.prod(shape)),
        "vgg": _vgg,
    }[experiment.model](experiment, info.shape)
    return {
        **convolutions,
        "fc.weight": (experiment.hidden, features),
        "fc.bias": (experiment.hidden,),
        "out.weight": (classes, experiment.hidden),
        "out.bias": (classes,),
    }


def _cnn(experiment: Experiment, image: Shape) -> tuple[dict[str, Shape], int]:
    """Return the convolution's parameters, and how many features reach the next layer."""
    channels, height, columns = image
    width = experiment.width
    shapes = {"conv.weight": (width, channels, 5, 5), "conv.bias": (width,)}
    return shapes, width * (height // 2) * (columns // 2)


def _vgg(experiment: Experiment, image: Shape) -> tuple[dict[str, Shape], int]:
    """Return the same for four stages of two convolutions."""
    channels, height, columns = image
    shapes: dict[str, Shape] = {}
    for stage in range(4):
        filters = experiment.width * 2**stage
        for layer in (1, 2):
            name = f"conv{stage + 1}_{layer}"
            shapes[f"{name}.weight"], shapes[f"{name}.bias"] = (filters, channels, 3, 3), (filters,)
            channels = filters
        height, columns = height // 2, columns // 2
    return shapes, channels * height * columns


def _resnet(model: str, channels: int, classes: int) -> Iterator[tuple[str, Shape]]:
    """Yield the parameters in torchvision's order."""
    yield "conv1.weight", (64, channels, 7, 7)
    before = 64
    for stage, blocks in enumerate(BLOCKS[model]):
        width = 64 * 2**stage
        after = 4 * width if model in BOTTLENECKS else width
        for block in range(blocks):
            name = f"layer{stage + 1}.{block}"
            if model in BOTTLENECKS:
                yield f"{name}.conv1.weight", (width, before, 1, 1)
                yield f"{name}.conv2.weight", (width, width, 3, 3)
                yield f"{name}.conv3.weight", (after, width, 1, 1)
            else:
                yield f"{name}.conv1.weight", (width, before, 3, 3)
                yield f"{name}.conv2.weight", (width, width, 3, 3)
            if block == 0 and (stage > 0 or after != before):
                yield f"{name}.downsample.0.weight", (after, before, 1, 1)
            before = after
    yield "fc.weight", (classes, before)
    yield "fc.bias", (classes,)
