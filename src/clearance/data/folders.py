"""Folders of pictures, and single pictures.

    DIR/CLASS/a.png     a sub-folder for each class; classes are numbered in the order of their names
    DIR/labels.csv      columns file and label (a class index or a name), optionally name; the names of all classes may
                        stand in a file beside it whose name ends with classes.csv (columns label, name)

A folder whose sub-folders are called train, test, val or validation holds such a folder in each of them. Only the
names of files are read until inputs are chosen.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from clearance.data.class_names import numbered, order_classes
from clearance.data.columns import DataTable
from clearance.data.csv_tables import read_csv
from clearance.data.dataset import Source, check_classes
from clearance.data.files import PIXEL_LEVELS, described, path_kind
from clearance.data.options import Options
from clearance.data.picture_sets import Named, PictureReader
from clearance.data.selection import class_index
from clearance.data.table import DATA_KINDS
from clearance.errors import FileError, InputError

LABELS_FILE = "labels.csv"
"""The list of a folder's pictures with their labels."""

CLASSES_ENDING = "classes.csv"
"""The end of the name of the list of classes beside it."""

TEST_PARTS = ("test", "validation", "val")
"""Sub-folders with the part for testing, the first that is there."""

TRAIN_PART = "train"
"""The sub-folder with the part for training."""


def require_pictures(place: str) -> Path:
    """The folder of pictures, if it is there.

    Args:
        place: The folder.

    Returns:
        The folder.

    Raises:
        FileError: If it is missing.
    """
    top = Path(place)
    if path_kind(top) != "folder":
        raise FileError(f"{place}: expected a folder of pictures, got {described(top)}")
    return top


def open_folder(place: str, options: Options) -> Source:
    """A folder of pictures (see the module's text).

    Args:
        place: The folder.
        options: `train`, `resize`, `crop`, `channels` and `class_names` are read.

    Returns:
        Images of shape `(count, channels, height, width)` in [0, 1], named after the folder.

    Raises:
        FileError: If the folder is missing or holds no pictures, or the list of labels is damaged.
        InputError: If a training part is asked for and there is none.
    """
    top = require_pictures(place)
    folder = _part(top, train=options.train)
    part = f"-{folder.name}" if folder != top else ""
    name = f"{top.resolve().name}{part}"
    if path_kind(folder / LABELS_FILE) == "file":
        return _listed(folder, name, options)
    return _by_class(folder, name, options)


def open_picture(place: str, options: Options) -> Source:
    """One picture with its class.

    Args:
        place: The file.
        options: `label` is the class, by name or index; `resize`, `crop`, `channels` and `class_names` are read.

    Returns:
        A set of one image.

    Raises:
        InputError: If there is no class, or no such class.
    """
    names = options.class_names
    if options.label is None:
        raise InputError(f"label: expected the class of {place}, by name or index (--label), got none")
    index = class_index(options.label, names)
    if index is None:
        known = f"an index from 0 to {len(names) - 1} or a class name of the model" if names else "a class index"
        raise InputError(f"label: expected {known}, got {options.label!r}")
    path = Path(place)

    def find(rows: Sequence[int]) -> list[Named]:
        return [(str(path), path) for _ in rows]

    labels = np.array([index], dtype=np.int64)
    return Source(PictureReader(find, options), labels, path.stem, (0.0, 1.0), names, scale=PIXEL_LEVELS)


def _part(folder: Path, *, train: bool) -> Path:
    """The folder itself, or its part for testing or training where it has such parts."""  # noqa: DOC501
    inside = {entry.name for entry in os.scandir(folder) if entry.is_dir() and not entry.name.startswith(".")}
    parts = bool(inside) and inside <= {TRAIN_PART, *TEST_PARTS}
    wanted = (TRAIN_PART,) if train else TEST_PARTS
    found = next((name for name in wanted if name in inside), None) if parts else None
    if train and found is None:
        raise InputError(f"train: expected a sub-folder {TRAIN_PART} with the training part in {folder}, found none")
    if parts and found is None:
        raise FileError(f"{folder}: expected a sub-folder {' or '.join(TEST_PARTS)}, got {', '.join(sorted(inside))}")
    return folder / found if found else folder


def _by_class(folder: Path, name: str, options: Options) -> Source:
    classes = sorted(entry.name for entry in os.scandir(folder) if entry.is_dir() and not entry.name.startswith("."))
    files, labels, others = list[Path](), list[str](), 0
    for one in classes:
        pictures, left_out = _pictures(folder / one)
        files += pictures
        labels += [one] * len(pictures)
        others += left_out
    if not files:
        raise FileError(
            f"{folder}: expected a sub-folder of pictures for each class, or {LABELS_FILE}, found no picture in "
            f"{'any of ' + str(len(classes)) + ' sub-folders' if classes else 'it that has a class'}"
        )
    names = order_classes(classes, options.class_names, str(folder))
    notes = (f"files in {folder} that are no pictures are left out: {others}",) if others else ()
    index = {one: place for place, one in enumerate(names)}
    return _source(files, [index[label] for label in labels], name, names, options, notes)


def _pictures(folder: Path) -> tuple[list[Path], int]:
    """The pictures in a folder and those below it, in the order of their paths, and how many other files there are."""
    endings = DATA_KINDS["picture"].endings
    found, others = list[Path](), 0
    for place, folders, files in os.walk(folder):
        folders.sort()
        for file in files:
            if Path(file).suffix.lower() in endings and not file.startswith("."):
                found.append(Path(place) / file)
            else:
                others += not file.startswith(".")
    return sorted(found), others


def _listed(folder: Path, name: str, options: Options) -> Source:
    listing = folder / LABELS_FILE
    table = read_csv(listing)
    files = [_inside(folder, file, listing, table.lines[row]) for row, file in enumerate(table.texts("file"))]
    known = _named_classes(folder, table)
    labels, names = numbered(table, "label", known or options.class_names, own=bool(known))
    if known:
        check_classes(labels, known, str(listing))
    return _source(files, labels.tolist(), name, names, options)


def _inside(folder: Path, file: str, listing: Path, line: int) -> Path:
    if not file or Path(file).is_absolute() or ".." in Path(file).parts or "\0" in file:
        raise FileError(f"{listing}, line {line}: expected the path of a picture inside the folder, got {file[:80]!r}")
    return folder / file


def _named_classes(folder: Path, table: DataTable) -> tuple[str, ...]:
    """The names of all classes from a list beside the labels, else from the column of names; else empty."""  # noqa: DOC501
    beside = sorted(file.name for file in folder.glob(f"*{CLASSES_ENDING}"))
    found = read_csv(folder / beside[0]) if beside else table
    if "name" not in found.names or not found.is_whole("label"):
        return ()
    by_index = dict(zip(found.whole("label").tolist(), found.texts("name"), strict=True))
    if not beside and set(by_index) != set(range(len(by_index))):
        return ()  # some classes only: the others have no name
    if set(by_index) != set(range(len(by_index))):
        raise FileError(f"{folder / beside[0]}: expected a name for each class from 0 on, got gaps in the column label")
    return tuple(by_index[index] for index in range(len(by_index)))


def _source(
    files: Sequence[Path],
    labels: Sequence[int],
    name: str,
    names: Sequence[str],
    options: Options,
    notes: tuple[str, ...] = (),
) -> Source:
    def find(rows: Sequence[int]) -> list[Named]:
        return [(str(files[row]), files[row]) for row in rows]

    reader, classes = PictureReader(find, options), np.array(labels, dtype=np.int64)
    return Source(reader, classes, name, (0.0, 1.0), tuple(names), scale=PIXEL_LEVELS, notes=notes)
