"""Coefficients of linear functions of a value, one row for each function: what the backward bounds pass on.

    Rows          every coefficient, `(batch or 1, rows, *shape)`
    WindowRows    of an image, those inside a window of pixels that each row has at a place of its own; the others are 0

A unit before a convolution depends on a small window of pixels, so its row is a window all the way back to the input:
a hundred numbers where the image has thousands. Where windows stop being small, or a step knows only whole images,
`whole` writes the zeros down.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor
from torch.nn import functional

WORTH_A_WINDOW = 0.6
"""Share of the image's pixels from which on whole rows cost less than windows, which are gathered entry by entry."""

FEW_CHANNELS = 3
"""Channels of a convolution's input up to which one matrix product is faster than torch's transposed convolution."""

Pair = tuple[int, int]
"""A number for the height and one for the width."""


@dataclass(frozen=True)
class Rows:
    """Coefficients of every entry of a value.

    Source: this project.

    Attributes:
        values: `(batch or 1, rows, *shape)`.
    """

    values: Tensor

    def place(self, entries: Tensor) -> Tensor:
        """What stands at each coefficient's entry: `(batch or 1, *shape)` to the shape of `values` or one like it."""
        return entries[:, None]

    def summed(self, terms: Tensor) -> Tensor:
        """The sum over each row, `(batch or 1, rows)`, of terms of the shape of `values`."""
        return terms.flatten(2).sum(2)

    def dot(self, entries: Tensor) -> Tensor:
        """`<row, entries>`, `(batch or 1, rows)`, of entries `(batch or 1, *shape)`."""
        return self.summed(self.values * self.place(entries))

    def replaced(self, values: Tensor) -> Rows:
        """Other coefficients at the same places."""
        return Rows(values)

    def joined(self, other: Rows) -> Rows:
        """These rows, and after them others of the same kind."""
        return Rows(torch.cat([self.values, other.values], 1))

    def whole(self) -> Rows:
        """Every coefficient, the zeros too."""
        return self

    def __add__(self, other: Rows) -> Rows:
        """The sum of the functions, row by row."""
        return Rows(self.values + other.whole().values)


