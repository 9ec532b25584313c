"""Max pooling, as a largest value over windows of the flattened input."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import adaptive_max_pool2d, max_pool2d, pad, unfold

from clearance.certificates.builder import Builder, Ref
from clearance.certificates.operations import Interval, Linearised, NotSupportedError, refuse
from clearance.certificates.rows import Pair, Rows, WindowRows, pair, spread_back

Sides = int | tuple[int, ...]
"""A number of pixels, or one for each side of an image."""


@dataclass(frozen=True)
class WindowBounds:
    """`lower_w <= max over window w <= upper_w`, both linear: see `MaxPool.relax`.

    Attributes:
        pool: The step.
        lower: Coefficients of the lower function, `(batch, windows, size)`; it has no offset.
        upper: Coefficients of the upper function, `(batch, windows, size)`.
        offset: Of the upper function, `(batch, windows)`.
    """

    pool: MaxPool
    lower: Tensor
    upper: Tensor
    offset: Tensor

    def bound_backward(self, rows: Rows) -> tuple[Sequence[Rows], Tensor]:
        """Positive coefficients take the lower function, negative ones the upper (Zhang et al. 2018, theorem 3.2)."""
        offset = rows.summed(rows.values.clamp_max(0.0) * rows.place(self.offset.unflatten(1, self.pool.output)))
        if isinstance(rows, WindowRows) and self.pool.offsets:
            return (self._of_windows(rows),), offset
        return (self._of_images(rows.whole()),), offset

    def _of_images(self, rows: Rows) -> Rows:
        flat = rows.values.flatten(2)[..., None]
        weights = flat * torch.where(flat > 0, self.lower[:, None], self.upper[:, None])
        entries = self.pool.entries
        found = weights.new_zeros(*weights.shape[:2], entries + 1)
        found = found.index_add(2, self.pool.index.flatten(), weights.flatten(2))[..., :entries]
        return Rows(found.unflatten(2, self.pool.shape))

    def _of_windows(self, rows: WindowRows) -> Rows:
        pool, positive = self.pool, rows.values > 0

        def part(place: int) -> Tensor:
            lower, upper = (one[..., place].unflatten(1, pool.output) for one in (self.lower, self.upper))
            return rows.values * torch.where(positive, rows.place(lower), rows.place(upper))

        parts = [(offset, part(place)) for place, offset in enumerate(pool.offsets)]
        return spread_back(rows, parts, pool.stride, pool.padding, pool.shape)


@dataclass(frozen=True)
class MaxPool:
    """The largest value of each window.

    Source: `max x_i >= x_k` for the input with the largest lower bound, and a maximum is at most any bound of all its
    inputs.

    Attributes:
        name: What to call it.
        index: Places in the flattened input, `(windows, size)`; one past the end where a window leaves the image.
        entries: How many numbers one input has.
        shape: Shape of one input.
        output: Shape of one output.
        offsets: How far down and right of a window's first pixel each of its inputs lies; none where windows differ.
        stride: Pixels between two windows.
        padding: Pixels around the image.
        entrywise: Windows mix entries.
    """

    name: str
    index: Tensor
    entries: int
    shape: tuple[int, ...]
    output: tuple[int, ...]
    offsets: Sequence[Pair] = ()
    stride: Pair = (1, 1)
    padding: Pair = (0, 0)
    entrywise: bool = False

    def apply(self, *inputs: Tensor) -> Tensor:
        """The largest value of each window: `(batch, *shape)` to `(batch, *output)`."""
        return self._windows(inputs[0], -torch.inf).amax(2).unflatten(1, self.output)

    def interval(self, lows: Sequence[Tensor], highs: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """The largest value never decreases: `max l <= max x <= max u` for each window."""
        return self.apply(lows[0]), self.apply(highs[0])

    def relax(self, low: Tensor, high: Tensor) -> WindowBounds:
        """Lower: the input with the highest lower bound. Upper: one of two, whichever is lower at the middle.

        With `L` the highest lower bound of a window, `max x <= L + sum_i max(x_i - L, 0)`, and each term lies below its
        chord: that is exact where one input exceeds all others. The other is the constant `max u`. Source: this
        project.

        Args:
            low: `l`, `(batch, *shape)`.
            high: `u`, `(batch, *shape)`.

        Returns:
            The bounds.
        """
        lows, highs = self._windows(low, -torch.inf), self._windows(high, -torch.inf)
        floor, leader = lows.max(2, keepdim=True)
        lower = torch.zeros_like(lows).scatter(2, leader, 1.0)
        active = highs > floor
        excess, width = torch.where(active, highs - floor, 0.0), torch.where(active, highs - lows, 1.0)
        upper = (excess / width).scatter(2, leader, 1.0)
        offset = floor[..., 0] - (upper * torch.where(upper > 0, lows, 0.0)).sum(2)
        constant = highs.amax(2)
        spread = torch.where(upper > 0, (highs - lows) / 2, 0.0)
        flat = constant < floor[..., 0] + (upper * spread).sum(2)
        return WindowBounds(self, lower, torch.where(flat[..., None], 0.0, upper), torch.where(flat, constant, offset))

    def linearise(self, at: Tensor) -> Linearised:
        """The largest entry of each window at the input; another one exceeds it by `max(u_i) - l` at most."""
        leader = self._windows(at, -torch.inf).argmax(2, keepdim=True)
        place = self.index.gather(1, leader[0])[:, 0]

        def of_leader(values: Tensor) -> Tensor:
            return values.flatten(1)[:, place].unflatten(1, self.output)

        def remainder(box: Interval) -> Interval:
            others = self._windows(box[1], -torch.inf).scatter(2, leader, -torch.inf).amax(2).unflatten(1, self.output)
            excess = (others - of_leader(box[0])).clamp_min(0.0)
            return torch.zeros_like(excess), excess

        return Linearised(of_leader, remainder)

    def undecided(self, low: Tensor, high: Tensor) -> Tensor:
        """Inputs that may be the largest of a window in which another one may be it too."""
        lows, highs = self._windows(low, -torch.inf), self._windows(high, -torch.inf)
        floor, leader = lows.max(2, keepdim=True)
        able = highs > floor
        contested = able.scatter(2, leader, False).any(2, keepdim=True)
        open_to = (able & contested).to(low.dtype)
        found = low.new_zeros(len(low), self.entries + 1)
        found = found.index_add(1, self.index.flatten(), open_to.flatten(1))[:, : self.entries]
        return found.unflatten(1, self.shape) > 0

    def lipschitz(self, norm: float) -> Sequence[float]:
        """`k^(1/p)`, k = how many windows an input lies in at most.

        Each output changes by at most the largest change in its window, so `sum |dy|^p <= k sum |dx|^p`. Source: this
        project.
        """
        shared = int(self.index[self.index < self.entries].bincount().max())
        return (float(shared) ** (1 / norm),)

    def _windows(self, x: Tensor, filler: float) -> Tensor:
        flat = pad(x.flatten(1), (0, 1), value=filler)
        return flat[:, self.index]


def make_max_pool(
    shape: tuple[int, ...],
    kernel_size: Sides,
    stride: Sides | None,
    padding: Sides,
    dilation: Sides,
    ceil_mode: bool,
    device: torch.device,
) -> MaxPool:
    """Max pooling of images of one shape; the arguments are those of `torch.nn.functional.max_pool2d`.

    Raises:
        NotSupportedError: If the input is no image.
    """
    if len(shape) != 3:
        raise NotSupportedError("max pooling: expected images (batch, channels, height, width)")
    places = _places(shape, device)
    step = kernel_size if stride is None else stride
    output = tuple(max_pool2d(places, kernel_size, step, padding, dilation, ceil_mode).shape[2:])
    kernel, steps, before, apart = (pair(value) for value in (kernel_size, step, padding, dilation))
    needed = [(o - 1) * s + a * (k - 1) + 1 for o, s, a, k in zip(output, steps, apart, kernel, strict=True)]
    after = [n - side - b for n, side, b in zip(needed, shape[1:], before, strict=True)]  # rounded up, or left over
    places = pad(places, (before[1], after[1], before[0], after[0]))
    one = unfold(places, kernel, dilation=apart, stride=steps)[0].T.long() - 1
    offsets = [(i * apart[0], j * apart[1]) for i in range(kernel[0]) for j in range(kernel[1])]
    return replace(_on_channels(one, shape, output), offsets=offsets, stride=steps, padding=before)


def make_adaptive_max_pool(shape: tuple[int, ...], output_size: Any, device: torch.device) -> MaxPool:
    """Max pooling over the windows of `torch.nn.functional.adaptive_max_pool2d`, which differ in size.

    Window `i` of `n` on a side of `m` entries is `floor(i m / n) ... ceil((i + 1) m / n) - 1`.

    Raises:
        NotSupportedError: If the input is no image.
    """
    if len(shape) != 3:
        raise NotSupportedError("max pooling: expected images (batch, channels, height, width)")
    places = _places(shape, device)
    output = tuple(adaptive_max_pool2d(places, output_size).shape[2:])
    ranges = [
        [range(i * side // count, -(-(i + 1) * side // count)) for i in range(count)]
        for side, count in zip(shape[1:], output, strict=True)
    ]
    windows = [
        [row * shape[2] + column for row in rows for column in columns] for rows in ranges[0] for columns in ranges[1]
    ]
    size = max(len(window) for window in windows)
    one = torch.tensor([window + [-1] * (size - len(window)) for window in windows], device=device)
    return _on_channels(one, shape, output)


def _places(shape: tuple[int, ...], device: torch.device) -> Tensor:
    """The entries of one channel numbered from 1, `(1, 1, height, width)`."""
    height, width = shape[1:]
    return torch.arange(1, height * width + 1, dtype=torch.float64, device=device).reshape(1, 1, height, width)


def _on_channels(one: Tensor, shape: tuple[int, ...], output: tuple[int, ...]) -> MaxPool:
    """The windows of one channel, `(windows, size)` with -1 outside, on each channel."""
    channels, entries = shape[0], math.prod(shape)
    offsets = torch.arange(channels, device=one.device)[:, None, None] * (entries // channels)
    index = torch.where(one < 0, entries, one + offsets).flatten(0, 1)
    return MaxPool("max pooling", index, entries, shape, (channels, *output))


def max_pool(  # noqa: PLR0917
    build: Builder,
    x: Ref,
    kernel_size: Sides,
    stride: Sides | None = None,
    padding: Sides = 0,
    dilation: Sides = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Ref:
    """The largest value of each window: `(batch, channels, height, width)` to `(batch, channels, height', width')`."""
    if return_indices:
        refuse("indices of the largest values")
    return build.add(make_max_pool(x.shape, kernel_size, stride, padding, dilation, ceil_mode, build.device), x)


def max_pool_1d(  # noqa: PLR0917
    build: Builder,
    x: Ref,
    kernel_size: Sides,
    stride: Sides | None = None,
    padding: Sides = 0,
    dilation: Sides = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Ref:
    """The largest value of each window: `(batch, channels, length)` to `(batch, channels, length')`."""
    if return_indices or len(x.shape) != 2:
        refuse("indices of the largest values, or expected (batch, channels, length)")
    size, step = pair(kernel_size)[0], pair(kernel_size if stride is None else stride)[0]
    image = (x.shape[0], 1, x.shape[1])
    options = ((1, size), (1, step), (0, pair(padding)[0]), (1, pair(dilation)[0]), ceil_mode)
    return _lengthwise(build, make_max_pool(image, *options, build.device), x)


def adaptive_max_pool(build: Builder, x: Ref, output_size: Any, return_indices: bool = False) -> Ref:
    """The largest value of windows that give images of `output_size`: `(batch, channels, height, width)` to that."""
    if return_indices:
        refuse("indices of the largest values")
    return build.add(make_adaptive_max_pool(x.shape, output_size, build.device), x)


def adaptive_max_pool_1d(build: Builder, x: Ref, output_size: Any, return_indices: bool = False) -> Ref:
    """The largest value of windows that give `output_size` of them: `(batch, channels, length)` to that length."""
    if return_indices or len(x.shape) != 2:
        refuse("indices of the largest values, or expected (batch, channels, length)")
    (count,) = (output_size,) if isinstance(output_size, int) else output_size
    image = (x.shape[0], 1, x.shape[1])
    return _lengthwise(build, make_adaptive_max_pool(image, (1, count), build.device), x)


def _lengthwise(build: Builder, pool: MaxPool, x: Ref) -> Ref:
    """A pool of images of height 1 as one of `(batch, channels, length)`."""
    return build.add(replace(pool, shape=x.shape, output=(pool.output[0], pool.output[2])), x)
