"""Image data sets as uint8 arrays whose content has been checked.

Importing it imports neither torch nor an image decoder.
"""

from normlib.datasets.errors import DatasetError, MissingDatasetError
from normlib.datasets.imageset import ImageSet, content_hash
from normlib.datasets.info import INFO, SPLITS, Info, Split
from normlib.datasets.loading import load

__all__ = [
    "INFO",
    "SPLITS",
    "DatasetError",
    "ImageSet",
    "Info",
    "MissingDatasetError",
    "Split",
    "content_hash",
    "load",
]
