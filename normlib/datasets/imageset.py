"""One split of a data set, as arrays whose content has been checked."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from normlib.datasets.errors import DatasetError
from normlib.datasets.info import Info, Split

Bytes = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class ImageSet:
    """Images and labels of one split, in the official order.

    ``images`` is ``(N, C, H, W)`` in 0..255, ``labels`` is ``(N,)`` are class numbers, both uint8;
    ``sha256`` is their `content_hash`. The arrays may be copy-on-write views of a cached file:
    reading shares memory between processes, writing changes the writer's copy only.
    """

    name: str
    split: Split
    images: Bytes
    labels: Bytes
    sha256: str
    classes: tuple[str, ...]


def content_hash(images: Bytes, labels: Bytes) -> str:
    """Return the sha256 of the uint8 images as N, C, H, W followed by the uint8 labels."""
    digest = hashlib.sha256(np.ascontiguousarray(images).data)
    digest.update(np.ascontiguousarray(labels).data)
    return digest.hexdigest()


def checked(
    info: Info,
    split: Split,
    images: NDArray[np.generic],
    labels: NDArray[np.generic],
    source: Path | str,
    labels_source: Path | str | None = None,
) -> ImageSet:
    """Return the arrays as an `ImageSet` if they are exactly the split that ``info`` describes.

    Labels may be of any integer type. Raises `DatasetError` naming ``source`` (``labels_source`` if
    the labels are at fault), and the first of shape, type, label range and content hash that is
    wrong.
    """
    remedy = f"put the official {info.name} in its place or remove it"
    shape = (info.sizes[split], *info.shape)
    named, last = labels_source or source, len(info.classes) - 1
    if images.shape != shape or images.dtype != np.uint8:
        raise DatasetError(
            f"{source}: {images.dtype} images of shape {images.shape}, but {info.name} {split} has "
            f"uint8 of shape {shape}; {remedy}"
        )
    if labels.shape != shape[:1] or not np.issubdtype(labels.dtype, np.integer):
        raise DatasetError(
            f"{named}: {labels.dtype} labels of shape {labels.shape}, but {info.name} {split} has "
            f"integers of shape {shape[:1]}; {remedy}"
        )
    for label in (int(labels.min()), int(labels.max())):
        if not 0 <= label <= last:
            raise DatasetError(f"{named}: label {label}, but {info.name} has 0 to {last}; {remedy}")
    pixels, targets = images.astype(np.uint8, copy=False), labels.astype(np.uint8, copy=False)
    if (found := content_hash(pixels, targets)) != info.sha256[split]:
        raise DatasetError(
            f"{source}: the content hash of {info.name} {split} is {found[:16]}..., expected "
            f"{info.sha256[split][:16]}...; {remedy}"
        )
    return ImageSet(info.name, split, pixels, targets, info.sha256[split], info.classes)
