"""The pickles of CIFAR-10's python version, loaded without trusting them.

A pickle can name any function and have it called. So the bytes are first compared with their
published MD5, and then loaded by an unpickler that knows three names, all about arrays.
"""

import hashlib
import io
import pickle
from typing import Any

import numpy as np

from normlib.datasets.errors import DatasetError

_REMEDY = "get the official archive again"

# Published in torchvision.datasets.CIFAR10 too.
MD5 = {
    "data_batch_1": "c99cafc152244af753f735de768cd75f",
    "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
    "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
    "data_batch_4": "634d18415352ddfa80567beed471001a",
    "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
    "test_batch": "40351d587109b95175f43aff81a1287e",
}


def load(content: bytes, name: str, source: str) -> dict[bytes, Any]:
    """Return the dictionary in the batch called ``name``: ``b"data"``, ``b"labels"`` and others.

    Raises `DatasetError` naming ``source`` for any other bytes than the official ones.
    """
    found = hashlib.md5(content, usedforsecurity=False).hexdigest()
    if found != MD5[name]:
        raise DatasetError(
            f"{source} has MD5 {found}, expected {MD5[name]}, so it was not unpickled; {_REMEDY}"
        )
    try:
        batch = _ArraysOnly(io.BytesIO(content), encoding="bytes").load()
    except Exception as error:  # a damaged pickle can raise anything
        raise DatasetError(f"{source} cannot be unpickled ({error}); {_REMEDY}") from error
    if not isinstance(batch, dict):
        raise DatasetError(f"{source} holds a {type(batch).__name__}, not a batch; {_REMEDY}")
    return batch


def _dtype(code: bytes, align: int, copy: int) -> np.dtype[Any]:
    # Python 2 wrote these two as integers, of which NumPy now warns.
    return np.dtype(code.decode(), align=bool(align), copy=bool(copy))


class _ArraysOnly(pickle.Unpickler):
    """An unpickler for dictionaries of arrays, numbers and texts."""

    _KNOWN = {  # noqa: RUF012 - never written to
        ("numpy.core.multiarray", "_reconstruct"): np.empty(0).__reduce__()[0],
        ("numpy", "ndarray"): np.ndarray,
        ("numpy", "dtype"): _dtype,
    }

    def find_class(self, module: str, name: str) -> Any:
        """Return one of the known objects, or raise `pickle.UnpicklingError`."""
        if (module, name) not in self._KNOWN:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, which no image needs")
        return self._KNOWN[module, name]
