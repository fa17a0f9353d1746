"""Networks whose norms are chosen by name from the catalogue."""

from normlib.models.cnn import CNN, build

__all__ = ["CNN", "build"]
