"""What a format offers for a folder: files that should hold one split, and how to read them."""

from collections.abc import Callable, Set
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from normlib.datasets.imageset import ImageSet, checked
from normlib.datasets.info import Info, Split

Arrays = tuple[NDArray[np.generic], NDArray[np.generic]]


@dataclass(frozen=True)
class Source:
    """The first of the files, the one with the labels if that is another, and how to read them."""

    path: Path
    read: Callable[[], Arrays]
    labels: Path | None = None

    def load(self, info: Info, split: Split) -> ImageSet:
        """Return what the files hold if it is the split; raises `DatasetError` if it is not."""
        images, labels = self.read()
        return checked(info, split, images, labels, self.path, self.labels)


# From a folder, the names in it, and what is wanted of it.
Find = Callable[[Path, Set[str], Info, Split], Source | None]
