"""Sets of images in the idx format (LeCun's, of MNIST and Fashion-MNIST), plain or gzip-compressed.

Source: LeCun, Cortes and Burges, "The MNIST database of handwritten digits" (the page's section on file formats): two
zero bytes, a code of the type, the number of dimensions, each size as a big-endian 32-bit number, the data.
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from clearance.data.dataset import Source, pixel_source
from clearance.data.files import described, path_kind, read_bytes, refuse_pickle, require_file
from clearance.data.options import DATA_VARIABLE, Options, data_folder
from clearance.data.table import DATA_KINDS
from clearance.errors import FileError, InputError, ShapeError

IDX_UINT8 = 0x08
"""The idx code of unsigned bytes (third byte of the file), the only type that image sets use."""

MOST_DIMENSIONS = 32
"""Dimensions of an array of images at most: older releases of NumPy have no more, and images have four."""

DIGITS = tuple("0123456789")
"""The classes of MNIST."""

GARMENTS = ["T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"]
"""The classes of Fashion-MNIST (Xiao, Rasul and Vollgraf 2017, table 2)."""


def open_mnist(folder: str, options: Options) -> Source:
    """MNIST from a folder, by default `mnist` under `CLEARANCE_DATA`.

    Args:
        folder: The folder; empty for the default one.
        options: `train` is read.

    Returns:
        The set, with the digits as class names.
    """
    return load_folder(mnist_folder(folder), train=options.train, class_names=DIGITS)


def open_fashion(folder: str, options: Options) -> Source:
    """Fashion-MNIST from a folder, by default `fashion-mnist` under `CLEARANCE_DATA`.

    Args:
        folder: The folder; empty for the default one.
        options: `train` is read.

    Returns:
        The set, with the garments as class names.
    """
    return load_folder(fashion_folder(folder), train=options.train, class_names=GARMENTS)


def open_idx(place: str, options: Options) -> Source:
    """A folder of idx files under MNIST's names, or a pair of idx files with a comma between them.

    Args:
        place: The folder, or `IMAGES,LABELS`.
        options: `train` is read for a folder.

    Returns:
        The set.

    Raises:
        InputError: If the text is no pair, or the training part of a pair is asked for.
    """
    if path_kind(Path(place)) == "folder":
        return load_folder(Path(place), train=options.train)
    if options.train:
        raise InputError(f"train: expected data with a training part, such as a folder of idx files; {place} has none")
    return load_pair(*_two_paths(place))


def load_folder(folder: Path, *, train: bool = False, class_names: Sequence[str] = ()) -> Source:
    """The test (`t10k`) or training (`train`) part of a folder of idx files under MNIST's names.

    Args:
        folder: Where `t10k-images-idx3-ubyte` or `t10k-images-idx3-ubyte.gz` and its companions lie.
        train: The training part.
        class_names: A name for each class.

    Returns:
        Images of shape `(count, 1, height, width)` in [0, 1], named after the folder and the part.

    Raises:
        FileError: If the folder or a file is missing or damaged.
    """
    require_idx_folder(folder)
    part = "train" if train else "t10k"
    images, labels = (_find(folder, f"{part}-{kind}-ubyte") for kind in ("images-idx3", "labels-idx1"))
    name = f"{folder.resolve().name}-{'train' if train else 'test'}"
    return load_pair(images, labels, name=name, class_names=class_names)


def require_idx_folder(folder: Path) -> None:
    """Raise unless there is a folder.

    Args:
        folder: Where idx files are looked for.

    Raises:
        FileError: If it is missing.
    """
    if path_kind(folder) != "folder":
        place = os.path.realpath(folder)
        raise FileError(f"{place}: {described(folder)}; set {DATA_VARIABLE} to the folder of the data sets")


def require_mnist(place: str) -> None:
    """Raise unless the folder of MNIST is there.

    Args:
        place: The folder; empty for the default one.
    """
    require_idx_folder(mnist_folder(place))


def require_fashion(place: str) -> None:
    """Raise unless the folder of Fashion-MNIST is there.

    Args:
        place: The folder; empty for the default one.
    """
    require_idx_folder(fashion_folder(place))


def require_idx(place: str) -> None:
    """Raise unless a folder, or both files of a pair, are there.

    Args:
        place: The folder, or `IMAGES,LABELS`.
    """
    if path_kind(Path(place)) != "folder":
        for path in _two_paths(place):
            require_file(path)


def mnist_folder(place: str) -> Path:
    """Where MNIST lies: the folder that is named, or `mnist` under `CLEARANCE_DATA`."""
    return Path(place) if place else data_folder() / "mnist"


def fashion_folder(place: str) -> Path:
    """Where Fashion-MNIST lies: the folder that is named, or `fashion-mnist` under `CLEARANCE_DATA`."""
    return Path(place) if place else data_folder() / "fashion-mnist"


def load_pair(images: Path, labels: Path, *, name: str | None = None, class_names: Sequence[str] = ()) -> Source:
    """A pair of idx files, plain or .gz.

    Args:
        images: Unsigned bytes of shape `(count, height, width)` or `(count, channels, height, width)`.
        labels: Unsigned bytes of shape `(count,)`.
        name: What to call the set; by default the name of the images' file.
        class_names: A name for each class.

    Returns:
        Images of shape `(count, channels, height, width)` in [0, 1].

    Raises:
        FileError: If a file is missing or damaged.
        ShapeError: If the first holds no images.
    """
    for path in (images, labels):
        refuse_pickle(path, instead="give idx files or a .npz")
    pixels, classes = read_idx(images), read_idx(labels)
    if pixels.ndim < 2:
        raise ShapeError(f"{images}: expected images of shape (count, *input), not empty, got {pixels.shape}")
    return pixel_source(
        pixels[:, None] if pixels.ndim == 3 else pixels,
        classes,
        name or images.name,
        images_at=str(images),
        labels_at=str(labels),
        class_names=class_names,
    )


def read_idx(path: Path) -> NDArray[np.uint8]:
    """Read one idx file of unsigned bytes (LeCun's format: magic, sizes, data), plain or gzip-compressed.

    Args:
        path: The file. Whether it is compressed is read from its first bytes, not from its name.

    Returns:
        The array, in the file's own shape.

    Raises:
        FileError: If it is absent, truncated, or no idx file of unsigned bytes.
    """
    head = read_bytes(path, most=4 + 4 * MOST_DIMENSIONS)
    shape, start = _read_header(head, path)
    size = math.prod(shape)
    data = read_bytes(path, most=start + size + 1)
    if len(data) - start != size:
        found = max(0, len(data) - start)
        raise FileError(f"{path}: expected {size} bytes of data for shape {shape}, got {found}")
    return np.frombuffer(data, dtype=np.uint8, offset=start).reshape(shape)


def _read_header(data: bytes, path: Path) -> tuple[tuple[int, ...], int]:
    """The shape of an idx file, and where its data begin."""  # noqa: DOC501
    if not data:
        raise FileError(f"{path}: expected an idx file, got an empty one")
    if len(data) < 4 or data[:2] != b"\0\0" or data[2] != IDX_UINT8:
        raise FileError(
            f"{path}: expected an idx file of unsigned bytes (first bytes 00 00 08), got {data[:4].hex(' ')}"
        )
    if data[3] > MOST_DIMENSIONS:
        raise FileError(f"{path}: expected an idx file of at most {MOST_DIMENSIONS} dimensions, got {data[3]}")
    start = 4 + 4 * data[3]
    shape = tuple(int.from_bytes(data[at : at + 4], "big") for at in range(4, start, 4))
    return shape, start


def _find(folder: Path, stem: str) -> Path:
    for path in (folder / stem, folder / f"{stem}.gz"):
        if path.is_file():
            return path
    raise FileError(f"{folder.resolve()}: expected {stem} or {stem}.gz, found neither{_other_kind(folder)}")


def _other_kind(folder: Path) -> str:
    """A hint where a folder of idx files was looked for, and another kind of data begins with its own word."""
    inside = sorted(path.name for path in folder.iterdir()) if os.access(folder, os.R_OK | os.X_OK) else []
    if any(name.startswith(("dataset_", "data-0")) or name.endswith(".parquet") for name in inside):
        return f" (a data set of Hugging Face is hf:{folder})"
    pictures = any(Path(name).suffix.lower() in DATA_KINDS["picture"].endings for name in inside)
    if pictures or "labels.csv" in inside or any(path_kind(folder / name) == "folder" for name in inside):
        return f" (a folder of pictures is folder:{folder})"
    return ""


def _two_paths(text: str) -> tuple[Path, Path]:
    parts = text.split(",")
    if len(parts) != 2 or not all(parts):
        raise InputError(f"data: expected IMAGES,LABELS, two idx files, got {text!r}")
    return Path(parts[0]), Path(parts[1])
