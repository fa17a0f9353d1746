"""What can go wrong with a data set."""

from normlib.errors import NormlibError


class DatasetError(NormlibError):
    """A data set is damaged, foreign or cannot be kept; the message names the file and a remedy."""


class MissingDatasetError(DatasetError, FileNotFoundError):
    """No source has the data set; the message lists where it was looked for and how to get it."""
