"""CIFAR-10 from a folder, in the three forms it comes in.

    data_batch_1.bin ... test_batch.bin     the binary version: 3,073 bytes an image (label; red, green, blue planes)
    data_batch_1 ... test_batch             the Python version, read by `data.pickled_batches` without running a pickle
    data_batch_1.webp ... test_batch.webp   one picture a batch: tiles of 32 × 32, row by row; labels in `labels.npz`

Source: Krizhevsky (2009), and the page of the data set for the first two; the third keeps the official order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from clearance.data.dataset import Source, check_classes, pixel_source
from clearance.data.files import PIXEL_LEVELS, check_labels, described, path_kind, read_bytes
from clearance.data.npz import read_npz
from clearance.data.options import DATA_VARIABLE, Options, data_folder
from clearance.data.pickled_batches import read_batch
from clearance.data.pictures import read_levels
from clearance.errors import FileError

SIDE = 32
"""Pixels on each side of an image."""

VALUES = 3 * SIDE * SIDE
"""Values of an image: three planes of pixels."""

OBJECTS = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
"""The classes of CIFAR-10."""

INNER_FOLDERS = ("cifar-10-batches-bin", "cifar-10-batches-py")
"""Folders that the official archives unpack to."""

Batch = tuple[NDArray[np.uint8], NDArray[np.generic]]
"""Images `(count, 3, 32, 32)` and labels `(count,)` of one file."""


def require_cifar10(place: str) -> Path:
    """The folder of CIFAR-10, if it is there.

    Args:
        place: The folder; empty for the default one.

    Returns:
        The folder.

    Raises:
        FileError: If it is missing.
    """
    folder = Path(place) if place else data_folder() / "cifar10"
    if path_kind(folder) != "folder":
        raise FileError(f"{folder}: {described(folder)}; give cifar10:FOLDER, or set {DATA_VARIABLE}")
    return folder


def open_cifar10(place: str, options: Options) -> Source:
    """CIFAR-10 from a folder, by default `cifar10` under `CLEARANCE_DATA`.

    Args:
        place: The folder with the batches, or the one above it; empty for the default one.
        options: `train` is read.

    Returns:
        Images of shape `(count, 3, 32, 32)` in [0, 1].

    Raises:
        FileError: If the folder or a batch is missing or damaged, or there is none in any of the three forms.
    """
    folder = require_cifar10(place)
    stems = [f"data_batch_{number}" for number in range(1, 6)] if options.train else ["test_batch"]
    name = f"cifar10-{'train' if options.train else 'test'}"
    for inside in (folder, *(folder / inner for inner in INNER_FOLDERS)):
        for ending, read in (("bin", _read_binary), ("", _read_python)):
            files = [inside / f"{stem}.{ending}".rstrip(".") for stem in stems]
            if path_kind(files[0]) == "file":
                return _in_memory(files, read, name)
        if path_kind(inside / f"{stems[0]}.webp") == "file":
            return _of_sheets([inside / f"{stem}.webp" for stem in stems], inside / "labels.npz", options, name)
    forms = ", ".join(f"{stems[0]}{ending}" for ending in (".bin", "", ".webp"))
    raise FileError(f"{folder}: expected batches of CIFAR-10 ({forms}), found none")


def _in_memory(files: Sequence[Path], read: Callable[[Path], Batch], name: str) -> Source:
    batches = [read(path) for path in files]
    for path, (images, labels) in zip(files, batches, strict=True):
        check_classes(check_labels(labels, count=len(images), source=str(path)), OBJECTS, str(path))
    pixels = np.concatenate([images for images, _ in batches])
    labels = np.concatenate([labels for _, labels in batches])
    at = str(files[0])
    return pixel_source(pixels, labels, name, images_at=at, labels_at=at, class_names=OBJECTS)


def _read_binary(path: Path) -> Batch:
    data = np.frombuffer(read_bytes(path), dtype=np.uint8)
    if not data.size or data.size % (1 + VALUES):
        raise FileError(
            f"{path}: expected a multiple of {1 + VALUES:,} bytes, one batch of CIFAR-10, got {data.size:,}"
        )
    rows = data.reshape(-1, 1 + VALUES)
    return rows[:, 1:].reshape(-1, 3, SIDE, SIDE), rows[:, 0]


def _read_python(path: Path) -> Batch:
    images, labels = read_batch(path)
    if images.ndim != 2 or images.shape[1] != VALUES or not len(images):
        raise FileError(f"{path}: expected images of {VALUES:,} values each, got an array of shape {images.shape}")
    return images.reshape(-1, 3, SIDE, SIDE), labels


@dataclass(frozen=True)
class _Sheets:
    """Reads tiles of pictures, each picture once for each time that inputs are chosen."""

    files: tuple[Path, ...]
    each: int

    def __call__(self, rows: Sequence[int]) -> NDArray[np.float32]:
        places = np.asarray(rows, dtype=np.int64)
        images = np.empty((len(places), 3, SIDE, SIDE), dtype=np.float32)
        for sheet in np.unique(places // self.each).tolist():
            own = places // self.each == sheet
            images[own] = self.tiles(self.files[sheet])[places[own] % self.each]
        return images / np.float32(PIXEL_LEVELS)

    def tiles(self, path: Path) -> NDArray[np.generic]:
        pixels, _ = read_levels(path)
        height, width = pixels.shape[:2]
        if pixels.ndim != 3 or pixels.dtype != np.uint8 or height % SIDE or width % SIDE:
            raise FileError(f"{path}: expected a colour picture of tiles of {SIDE} × {SIDE}, got {width} × {height}")
        tiles = pixels.reshape(height // SIDE, SIDE, width // SIDE, SIDE, 3).transpose(0, 2, 4, 1, 3)
        if len(tiles) * tiles.shape[1] != self.each:
            got = len(tiles) * tiles.shape[1]
            raise FileError(f"{path}: expected {self.each:,} tiles, as many as the labels say, got {got:,}")
        return tiles.reshape(self.each, 3, SIDE, SIDE)


def _of_sheets(files: Sequence[Path], labels_at: Path, options: Options, name: str) -> Source:
    key = "y_train" if options.train else "y_test"
    stored = read_npz(labels_at, required=(key,))[key]
    labels = check_labels(stored, count=stored.size, source=str(labels_at))
    check_classes(labels, OBJECTS, str(labels_at))
    if not len(labels) or len(labels) % len(files):
        raise FileError(
            f"{labels_at}: expected as many labels in {key} for each of {len(files)} pictures, got {len(labels)}"
        )
    read = _Sheets(tuple(files), len(labels) // len(files))
    return Source(read, labels, name, (0.0, 1.0), tuple(OBJECTS), scale=PIXEL_LEVELS)
