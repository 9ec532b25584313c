"""Numerical arrays as compressed bytes and back. The bytes may be damaged or hostile: nothing is ever unpickled."""

from __future__ import annotations

import json
import math
import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clearance.errors import FileError, InputError

MAX_ARRAY_BYTES = 2**28
"""Largest array that is stored or read, uncompressed: 256 MB."""

KINDS = "biuf"
"""Kinds of NumPy dtypes that are stored: truth values, integers, floats."""


@dataclass(frozen=True)
class PackedArray:
    """An array as it lies in the store.

    Attributes:
        dtype: NumPy's name of the dtype, little-endian, such as `<f4`.
        shape: JSON list of its sizes.
        data: Its values in C order, compressed by zlib.
    """

    dtype: str
    shape: str
    data: bytes


def pack_array(array: NDArray[np.generic], *, name: str) -> PackedArray:
    """Compress an array.

    Args:
        array: Any shape; truth values, integers or floats.
        name: What it is called, for messages.

    Returns:
        Its dtype, shape and bytes.

    Raises:
        InputError: If it holds other data, or is larger than `MAX_ARRAY_BYTES`.
    """
    if not isinstance(array, np.ndarray) or array.dtype.kind not in KINDS:  # pyright: ignore[reportUnnecessaryIsInstance]
        found = getattr(array, "dtype", type(array).__name__)
        raise InputError(f"array {name}: expected truth values, integers or floats as a NumPy array, got {found}")
    if array.nbytes > MAX_ARRAY_BYTES:
        raise InputError(f"array {name}: expected at most {MAX_ARRAY_BYTES:,} bytes, got {array.nbytes:,}")
    little = array.astype(array.dtype.newbyteorder("<"), order="C", copy=False)
    return PackedArray(little.dtype.str, json.dumps(little.shape), zlib.compress(little.tobytes(), level=1))


def unpack_array(packed: PackedArray) -> NDArray[np.generic]:
    """The array that was packed. No more memory is taken than its shape says, and never more than `MAX_ARRAY_BYTES`.

    Args:
        packed: Its dtype, shape and bytes.

    Returns:
        The array.

    Raises:
        FileError: If dtype, shape and bytes do not go together.

    >>> unpack_array(pack_array(np.arange(3.0), name="x"))
    array([0., 1., 2.])
    """
    dtype, shape = _read_dtype(packed.dtype), _read_shape(packed.shape)
    expected = math.prod(shape) * dtype.itemsize
    if expected > MAX_ARRAY_BYTES:
        raise FileError(f"expected an array of at most {MAX_ARRAY_BYTES:,} bytes, got one of {expected:,}")
    try:
        data = zlib.decompressobj().decompress(packed.data, expected + 1)
    except zlib.error as error:
        raise FileError(f"damaged array ({error})") from None
    if len(data) != expected:
        found = "more" if len(data) > expected else str(len(data))
        raise FileError(f"expected {expected} bytes for an array of shape {shape}, got {found}")
    return np.frombuffer(data, dtype=dtype).reshape(shape).copy()


def _read_dtype(text: str) -> np.dtype[np.generic]:
    try:
        dtype = np.dtype(text)
    except (TypeError, ValueError, SyntaxError):
        dtype = None
    if dtype is None or dtype.kind not in KINDS or dtype.str != text:
        raise FileError(f"expected an array of truth values, integers or floats, got dtype {text[:20]!r}")
    return dtype


def _read_shape(text: str) -> tuple[int, ...]:
    try:
        sizes = json.loads(text)
    except (ValueError, RecursionError):
        sizes = None
    if not isinstance(sizes, list) or len(sizes) > 32 or not all(type(size) is int and size >= 0 for size in sizes):
        raise FileError(f"expected the shape of an array, got {text[:40]!r}")
    return tuple(sizes)