@dataclass(frozen=True)
class WindowRows(Rows):
    """Coefficients of the entries inside a window of an image; all others are zero, and so are those off the image.

    Source: this project.

    Attributes:
        values: `(batch or 1, rows, height, width, channels)` of the windows.
        corner: Row and column of each window's first pixel, `(rows, 2)`; may lie off the image.
        shape: `(channels, height, width)` of the image.
    """

    corner: Tensor
    shape: tuple[int, ...]

    @cached_property
    def _pixels(self) -> tuple[Tensor, Tensor]:
        """Row and column of each pixel of each window, `(rows, height, 1)` and `(rows, 1, width)`."""
        height, width = self.values.shape[2:4]
        device = self.corner.device
        down = self.corner[:, :1] + torch.arange(height, device=device)
        right = self.corner[:, 1:] + torch.arange(width, device=device)
        return down[:, :, None], right[:, None]

    @cached_property
    def _index(self) -> Tensor:
        """Place of each pixel in the flat image, `(rows, height, width)`; some pixel of it where it lies off it."""
        (_, height, width), (down, right) = self.shape, self._pixels
        return down.clamp(0, height - 1) * width + right.clamp(0, width - 1)

    @cached_property
    def on_image(self) -> Tensor:
        """Which pixels lie on the image, `(rows, height, width, 1)`."""
        (_, height, width), (down, right) = self.shape, self._pixels
        return ((down >= 0) & (down < height) & (right >= 0) & (right < width))[..., None]

    def place(self, entries: Tensor) -> Tensor:
        """As for `Rows`; off the image stands the number of some pixel, whose coefficient is 0."""
        if entries.shape[2:] == (1, 1):  # one number for each channel
            return entries[:, None, None, None, :, 0, 0]
        flat = entries.flatten(2).transpose(1, 2)
        return flat[:, self._index]

    def replaced(self, values: Tensor) -> WindowRows:
        """Other coefficients at the same places."""
        return WindowRows(values, self.corner, self.shape)

    def joined(self, other: Rows) -> Rows:
        """These rows, and after them others with windows of the same size."""
        assert isinstance(other, WindowRows)
        return WindowRows(torch.cat([self.values, other.values], 1), torch.cat([self.corner, other.corner]), self.shape)

    def whole(self) -> Rows:
        """Every coefficient of the image, `(batch or 1, rows, channels, height, width)`."""
        (channels, height, width), (down, right) = self.shape, self._pixels
        before = (-self.corner).amax(0).clamp_min(0).tolist()
        after = (self.corner.amax(0) + torch.tensor(self.values.shape[2:4], device=self.corner.device)).tolist()
        sides = [b + max(size, end) for b, size, end in zip(before, (height, width), after, strict=True)]
        found = self.values.new_zeros(len(self.values), len(self.corner), *sides, channels)
        one = torch.arange(len(self.corner), device=self.corner.device)[:, None, None]
        found[:, one, down + before[0], right + before[1]] = self.values
        inner = found[:, :, before[0] : before[0] + height, before[1] : before[1] + width]
        return Rows(inner.movedim(4, 2))

    def __add__(self, other: Rows) -> Rows:
        """The sum of the functions, row by row: windows where those of both lie alike in every row."""
        if not isinstance(other, WindowRows):
            return Rows(self.whole().values + other.values)
        apart = other.corner - self.corner
        if bool((apart != apart[:1]).any()):
            return Rows(self.whole().values + other.whole().values)
        shift = [int(pixels) for pixels in apart[0]]
        first = [min(pixels, 0) for pixels in shift]
        sides = zip(self.values.shape[2:4], other.values.shape[2:4], shift, first, strict=True)
        size = [max(own, away + its) - start for own, its, away, start in sides]
        values = self._widened([-start for start in first], size)
        values = values + other._widened([away - start for away, start in zip(shift, first, strict=True)], size)
        return windows(values, self.corner + self.corner.new_tensor(first), self.shape)

    def _widened(self, before: Sequence[int], size: Sequence[int]) -> Tensor:
        """The coefficients in a window of another size, `before` pixels from its top and left."""
        height, width = self.values.shape[2:4]
        sides = (0, 0, before[1], size[1] - before[1] - width, before[0], size[0] - before[0] - height)
        return functional.pad(self.values, sides)


def pair(value: int | Sequence[int]) -> Pair:
    """A number for each side of an image, from one for both or one for each.

    >>> pair(3), pair([1, 2])
    ((3, 3), (1, 2))
    """
    both = (value, value) if isinstance(value, int) else tuple(value)
    return both[0], both[-1]


def windows(values: Tensor, corner: Tensor, shape: tuple[int, ...]) -> Rows:
    """Rows of windows, or whole ones where the windows are no longer small.

    Args:
        values: `(batch or 1, rows, height, width, channels)`, zero off the image.
        corner: Row and column of each window's first pixel, `(rows, 2)`.
        shape: `(channels, height, width)` of the image.

    Returns:
        The rows.
    """
    made = WindowRows(values, corner, shape)
    small = values.shape[2] * values.shape[3] < WORTH_A_WINDOW * shape[1] * shape[2]
    return made if small else made.whole()


def in_parts(entries: Tensor, size: int) -> Iterator[Tensor]:
    """Some entries at a time, each part made when it is asked for: `torch.split` makes all, a million views at once.

    Args:
        entries: `(count,)`.
        size: How many at a time.

    Yields:
        The parts, in order.

    >>> [part.tolist() for part in in_parts(torch.arange(3), 2)]
    [[0, 1], [2]]
    """
    for start in range(0, len(entries), size):
        yield entries[start : start + size]


