"""Keras's side of the parity table as files: ``data/parity/keras.npz`` and ``keras.json``."""

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from normlib import atomic, paths
from normlib.analysis.parity.cases import QUANTITIES, Case, inputs_sha256
from normlib.errors import NormlibError

COMMAND: Final = "python -m normlib.analysis.parity.keras_side"
SCHEMA: Final = 1
Array = NDArray[np.floating[Any]]


class ParityError(NormlibError, ValueError):
    """A stored side of the parity table is missing, damaged, or was computed from other inputs."""


@dataclass(frozen=True)
class KerasSide:
    """What Keras computed.

    ``arrays`` by ``<case>/<dtype>/<quantity>``, in PyTorch's layouts; ``environment`` versions and
    machine; ``setups`` by set-up: one comparison per pair of `normlib.analysis.parity.definitions`
    with ``family``, ``keras``, ``custom``, the largest ``output`` difference, and ``gradient`` by
    loss: the largest ``difference`` and the largest size on either side.
    """

    arrays: Mapping[str, Array]
    environment: Mapping[str, Any]
    setups: Mapping[str, list[dict[str, Any]]]
    inputs: str

    def results(self, case: Case, dtype: str = "float64") -> dict[str, Array]:
        """Return the quantities of ``case`` in ``dtype`` (float64 or float32) by name.

        Raises ParityError if there are none.
        """
        prefix = f"{case.name}/{dtype}/"
        found = {q: self.arrays[prefix + q] for q in QUANTITIES if prefix + q in self.arrays}
        if not found:
            raise ParityError(f"Keras's side has no {prefix[:-1]}; run `{COMMAND}`")
        return found


def folder() -> Path:
    """Return where Keras's side is kept."""
    return paths.data() / "parity"


def save(side: KerasSide, where: Path) -> None:
    """Write ``keras.npz``, then ``keras.json`` with its hash; the same content, the same bytes."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **dict(sorted(side.arrays.items())))
    about: dict[str, Any] = {
        "schema": SCHEMA,
        "inputs_sha256": side.inputs,
        "arrays_sha256": hashlib.sha256(buffer.getvalue()).hexdigest(),
        "environment": dict(side.environment),
    }
    lines = [f'"{key}": {json.dumps(value)}' for key, value in about.items()]
    lists = [
        f'  "{name}": [\n   ' + ",\n   ".join(map(json.dumps, found)) + "\n  ]"
        for name, found in side.setups.items()
    ]
    setups = '"setups": {\n' + ",\n".join(lists) + "\n }"
    text = "{\n " + ",\n ".join([*lines, setups]) + "\n}\n"
    atomic.write(where / "keras.npz", buffer.getvalue())
    atomic.write(where / "keras.json", text.encode())


def load_keras(where: Path | None = None) -> KerasSide:
    """Return Keras's side as stored in ``where`` (``data/parity`` of the project if None).

    Raises ParityError if a file is missing or damaged, or if the inputs have changed since.
    """
    where = where or folder()
    try:
        packed = (where / "keras.npz").read_bytes()
        about = json.loads((where / "keras.json").read_bytes())
        stated, inputs = about["arrays_sha256"], about["inputs_sha256"]
        if about["schema"] != SCHEMA or hashlib.sha256(packed).hexdigest() != stated:
            raise ParityError(f"{where}: keras.npz is not the file keras.json names; {_REMEDY}")
        with np.load(io.BytesIO(packed), allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        side = KerasSide(arrays, about["environment"], about["setups"], inputs)
    except ParityError:
        raise
    except OSError as error:
        raise ParityError(f"{error.filename}: {error.strerror}; {_REMEDY}") from error
    except (ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
        raise ParityError(f"{where}: Keras's side cannot be read ({error}); {_REMEDY}") from error
    if inputs != inputs_sha256():
        raise ParityError(f"{where}: Keras's side is from other inputs ({inputs[:8]}); {_REMEDY}")
    return side


_REMEDY: Final = f"restore it with git or run `{COMMAND}`"
