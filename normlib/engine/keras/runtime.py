"""TensorFlow in this process: one backend, a fixed number of threads, deterministic operators."""

import importlib
import os
import sys
from typing import Any

from normlib.errors import NormlibError


class RuntimeSetupError(NormlibError, RuntimeError):
    """This process cannot run TensorFlow as the experiment needs it."""


def start(threads: int) -> tuple[Any, Any]:
    """Return the modules (tensorflow, keras), set up for ``threads`` threads on the CPU.

    Raises RuntimeSetupError if torch is loaded, TensorFlow is missing, or TensorFlow has started
    with other threads; its threads cannot be changed afterwards.
    """
    if "torch" in sys.modules:
        raise RuntimeSetupError(
            "torch is loaded in this process, which may crash beside TensorFlow; "
            "run Keras experiments in a process of their own, as `normlib run` does"
        )
    os.environ["KERAS_BACKEND"] = "tensorflow"
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        tf = importlib.import_module("tensorflow")
        keras = importlib.import_module("keras")
    except ImportError as error:
        raise RuntimeSetupError(
            f"TensorFlow or Keras cannot be imported ({error}); install them with "
            "`uv sync --group peers`"
        ) from error
    if (backend := keras.config.backend()) != "tensorflow":
        raise RuntimeSetupError(
            f"Keras was loaded with the backend {backend!r}; start a process of its own, "
            "with KERAS_BACKEND=tensorflow or unset"
        )
    _fix(tf, threads)
    return tf, keras


def _fix(tf: Any, threads: int) -> None:
    threading = tf.config.threading
    try:
        threading.set_intra_op_parallelism_threads(threads)
        threading.set_inter_op_parallelism_threads(threads)
        tf.config.set_visible_devices([], "GPU")
    except RuntimeError as error:
        raise RuntimeSetupError(
            f"TensorFlow has started with {threading.get_intra_op_parallelism_threads()} threads, "
            f"not threads={threads}; use a new process"
        ) from error
    tf.config.experimental.enable_op_determinism()
