"""An input, its witness and their magnified difference as small pictures; a table of changes where it is no image."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clearance.runs.threat import Feature

Values = NDArray[np.generic]
"""An input or a witness, `(*input)`, of any kind of number."""

Pixels = NDArray[np.uint8]
"""Colours, `(height, width, 3)`."""

FEW_INPUTS = 100
"""Up to so many inputs the pictures of a page may take `SMALL_PAGE` bytes, else `LARGE_PAGE`."""

SMALL_PAGE = 3_000_000
"""Bytes of all pictures of a page of few inputs, before their encoding as text: the page stays below 6 MB."""

LARGE_PAGE = 7_000_000
"""Bytes of all pictures of any other page: with 1,000 inputs and 3 targets it stays below 15 MB."""

MOST_BYTES = 24_000
"""Of one picture, however few there are."""

QUALITIES = (90, 70, 50)
"""WebP qualities that are tried, the best first, where the lossless picture is too large."""

MOST_CHANGES = 20
"""Features in a table of changes."""

DECIMALS_OF_CHANGES = 12
"""Decimals of a value in a table of changes: a 32-bit value has fewer that count."""


@dataclass(frozen=True)
class Drawing:
    """Pictures of one task, as addresses that hold their own data.

    Attributes:
        input: The input.
        witness: The witness; `None` without one.
        difference: Witness less input, magnified, around a middle grey.
        factor: How much it is magnified.
        size: Width and height of the input, in pixels.
    """

    input: str
    witness: str | None
    difference: str | None
    factor: float | None
    size: tuple[int, int]


@dataclass(frozen=True)
class Change:
    """One feature, before and after.

    Attributes:
        place: Its index, one number for each dimension.
        before: Its value in the input.
        after: Its value in the witness.
        name: Its name; empty without one.
        unit: How much of it is one unit of distance; `None` where that is not known.
    """

    place: tuple[int, ...]
    before: float
    after: float
    name: str = ""
    unit: float | None = None

    @property
    def written(self) -> tuple[str, str, str]:
        """Before, after and their difference, in so many digits that each follows from the other two.

        >>> Change((0,), 14749.0, 10459.4).written
        ('14749', '10459', '-4290')
        >>> Change((0,), 68.0, 67.99712).written
        ('68.00000', '67.99712', '-0.00288')
        """
        size = abs(self.after - self.before)
        decimals = min(DECIMALS_OF_CHANGES, max(0, 2 - math.floor(math.log10(size)))) if 0 < size < math.inf else 0
        before, after = (round(value, decimals) for value in (self.before, self.after))
        return f"{before:.{decimals}f}", f"{after:.{decimals}f}", f"{after - before:.{decimals}f}"


def is_picture(shape: Sequence[int]) -> bool:
    """Whether an input of this shape is an image: 1 or 3 channels, at least 2 x 2 pixels.

    >>> is_picture((3, 8, 8)), is_picture((8, 8)), is_picture((1, 1, 8))
    (True, False, False)
    """
    return len(shape) == 3 and shape[0] in (1, 3) and min(shape[1:]) >= 2


class Drawings:
    """Draws the pictures of a run within a budget of bytes.

    Args:
        bounds: The valid range of an input; without one nothing is an image.
        inputs: How many inputs there are.
        tasks: How many tasks; each has a witness and a difference.
    """

    def __init__(self, bounds: tuple[float, float] | None, *, inputs: int, tasks: int) -> None:
        self.bounds = bounds
        budget = SMALL_PAGE if inputs <= FEW_INPUTS else LARGE_PAGE
        self.allowance = min(MOST_BYTES, budget // max(1, inputs + 2 * tasks))
        self._inputs: dict[str, str] = {}

    def holds(self, values: Values) -> bool:
        """Whether an input is an image: 1 or 3 channels, at least 2 x 2 pixels, with known finite bounds."""
        known = (
            self.bounds is not None
            and math.isfinite(self.bounds[1] - self.bounds[0])
            and self.bounds[0] < self.bounds[1]
        )
        return known and is_picture(values.shape)

    def draw(self, key: str, values: Values, witness: Values | None) -> Drawing:
        """The pictures of one task.

        Args:
            key: Of the input's content: each input is drawn once.
            values: The input, `(channels, height, width)`.
            witness: The same for the witness.

        Returns:
            The pictures.
        """
        low, high = self.bounds or (0.0, 1.0)
        before = (np.asarray(values, dtype=np.float64) - low) / (high - low)
        if key not in self._inputs:
            self._inputs[key] = encode(_as_pixels(before), self.allowance)
        size = (values.shape[2], values.shape[1])
        if witness is None:
            return Drawing(self._inputs[key], None, None, None, size)
        after = (np.asarray(witness, dtype=np.float64) - low) / (high - low)
        factor = magnification(after - before)
        difference = _as_pixels(0.5 + factor * (after - before))
        pictures = [encode(pixels, self.allowance) for pixels in (_as_pixels(after), difference)]
        return Drawing(self._inputs[key], *pictures, factor=factor, size=size)


def magnification(difference: NDArray[np.float64]) -> float:
    """The factor, to two digits and never more, that brings the largest change to half of the range; 1 without one.

    >>> magnification(np.array([0.0, -0.013]))
    38.0
    """
    largest = float(np.nan_to_num(np.abs(difference)).max(initial=0.0))
    if not 0 < 0.5 / max(largest, 1e-300) < 1e12:
        return 1.0
    factor = 0.5 / largest
    unit = 10.0 ** (math.floor(math.log10(factor)) - 1)
    return round(math.floor(factor / unit) * unit, 12)


def encode(pixels: Pixels, allowance: int) -> str:
    """Pixels as the address of a WebP picture of at most `allowance` bytes: without loss, then with, then smaller.

    Args:
        pixels: `(height, width, 3)`.
        allowance: Bytes; a picture of 8 x 8 or fewer pixels is kept whatever it weighs.

    Returns:
        A `data:` address.
    """
    from PIL import Image

    picture = Image.fromarray(pixels)
    data = _compress(picture, allowance)
    while len(data) > allowance and max(picture.size) > 8:
        picture = picture.resize((max(1, picture.width // 2), max(1, picture.height // 2)), Image.Resampling.BOX)
        data = _compress(picture, allowance)
    return f"data:image/webp;base64,{base64.b64encode(data).decode()}"


def _compress(picture: Any, allowance: int) -> bytes:
    """The first form that is small enough, else the last."""
    data = b""
    for options in ({"lossless": True}, *({"quality": quality} for quality in QUALITIES)):
        buffer = io.BytesIO()
        picture.save(buffer, format="WEBP", method=2, **options)
        data = buffer.getvalue()
        if len(data) <= allowance:
            break
    return data


def largest_changes(values: Values, witness: Values, features: Sequence[Feature] | None = None) -> tuple[Change, ...]:
    """The features that a witness changes most, in units of distance where these are known.

    Args:
        values: The input, `(*input)`.
        witness: The witness.
        features: Name and unit of each; `None` where they are not known.

    Returns:
        At most `MOST_CHANGES`, the largest first; none that did not change.
    """
    before, after = (np.asarray(array, dtype=np.float64) for array in (values, witness))
    size = np.abs(after - before).ravel()
    if features:
        size = size / np.array([one.unit for one in features])
    order = np.argsort(-size, kind="stable")[:MOST_CHANGES]
    found: list[Change] = []
    for flat in (int(index) for index in order if size[index] > 0):
        place = tuple(int(i) for i in np.unravel_index(flat, before.shape))
        change = Change(place, float(before[place]), float(after[place]))
        found.append(replace(change, name=features[flat].name, unit=features[flat].unit) if features else change)
    return tuple(found)


def _as_pixels(values: NDArray[np.float64]) -> Pixels:
    """Values in [0, 1], `(channels, height, width)`, as colours `(height, width, 3)`."""
    colours = np.repeat(values, 3, axis=0) if values.shape[0] == 1 else values
    levels = np.clip(np.nan_to_num(colours), 0, 1) * 255
    return np.ascontiguousarray(np.rint(levels).astype(np.uint8).transpose(1, 2, 0))
