"""Sets of arrays in a `.npz` archive, as `numpy.savez` writes it. Nothing is ever unpickled.

images          (count, *input), whole numbers or floating
labels          (count,), whole numbers
bounds          optional: (2,), low and high for all features, or (2, *input)
low, high       optional, in place of `bounds`: numbers, or arrays of the shape of an input
class_names     optional: a name for each class
feature_names   optional: a name for each feature
fixed           optional: bool, of the shape of an input: the coordinates that cannot move
"""

from __future__ import annotations

import math
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from clearance.data.dataset import Bounds, Source, check_classes
from clearance.data.files import check_inflation, check_labels, refuse_pickle, require_file, scale_images
from clearance.data.options import Options
from clearance.errors import FileError, InputError, PickleRefusedError, ShapeError

if TYPE_CHECKING:
    from torch import Tensor

Arrays = Mapping[str, NDArray[np.generic]]

HOW_TO_SAVE = "save the arrays with numpy.savez(path, images=..., labels=...)"
"""What to do instead of a pickle."""


def open_npz(place: str, _options: Options) -> Source:
    """A `.npz` archive with `images` and `labels` (see the module's text).

    Args:
        place: The file, as `numpy.savez(path, images=..., labels=...)` writes it.
        _options: None is read.

    Returns:
        The set, named after the file.
    """
    path, at = Path(place), str(place)
    optional = ("bounds", "low", "high", "class_names", "feature_names", "fixed")
    arrays = read_npz(path, required=("images", "labels"), optional=optional)
    shape = arrays["images"].shape[1:]
    bounds = _bounds(arrays, shape, path)
    scaled, scale = scale_images(arrays["images"], source=at, bounds=_range(bounds))
    classes = check_labels(arrays["labels"], count=len(scaled), source=at)
    class_names = _names(arrays, "class_names", path)
    check_classes(classes, class_names, at)

    def read(rows: Sequence[int]) -> NDArray[np.float32]:
        return scaled[list(rows)]

    return Source(
        read,
        classes,
        path.stem,
        (0.0, 1.0) if scale != 1 else bounds,
        class_names,
        scale,
        _feature_names(arrays, math.prod(shape), path),
        _fixed(arrays, shape, path),
    )


def read_npz(
    path: Path, *, required: tuple[str, ...], optional: tuple[str, ...] = ()
) -> dict[str, NDArray[np.generic]]:
    """Read named arrays from a `.npz` archive.

    Args:
        path: The file.
        required: Names that must be there.
        optional: Names that are read where they are there. Other names are ignored.

    Returns:
        The arrays by name.

    Raises:
        FileError: If the file is absent, truncated or no `.npz` archive, lacks a required name, or states sizes that
            its content does not have.
        PickleRefusedError: If an array holds Python objects.
    """
    refuse_pickle(path, instead=HOW_TO_SAVE)
    require_file(path)
    if not path.stat().st_size:
        raise FileError(f"{path}: expected a .npz archive, got an empty file")
    if not zipfile.is_zipfile(path):
        raise FileError(f"{path}: expected a .npz archive, got a file that is damaged or of another kind")
    try:
        with path.open("rb") as file:
            present, arrays = _read_members(file, path, (*required, *optional))
    except FileError:
        raise
    except Exception as error:  # a damaged archive fails in many ways, and all mean the same
        raise FileError(f"{path}: damaged ({' '.join(str(error).split())})") from None
    if any(name not in arrays for name in required):
        got = f"expected arrays {', '.join(required)}; got {', '.join(present) or 'none'}"
        written = ", ".join(f"{name}=…" for name in required)
        raise FileError(f"{path}: {got}; numpy.savez({path.name!r}, {written}) writes them")
    read = {name: array for name, array in arrays.items() if isinstance(array, np.ndarray)}
    if len(read) < len(arrays):
        raise FileError(f"{path}: expected arrays as numpy.savez writes them, got other data under those names")
    return read


def _read_members(file: IO[bytes], path: Path, names: Sequence[str]) -> tuple[list[str], dict[str, object]]:
    with np.load(file, allow_pickle=False) as archive:
        present = list(archive.files)
        wanted = [name for name in names if name in present]
        for name in wanted:
            _check_size(archive.zip, name, path)
        return present, {name: archive[name] for name in wanted}


def _check_size(archive: zipfile.ZipFile, name: str, path: Path) -> None:
    """Hold the size that an array's header states against what is stored, before memory is taken for it."""  # noqa: DOC501
    member = f"{name}.npy" if f"{name}.npy" in archive.namelist() else name
    info, stored = archive.getinfo(member), path.stat().st_size
    if info.compress_size > stored:
        raise FileError(f"{path}: damaged, {member} states {info.compress_size:,} bytes in a file of {stored:,}")
    check_inflation(path, stored=info.compress_size, data=info.file_size)
    with archive.open(member) as content:
        if content.read(6) != np.lib.format.MAGIC_PREFIX:
            return
    with archive.open(member) as content:
        shape, dtype = _read_array_header(content)
        left = info.file_size - content.tell()
    if dtype.hasobject:
        raise PickleRefusedError(
            f"{path}: an array holds Python objects, a pickle inside; save it with a numeric dtype"
        )
    size = math.prod(shape) * dtype.itemsize
    if size != left:
        raise FileError(f"{path}: damaged, the shape {shape} of {name} needs {size:,} bytes, got {left:,}")