def unit_rows(entries: Tensor, shape: tuple[int, ...], like: Tensor) -> Rows:
    """For each of some entries of a value the function that returns it: of an image, as a window of one pixel.

    Args:
        entries: Places in the flat value, `(rows,)`.
        shape: Shape of the value.
        like: A tensor of the wanted dtype and device.

    Returns:
        The rows, for every input alike.

    >>> unit_rows(torch.tensor([2]), (3,), torch.zeros(())).values
    tensor([[[0., 0., 1.]]])
    """
    if len(shape) != 3 or shape[1] * shape[2] == 1:
        one = torch.arange(math.prod(shape), device=entries.device)
        return Rows((entries[:, None] == one).to(like.dtype).reshape(1, -1, *shape))
    channels, height, width = shape
    channel, pixel = entries // (height * width), entries % (height * width)
    one = (channel[:, None] == torch.arange(channels, device=entries.device)).to(like.dtype)
    corner = torch.stack([pixel // width, pixel % width], 1)
    return windows(one[None, :, None, None], corner, shape)


def convolve_back(
    rows: WindowRows, weight: Tensor, stride: Pair, padding: Pair, dilation: Pair, groups: int, shape: tuple[int, ...]
) -> Rows:
    """`J^T` of a convolution on windows of its output: windows of its input.

    The window of one output pixel begins at `stride * pixel - padding`. Source: this project; the transposed
    convolution.

    Args:
        rows: Windows of the convolution's output.
        weight: Its kernels, `(filters, channels / groups, height, width)`.
        stride: Of the convolution, as all that follows.
        padding: Pixels of zeros around the input.
        dilation: Distance of a kernel's entries.
        groups: Groups of channels.
        shape: `(channels, height, width)` of its input.

    Returns:
        Rows of its input.
    """
    if groups == 1 and weight.shape[1] <= FEW_CHANNELS:
        return spread_back(rows, _kernel_parts(rows, weight, dilation), stride, padding, shape)
    images = rows.values.flatten(0, 1).permute(0, 3, 1, 2)
    back = functional.conv_transpose2d(images, weight, None, stride, 0, 0, groups, dilation)
    return _back(rows, back.permute(0, 2, 3, 1), stride, padding, shape)


def _kernel_parts(rows: WindowRows, weight: Tensor, dilation: Pair) -> list[tuple[Pair, Tensor]]:
    """What each entry of a kernel makes of the windows, and where it goes."""
    high, wide = weight.shape[2:]
    spread = rows.values @ weight.permute(0, 2, 3, 1).flatten(1)
    parts = spread.unflatten(-1, (high, wide, weight.shape[1]))
    return [((i * dilation[0], j * dilation[1]), parts[..., i, j, :]) for i in range(high) for j in range(wide)]


def spread_back(
    rows: WindowRows, parts: Sequence[tuple[Pair, Tensor]], stride: Pair, padding: Pair, shape: tuple[int, ...]
) -> Rows:
    """As `convolve_back`, for a step whose weights differ from place to place.

    Args:
        rows: Windows of the step's output.
        parts: For each entry of its window, how far down and right it lies, and coefficients of the shape of
            `rows.values` that go there.
        stride: Pixels between two windows of the step.
        padding: Pixels around its input.
        shape: `(channels, height, width)` of its input.

    Returns:
        Rows of its input.
    """
    high, wide = rows.values.shape[2:4]
    batch = max(len(part) for _, part in parts)
    reach = [max(offset[side] for offset, _ in parts) + 1 for side in (0, 1)]
    last = ((high - 1) * stride[0], (wide - 1) * stride[1])
    found = rows.values.new_zeros(batch, rows.values.shape[1], last[0] + reach[0], last[1] + reach[1], shape[0])
    for (down, right), part in parts:
        found[:, :, down : down + last[0] + 1 : stride[0], right : right + last[1] + 1 : stride[1]] += part
    return _back(rows, found.flatten(0, 1), stride, padding, shape)


def _back(rows: WindowRows, values: Tensor, stride: Pair, padding: Pair, shape: tuple[int, ...]) -> Rows:
    """Windows of a step's input, `(batch * rows, ...)`, from those of its output; what is off the image is zero."""
    corner = rows.corner * rows.corner.new_tensor(stride) - rows.corner.new_tensor(padding)
    made = WindowRows(values.unflatten(0, (-1, len(rows.corner))), corner, shape)
    inside = made.on_image
    kept = made.values if bool(inside.all()) else made.values * inside
    return windows(kept, corner, shape)
