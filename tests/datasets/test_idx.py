"""IDX: whatever is encoded is decoded, and nothing else is."""

import gzip
import struct
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from normlib.datasets import DatasetError, idx

anything = arrays(np.uint8, array_shapes(max_dims=4, min_side=0, max_side=5))


@given(anything)
def test_decode_inverts_encode(array: np.ndarray) -> None:
    decoded = idx.decode(idx.encode(array), "file")
    np.testing.assert_array_equal(decoded, array)
    assert decoded.dtype == np.uint8
    assert decoded.flags.writeable


@given(anything, st.booleans())
def test_read_inverts_encode_packed_or_not(array: np.ndarray, packed: bool) -> None:
    content = idx.encode(array)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / ("array.gz" if packed else "array")
        path.write_bytes(gzip.compress(content) if packed else content)
        np.testing.assert_array_equal(idx.read(path, array.size), array)


@given(anything, st.data())
def test_every_proper_prefix_is_refused(array: np.ndarray, data: st.DataObject) -> None:
    content = idx.encode(array)
    cut = data.draw(st.integers(0, len(content) - 1))
    with pytest.raises(DatasetError, match="get the file again"):
        idx.decode(content[:cut], "file")


@given(anything, st.binary(min_size=1, max_size=20))
def test_more_than_the_header_promises_is_refused(array: np.ndarray, more: bytes) -> None:
    with pytest.raises(DatasetError, match="its header promises"):
        idx.decode(idx.encode(array) + more, "file")


@given(st.binary(max_size=40))
def test_noise_gives_an_array_or_an_error_of_one_line(content: bytes) -> None:
    message = ""
    try:
        assert idx.encode(idx.decode(content, "file")) == content
    except DatasetError as error:
        message = str(error)
    assert message == "" or message.startswith("file: ")
    assert "\n" not in message


def test_sizes_beyond_any_memory_are_refused_without_trying() -> None:
    header = bytes((0, 0, 8, 4)) + struct.pack(">4I", *[2**32 - 1] * 4)
    with pytest.raises(DatasetError, match="4294967295 x"):
        idx.decode(header, "file")


def test_the_official_layout() -> None:
    # The first bytes of MNIST's published files: 2051 with 60,000 x 28 x 28, 2049 with 60,000.
    assert idx.encode(np.zeros((3, 28, 28), np.uint8))[:16] == struct.pack(">4I", 2051, 3, 28, 28)
    assert idx.encode(np.zeros(3, np.uint8))[:8] == struct.pack(">2I", 2049, 3)
