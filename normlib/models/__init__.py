"""Networks whose norms are chosen by name from the catalogue."""

from normlib.models.cnn import CNN
from normlib.models.named import build
from normlib.models.resnet import resnet

__all__ = ["CNN", "build", "resnet"]
