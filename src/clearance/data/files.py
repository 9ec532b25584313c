"""What every reader of data does: look at a path, refuse pickles, read bytes, check images and labels."""

import gzip
import os
import zipfile
import zlib
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from clearance.errors import DtypeError, FileError, InputError, PickleRefusedError, ShapeError

PICKLE_SUFFIXES = frozenset({".pkl", ".pickle", ".pt", ".pth", ".ckpt", ".joblib", ".th"})
"""Endings of files that are, or hold, pickles, as torch, joblib and the standard library write them: refused by name,
even where the content does not look like one."""

PIXEL_LEVELS = 255.0
"""The largest uint8: what pixels are divided by."""

SMALL_BYTES = 2**28
"""So many bytes (256 MB) may be unpacked from any compressed file, however small it is."""

MOST_INFLATED = 200
"""Beyond `SMALL_BYTES`, a byte of a compressed file may stand for so many bytes of data: pixels of photographs and of
MNIST stand at 1 to 10, and deflate reaches 1,032 where all are equal, as in a file made to fill the memory."""


def refuse_pickle(path: Path, *, instead: str) -> None:
    """Raise if the file's name or its first bytes say that it is a pickle.

    Args:
        path: The file; it need not exist.
        instead: What to give in its place, for the message.

    Raises:
        PickleRefusedError: If it is a pickle, or a zip archive that holds one (as `torch.save` writes).
    """
    if path.suffix.lower() in PICKLE_SUFFIXES or _holds_pickle(path):
        raise PickleRefusedError(f"{path}: is a pickle, which can run code when loaded; {instead}")


PICTURES = "pictures"
"""What a folder of pictures is called among the files that a run was made from."""


def path_kind(path: Path) -> Literal["file", "folder", "other", "none"]:
    """What lies at a path; `none` too where the system cannot have such a name (it is too long)."""
    try:
        return "file" if path.is_file() else "folder" if path.is_dir() else "other" if path.exists() else "none"
    except OSError:
        return "none"


def absence(path: Path, what: str = "file") -> str:
    """Why nothing is found at a path, in words.

    Args:
        path: Where `path_kind` finds nothing.
        what: What was looked for.

    Returns:
        `no such file`, with the reason where it is not the usual one.

    >>> absence(Path("nowhere"))
    'no such file'
    """
    try:
        if path.is_symlink():
            return f"no such {what}, only a link that leads nowhere"
        path.stat()
    except PermissionError:
        return f"no permission to look for this {what}"
    except (OSError, ValueError):  # a name that no file can have
        pass
    return f"no such {what}"


def reason_of(error: BaseException, most: int = 120) -> str:
    """What an error says, in one line of at most so many characters; its kind where it says nothing.

    >>> reason_of(ValueError("no   number")), reason_of(EOFError())
    ('no number', 'EOFError')
    """
    return " ".join(str(error).split())[:most] or type(error).__name__


def described(path: Path) -> str:
    """What lies at a path, in words: `a file`, `an empty file`, `a folder`, or why there is nothing."""
    kind = path_kind(path)
    if kind == "file":
        return "a file" if path.stat().st_size else "an empty file"
    return {"folder": "a folder", "other": "something that is no plain file"}.get(kind) or absence(path, "folder")


def require_file(path: Path) -> None:
    """Raise unless the path is a file that can be read.

    Raises:
        FileError: If it is absent, no plain file, or not readable.
    """
    kind = path_kind(path)
    if kind != "file":
        named = {"none": absence(path), "folder": "is no plain file but a folder"}
        raise FileError(f"{path}: {named.get(kind, 'is no plain file')}")
    if not os.access(path, os.R_OK):
        raise FileError(f"{path}: no permission to read it")


def scale_images(
    images: NDArray[np.generic], *, source: str, bounds: tuple[float, float] | None = None
) -> tuple[NDArray[np.float32], float]:
    """Images as finite float32 numbers, in the units of their bounds.

    uint8 without bounds, or with the bounds (0, 1), is divided by 255. Whole numbers of any type with other bounds, and
    floats, are kept as they are.

    Args:
        images: `(count, *input)`, whole numbers or floating.
        source: Where they come from, for messages.
        bounds: The valid range that comes with them.

    Returns:
        `(count, *input)`, float32, and what they were divided by.

    Raises:
        DtypeError: If they are whole numbers other than uint8 without bounds, so that the units are not known, or no
            numbers.
        ShapeError: If there is no image, or an image has no dimension or no number.
        InputError: If a value is NaN or infinite, or no float32 number; if uint8 is to be divided by 255 and holds no
            value above 1, as if that had been done.

    >>> scale_images(np.array([[0, 255]], dtype=np.uint8), source="x")[0].tolist()
    [[0.0, 1.0]]
    >>> scale_images(np.array([[0, 255]], dtype=np.uint8), source="x", bounds=(0, 255))[0].tolist()
    [[0.0, 255.0]]
    """
    if images.ndim < 2 or images.size == 0:
        raise ShapeError(f"{source}: expected images of shape (count, *input), not empty, got {images.shape}")
    if images.dtype == np.uint8 and bounds in (None, (0, 1)):
        check_levels(images.astype(np.uint8, copy=False), source)
        return images.astype(np.float32) / np.float32(PIXEL_LEVELS), PIXEL_LEVELS
    if images.dtype.kind not in ("f" if bounds is None else "fiu"):
        units = "uint8 (scaled to [0, 1]) or floats (kept)" if bounds is None else "whole numbers or floats"
        raise DtypeError(f"{source}: expected images as {units}, got {images.dtype}")
    with np.errstate(over="ignore"):
        scaled = images.astype(np.float32)
    if not np.isfinite(scaled).all():
        index = int(np.argwhere(~np.isfinite(scaled))[0][0])
        raise InputError(f"{source}: expected finite float32 images, got NaN or infinity in image {index}")
    if images.dtype.kind in "iu" and not np.array_equal(scaled.astype(np.float64), images.astype(np.float64)):
        raise InputError(f"{source}: expected whole numbers that float32 holds, up to 2^24, got larger ones")
    return scaled, 1.0


