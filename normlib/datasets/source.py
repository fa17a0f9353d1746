"""What a format offers for a folder: files that should hold one split, and how to read them."""

from collections.abc import Callable, Set
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from normlib.datasets.info import Info, Split

Arrays = tuple[NDArray[np.generic], NDArray[np.generic]]


@dataclass(frozen=True)
class Source:
    """The first of the files, for error messages, and a function that returns images and labels."""

    path: Path
    read: Callable[[], Arrays]


# From a folder, the names in it, and what is wanted of it.
Find = Callable[[Path, Set[str], Info, Split], Source | None]
