"""A data set on the device, from which batches are made there."""

import weakref

import torch
from torch import Tensor

from normlib.datasets import ImageSet
from normlib.engine.portions import Indices
from normlib.engine.scaling import scaling
from normlib.records import Experiment

_placed: "weakref.WeakKeyDictionary[ImageSet, dict[torch.device, tuple[Tensor, Tensor]]]" = (
    weakref.WeakKeyDictionary()
)


class Resident:
    """The images of a data set on the device, as uint8; a batch is gathered and scaled there.

    However many runs use one `ImageSet`, it is on a device once.
    """

    def __init__(self, data: ImageSet, device: torch.device, experiment: Experiment) -> None:
        self.images, self.labels = _place(data, device)
        mean, std = scaling(experiment)
        self.mean = torch.tensor(mean, device=device).view(-1, 1, 1)
        self.std = torch.tensor(std, device=device).view(-1, 1, 1)

    def batch(self, indices: Indices) -> tuple[Tensor, Tensor]:
        """Return the images with these ``indices``, scaled, channels last, and their labels."""
        return self.at(torch.from_numpy(indices).to(self.images.device))

    def at(self, chosen: Tensor) -> tuple[Tensor, Tensor]:
        """Return the `batch` of indices that are on the device already."""
        x = self.images[chosen].float().sub_(self.mean).div_(self.std)
        return x.contiguous(memory_format=torch.channels_last), self.labels[chosen]


def _place(data: ImageSet, device: torch.device) -> tuple[Tensor, Tensor]:
    there = _placed.setdefault(data, {})
    if device not in there:
        # On a CPU not copied: the pages of a cached file are shared by all workers.
        images = torch.as_tensor(data.images, device=device)
        there[device] = images, torch.as_tensor(data.labels, device=device).long()
        if device.type == "cuda":
            torch.cuda.synchronize(device)  # streams of other runs are about to read it
    return there[device]
