"""Every kind of data in one table: how it is written on the command line, and which file reads it."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Kind:
    """One kind of data.

    Attributes:
        form: How it is written, for messages and documents.
        meaning: What it is.
        where: The function that opens it, as `package.module:name`.
        options: Names of the options it takes (`data.options`).
        endings: Endings of files of this kind; none where a name says the kind.
        extra: The extra of the package that it needs; empty where it needs none.
        alone: Whether its name alone is a set.
        colon: Whether its name goes before a colon and a place.
        check: Function that raises where nothing lies at the place, as `package.module:name`, without torch; empty
            where the name or its ending is enough to look for it.
        quick: Whether a file of moderate size is opened in no time, and what is wrong with it told before torch is
            imported.
    """

    form: str
    meaning: str
    where: str
    options: tuple[str, ...] = ()
    endings: tuple[str, ...] = ()
    extra: str = ""
    alone: bool = False
    colon: bool = False
    check: str = ""
    quick: bool = False

    def load(self) -> Any:
        """The function that opens it: it takes the place and the options, and returns a `Source`."""
        return _named(self.where)

    def check_place(self, place: str) -> None:
        """Raise where nothing lies at the place."""
        if self.check:
            _named(self.check)(place)


def _named(where: str) -> Any:
    module, _, name = where.partition(":")
    return getattr(importlib.import_module(module), name)


_TABULAR = ("label", "fixed", "movable", "bounds_file")
_PICTURES = ("resize", "crop", "channels")

DATA_KINDS = {
    "digits": Kind(
        "digits",
        "1,797 handwritten digits of 8 × 8 pixels; they come with scikit-learn",
        "clearance.data.digits:open_digits",
        ("train",),
        alone=True,
    ),
    "mnist": Kind(
        "mnist[:FOLDER]",
        "MNIST, idx files, gzip-compressed or not",
        "clearance.data.idx:open_mnist",
        ("train",),
        alone=True,
        colon=True,
        check="clearance.data.idx:require_mnist",
    ),
    "fashion-mnist": Kind(
        "fashion-mnist[:FOLDER]",
        "Fashion-MNIST, in the same form",
        "clearance.data.idx:open_fashion",
        ("train",),
        alone=True,
        colon=True,
        check="clearance.data.idx:require_fashion",
    ),
    "cifar10": Kind(
        "cifar10[:FOLDER]",
        "CIFAR-10: binary batches, Python batches (read without running a pickle), or one picture of tiles each",
        "clearance.data.cifar10:open_cifar10",
        ("train",),
        alone=True,
        colon=True,
        check="clearance.data.cifar10:require_cifar10",
    ),
    "folder": Kind(
        "folder:DIR",
        "pictures: a sub-folder for each class, or a file labels.csv (file, label)",
        "clearance.data.folders:open_folder",
        ("train", *_PICTURES),
        colon=True,
        check="clearance.data.folders:require_pictures",
    ),
    "hf": Kind(
        "hf:PATH",
        "a Hugging Face data set as it was saved to disk, or its Parquet files",
        "clearance.data.hugging_face:open_hugging_face",
        ("train", *_TABULAR, *_PICTURES),
        extra="hf",
        colon=True,
        check="clearance.data.hugging_face:require_rows",
    ),
    "npz": Kind(
        "FILE.npz",
        "arrays images and labels, optionally bounds, names, fixed coordinates",
        "clearance.data.npz:open_npz",
        endings=(".npz",),
        quick=True,
    ),
    "csv": Kind(
        "FILE.csv",
        "a table with a line of column names and a column of labels",
        "clearance.data.csv_tables:open_csv",
        _TABULAR,
        endings=(".csv", ".tsv"),
        quick=True,
    ),
    "parquet": Kind(
        "FILE.parquet",
        "a table or pictures in Parquet",
        "clearance.data.hugging_face:open_parquet",
        (*_TABULAR, *_PICTURES),
        endings=(".parquet",),
        extra="export",
    ),
    "picture": Kind(
        "PICTURE.png",
        "one picture, with its class as --label",
        "clearance.data.folders:open_picture",
        ("label", *_PICTURES),
        endings=(".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm"),
    ),
    "idx": Kind(
        "FOLDER or IMAGES,LABELS",
        "idx files: a folder of them under MNIST's names, or two of them",
        "clearance.data.idx:open_idx",
        ("train",),
        check="clearance.data.idx:require_idx",
    ),
}
"""Name -> how it is written, what it is, which function opens it. A name with a colon, or alone, says the kind."""


def describe_data() -> str:
    """What DATA may be, in one sentence."""
    return f"{', '.join(kind.form for kind in DATA_KINDS.values())} (`clearance docs data` has an example of each)."