def check_levels(pixels: NDArray[np.uint8], source: str) -> None:
    """Raise where uint8 pixels look as if they had been divided by 255 already.

    Args:
        pixels: The pixels of a whole set.
        source: Where they come from, for messages.

    Raises:
        InputError: If the largest is 1.
    """
    if pixels.max() == 1:
        wanted = "up to 255, which are divided by it, or floats"
        raise InputError(f"{source}: expected pixels {wanted}, got uint8 with no value above 1")


def check_labels(labels: NDArray[np.generic], *, count: int, source: str) -> NDArray[np.int64]:
    """Labels as int64 class indices, one for each image.

    Args:
        labels: `(count,)`, any integer dtype, none negative.
        count: How many images there are.
        source: Where they come from, for messages.

    Returns:
        `(count,)`, int64.

    Raises:
        DtypeError: If they are not integers.
        ShapeError: If there is not exactly one for each image.
        InputError: If one is negative or does not fit int64.
    """
    if labels.dtype.kind not in "iu":
        raise DtypeError(f"{source}: expected labels as integer class indices, got {labels.dtype}")
    if labels.shape != (count,):
        raise ShapeError(
            f"{source}: expected one label for each of {count} images, shape ({count},), got {labels.shape}"
        )
    indices = labels.astype(np.int64)
    if indices.min() < 0:
        index = int(indices.argmin())
        raise InputError(f"{source}: expected labels >= 0, got {labels[index]} for image {index}")
    return indices


def _holds_pickle(path: Path) -> bool:
    if path_kind(path) != "file" or not os.access(path, os.R_OK):
        return False
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                return any(name.endswith(".pkl") for name in archive.namelist())
    except Exception:  # damaged: the reader of the file says so
        return False
    with path.open("rb") as file:
        head = file.read(9)
    # Protocols 2 to 5 begin with the opcode 80 and their number. So may a safetensors file, whose first eight bytes are
    # the length of its JSON header; but that is short of 2^32, and the header begins with a brace.
    safetensors = head[4:8] == b"\0\0\0\0" and head[8:] == b"{"
    return len(head) >= 2 and head[0] == 0x80 and 2 <= head[1] <= 5 and not safetensors


def check_inflation(path: Path, *, stored: int, data: int) -> None:
    """Raise where a compressed file unpacks to far more than data of its size do.

    Args:
        path: The file, for the message.
        stored: Its compressed bytes.
        data: The bytes that they are to unpack to.

    Raises:
        FileError: If they are more than `SMALL_BYTES` and more than `MOST_INFLATED` for each stored one.
    """
    if data > max(SMALL_BYTES, MOST_INFLATED * stored):
        limit = f"at most {MOST_INFLATED} bytes of data for each stored byte"
        raise FileError(f"{path}: expected {limit}, got {data:,} for {stored:,}; unpack it first if that is right")


def read_bytes(path: Path, *, most: int | None = None) -> bytes:
    """The content of a file, unpacked where it is a gzip file (told by its first bytes, not by its name).

    Args:
        path: The file.
        most: Read no more bytes of content than these.

    Returns:
        The bytes.

    Raises:
        FileError: If the file is absent or not readable, damaged, or unpacks to far more than data of its size do.
    """
    require_file(path)
    stored = path.stat().st_size
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    limit = (max(SMALL_BYTES, MOST_INFLATED * stored) if packed else stored) + 1
    try:
        with gzip.open(path) if packed else path.open("rb") as file:
            data = file.read(limit if most is None else min(most, limit))
    except (EOFError, OSError, zlib.error) as error:
        raise FileError(f"{path}: damaged gzip file ({error})") from None
    if packed:
        check_inflation(path, stored=stored, data=len(data))
    return data
