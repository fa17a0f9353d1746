"""Keras's side of the parity table: ``python -m normlib.analysis.parity.keras_side [FOLDER]``.

Runs in a process of its own, since TensorFlow and torch do not go together in one, and writes
``keras.npz`` and ``keras.json`` into FOLDER, ``data/parity`` if none is given.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from normlib.analysis.parity.cases import cases, inputs_sha256
from normlib.analysis.parity.keras_cases import case_results
from normlib.analysis.parity.keras_setups import setup_results
from normlib.analysis.parity.setups import setups
from normlib.analysis.parity.stored import KerasSide, folder, save
from normlib.engine.keras import runtime
from normlib.records import fingerprint


def compute() -> KerasSide:
    """Compute all cases in float64 and float32, and all set-ups, on one thread."""
    tf, keras = runtime.start(threads=1)
    versions = {"tensorflow": tf.__version__, "keras": keras.__version__, "numpy": np.__version__}
    return KerasSide(
        arrays={
            f"{case.name}/{dtype}/{quantity}": array
            for case in cases()
            for dtype in ("float64", "float32")
            for quantity, array in case_results(tf, keras, case, dtype).items()
        },
        environment=fingerprint.environment(versions, "cpu", 1, "eager"),
        setups={setup.name: setup_results(tf, keras, setup) for setup in setups()},
        inputs=inputs_sha256(),
    )


def main(arguments: Sequence[str]) -> None:
    """Compute and write."""
    save(compute(), Path(arguments[0]) if arguments else folder())


if __name__ == "__main__":
    main(sys.argv[1:])
