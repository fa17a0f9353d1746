"""Training: an experiment in, a record out."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from normlib.engine.initial import initial_arrays
from normlib.engine.interrupted import Interrupted
from normlib.engine.order import batch_order

if TYPE_CHECKING:
    from normlib.engine.training import train as train

__all__ = ["Interrupted", "batch_order", "initial_arrays", "train"]


def __getattr__(name: str) -> Any:
    # Whoever trains in another framework must not import torch on the way.
    if name == "train":
        return import_module("normlib.engine.training").train
    raise AttributeError(f"module 'normlib.engine' has no attribute {name!r}")
