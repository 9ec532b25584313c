"""What a reader of data is told beside the place of the data."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

Size = int | tuple[int, int]
"""A size of images: one number, or height and width."""

DATA_VARIABLE = "CLEARANCE_DATA"
"""The environment variable that names the folder of the data sets."""


@dataclass(frozen=True)
class Options:
    """What a reader is told; each kind of data takes some of it (`data.table`).

    Attributes:
        train: The training part instead of the test part.
        resize: Images are resized to this: their shorter side to one number, or to height and width.
        crop: The centre of this size is kept, after `resize`.
        channels: 1: pictures become grey; 3: grey ones get three equal channels; `None`: as the set's first picture.
        label: Name of the column of labels; for a single picture its class, by name or index.
        fixed: Names of columns that cannot move.
        movable: Names of columns that can, although they are fixed by default.
        bounds_file: A CSV file of valid ranges: feature, low, high.
        class_names: The classes in the order of a model's outputs; labels that are text are looked up there.
    """

    train: bool = False
    resize: Size | None = None
    crop: Size | None = None
    channels: int | None = None
    label: str | None = None
    fixed: tuple[str, ...] = ()
    movable: tuple[str, ...] = ()
    bounds_file: str | None = None
    class_names: tuple[str, ...] = ()

    def given(self) -> dict[str, object]:
        """The options that say something, by name, apart from the class names, which any kind of data may ignore."""
        values: dict[str, object] = {
            "train": self.train,
            "resize": self.resize,
            "crop": self.crop,
            "channels": self.channels,
            "label": self.label,
            "fixed": self.fixed,
            "movable": self.movable,
            "bounds_file": self.bounds_file,
        }
        return {name: value for name, value in values.items() if value}


def data_folder() -> Path:
    """The folder of the data sets: `CLEARANCE_DATA`, or `../shared/data` from the current folder."""
    return Path(os.environ.get(DATA_VARIABLE) or "../shared/data")
