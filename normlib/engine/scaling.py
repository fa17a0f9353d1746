"""How pixels are scaled before a network sees them; shared by all frameworks."""

from normlib.datasets import INFO
from normlib.records import Experiment


def scaling(experiment: Experiment) -> tuple[list[float], list[float]]:
    """Return ``mean`` and ``std`` of each channel, in 0..255: ``x = (pixel - mean) / std``."""
    info = INFO[experiment.dataset]
    if experiment.input_scaling == "unit":
        return [0.0] * info.shape[0], [255.0] * info.shape[0]
    return [255 * mean for mean in info.mean], [255 * std for std in info.std]