def _read_array_header(content: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[np.generic]]:
    version = np.lib.format.read_magic(content)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = read(content)
    return shape, dtype


def _bounds(arrays: Arrays, shape: tuple[int, ...], path: Path) -> Bounds | None:
    ends = [name for name in ("low", "high") if name in arrays]
    if "bounds" not in arrays and not ends:
        return None
    if ("bounds" in arrays and ends) or len(ends) == 1:
        got = f"{', '.join(ends)} {'beside bounds' if 'bounds' in arrays else 'alone'}"
        raise InputError(f"{path}: expected either bounds, or low and high, got {got}")
    if ends:
        return _two_ends(arrays["low"], arrays["high"], shape, path)
    values = arrays["bounds"]
    if values.ndim == 0 or len(values) != 2 or values.shape[1:] not in ((), shape):
        wanted = f"two numbers, low < high, or shape (2, *input), {(2, *shape)}"
        raise InputError(f"{path}: expected bounds as {wanted}, got {_shown(values)}")
    return _two_ends(values[0], values[1], shape, path)


def _two_ends(low: NDArray[np.generic], high: NDArray[np.generic], shape: tuple[int, ...], path: Path) -> Bounds:
    ends = [np.asarray(low), np.asarray(high)]  # a row of `bounds` may be a scalar
    for name, end in zip(("low", "high"), ends, strict=True):
        if end.shape not in ((), shape):
            raise ShapeError(f"{path}: expected {name} as a number or of shape {shape}, got {end.shape}")
    alike = ends[0].ndim == ends[1].ndim == 0
    if all(end.dtype.kind in "iuf" for end in ends):
        lows, highs = (end.astype(np.float64) for end in ends)
        finite = all(bool((np.abs(end) <= np.finfo(np.float32).max).all()) for end in (lows, highs))
        if finite and bool((lows <= highs).all() and (lows < highs).any()):
            return one_range(lows, highs)
    got = str([end.tolist() for end in ends]) if alike else "text, NaN, infinity, or low above high"
    wanted = "two numbers, low < high" if alike else "finite numbers, low <= high for each feature, not all equal"
    raise InputError(f"{path}: expected bounds as {wanted}, got {got}")


def one_range(low: NDArray[np.float64], high: NDArray[np.float64]) -> Bounds:
    """Bounds as two numbers where all features share them, else as two float32 tensors.

    >>> one_range(np.zeros(2), np.ones(2)), one_range(np.zeros(2), np.array([1.0, 2.0]))[1]
    ((0.0, 1.0), tensor([1., 2.]))
    """
    if low.min() == low.max() and high.min() == high.max():
        return float(low.min()), float(high.max())
    import torch

    low, high = np.broadcast_arrays(low, high)
    return torch.from_numpy(low.astype(np.float32)), torch.from_numpy(high.astype(np.float32))


def _range(bounds: Bounds | None) -> tuple[float, float] | None:
    if bounds is None:
        return None
    low, high = (np.asarray(bound) for bound in bounds)
    return float(low.min()), float(high.max())


def _shown(values: NDArray[np.generic]) -> str:
    return str(values.tolist()) if values.size <= 4 else f"shape {values.shape}"


def _names(arrays: Arrays, key: str, path: Path) -> tuple[str, ...]:
    values = arrays.get(key, np.array([], dtype=str))
    if values.ndim != 1 or (values.size and values.dtype.kind not in "US"):
        raise InputError(f"{path}: expected {key} as a list of text, got {values.dtype} of shape {values.shape}")
    return tuple(value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value) for value in values)


def _feature_names(arrays: Arrays, size: int, path: Path) -> tuple[str, ...]:
    names = _names(arrays, "feature_names", path)
    if names and len(names) != size:
        raise ShapeError(f"{path}: expected a feature name for each of {size} values of an input, got {len(names)}")
    return names


def _fixed(arrays: Arrays, shape: tuple[int, ...], path: Path) -> Tensor | None:
    if "fixed" not in arrays:
        return None
    values = arrays["fixed"]
    if values.dtype != np.bool_ or values.shape != shape:
        raise ShapeError(f"{path}: expected fixed as bool of shape {shape}, got {values.dtype} of shape {values.shape}")
    if bool(values.all()):
        raise InputError(f"{path}: expected a coordinate that can move, got all of them fixed")
    import torch

    return torch.from_numpy(values.astype(np.bool_))
