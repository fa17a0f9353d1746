"""The peer: the same network and training in Keras on TensorFlow, with Keras's own norm layers.

Importing it imports neither TensorFlow nor Keras; ``train`` does. Never in a process that holds
torch: the two together have ended in a segmentation fault.
"""

from normlib.engine.keras.support import UnsupportedError
from normlib.engine.keras.training import train

__all__ = ["UnsupportedError", "train"]
