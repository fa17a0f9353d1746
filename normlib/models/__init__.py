"""Networks whose norms are chosen by name from the catalogue."""

from normlib.models.cnn import CNN
from normlib.models.mlp import MLP
from normlib.models.named import build
from normlib.models.resnet import resnet
from normlib.models.vgg import VGG

__all__ = ["CNN", "MLP", "VGG", "build", "resnet"]
