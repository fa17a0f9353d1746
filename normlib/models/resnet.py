"""torchvision's ResNets with a norm of the catalogue."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from normlib.layers import fixup
from normlib.methods import catalogue
from normlib.models.reaching import with_reaching
from normlib.models.residual import without_overwriting
from normlib.models.started import start_from
from normlib.records.choices import RESNETS, suggest
from normlib.surgery import convert


def resnet(
    name: str,
    classes: int,
    norm: str = "batch",
    *,
    size: tuple[int, int] = (32, 32),
    eps: float | None = None,
    groups: int | None = None,
    initialization: str = "torchvision",
    initial: Mapping[str, NDArray[np.float32]] | None = None,
) -> nn.Module:
    """Return a ResNet as torchvision builds it, each BatchNorm exchanged for another method.

    The stem is torchvision's own for large images: a convolution 7x7 with stride 2, then pooling
    with stride 2, so that the last stage has one position for images of 32x32. A method on weights
    applies to every convolution, each of which gets a bias in place of the norm's. With ``"none"``
    convolutions have neither norm nor bias.

    Args:
        name: ``"resnet18"``, ``"resnet34"``, ``"resnet50"`` or ``"resnet101"``.
        classes: Number of outputs.
        norm: Name in the catalogue; a norm's own parameters start as the method says.
        size: Height and width of the images, for norms with parameters per element.
        eps: Of the norm; None for its default.
        groups: Of the norm, if it has groups; None for its default.
        initialization: ``"torchvision"``, or ``"fixup"``, which goes on from there and does
            without a norm.
        initial: Arrays to start from, by torchvision's parameter names, without the norms'; None
            for torchvision's own.

    Shape:
        (N, 3, H, W) to (N, classes).

    Raises:
        CatalogueError: there is no such norm, or its groups do not divide the channels.
        NormlibError: the norm cannot be where one position is left (instance, switchable).
        ValueError: the name, the initialization or the arrays are another network's.

    Source: He, Zhang, Ren and Sun 2016, https://arxiv.org/abs/1512.03385; Peerthum and Stamp 2023.
    """
    from torchvision.models import get_model  # takes seconds

    if name not in RESNETS:
        raise ValueError(f"no ResNet is called {name!r:.60}; {suggest(name, RESNETS)}")
    plain = catalogue[norm].kind == "none"
    if initialization not in ("torchvision", "fixup") or (initialization == "fixup" and not plain):
        raise ValueError(
            f"initialization={initialization!r:.60} has no meaning for norm={norm!r:.60}; choose "
            "torchvision, or fixup for norm='none'"
        )
    model: nn.Module = get_model(
        name, num_classes=classes, norm_layer=nn.Identity if plain else nn.BatchNorm2d
    )
    if initial is not None:
        norms = [name for name, m in model.named_modules() if isinstance(m, nn.BatchNorm2d)]
        start_from(model, initial, norms)
    with_reaching(model)
    if initialization == "fixup":
        return fixup(model)
    if plain:
        return without_overwriting(model)
    options: dict[str, Any] = {"eps": eps, "groups": groups}
    given = {option: value for option, value in options.items() if value is not None}
    example = torch.zeros(1, 3, *size)
    return without_overwriting(convert(model, norm, example=example, keep_affine=False, **given))
