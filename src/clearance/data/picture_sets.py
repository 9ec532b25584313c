"""Several pictures as one array: of one size, and of one number of channels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from clearance.data.options import Options
from clearance.data.pictures import read_picture
from clearance.errors import InputError, ShapeError

Named = tuple[str, Path | bytes]
"""What a picture is called in messages, and the file or its content."""


@dataclass(frozen=True)
class PictureReader:
    """Reads the pictures of a set by their places; where no number of channels is asked for, its first picture says it.

    Attributes:
        find: The pictures at these places.
        options: `resize`, `crop` and `channels` are read.
    """

    find: Callable[[Sequence[int]], Sequence[Named]]
    options: Options

    def __post_init__(self) -> None:
        """Check the number of channels."""  # noqa: DOC501
        if self.options.channels not in (None, 1, 3):
            raise InputError(f"channels: expected 1 or 3, got {self.options.channels}")

    def __call__(self, rows: Sequence[int]) -> NDArray[np.float32]:
        """The pictures at these places, `(count, channels, height, width)`.

        Args:
            rows: Places in the set.

        Returns:
            Values in [0, 1].

        Raises:
            ShapeError: If two of them differ in size, or one has colours in a set that begins with a grey picture.
        """
        found: list[NDArray[np.float32]] = []
        first = ""
        for name, source in self.find(rows):
            picture = self._read(name, source)
            if found and picture.shape != found[0].shape:
                sizes = f"{first} has {_size(found[0])}, {name} has {_size(picture)}"
                raise ShapeError(f"expected pictures of one size, got others: {sizes}; give --resize and --crop")
            found.append(picture)
            first = first or name
        return np.stack(found)

    def _read(self, name: str, source: Path | bytes) -> NDArray[np.float32]:
        asked = self.options
        grey = asked.channels == 1
        picture = read_picture(source, name, resize=asked.resize, crop=asked.crop, grey=grey)
        if asked.channels is None:
            grey, first = self._first
            if grey and len(picture) > 1:
                got = "got one in colours; give --channels"
                raise ShapeError(f"{name}: expected a grey picture as {first}, the first of the set, {got}")
        return picture if grey or len(picture) > 1 else picture.repeat(3, axis=0)

    @cached_property
    def _first(self) -> tuple[bool, str]:
        """Whether the first picture of the set is grey, and what it is called."""
        ((name, source),) = self.find([0])
        return len(read_picture(source, name)) == 1, name


def _size(picture: NDArray[np.float32]) -> str:
    return f"{picture.shape[1]}x{picture.shape[2]}"
