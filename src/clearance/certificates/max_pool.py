"""Max pooling, as a largest value over windows of the flattened input."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import max_pool2d, pad, unfold

from clearance.certificates.operations import NotSupportedError

Pair = int | tuple[int, ...]


@dataclass(frozen=True)
class Windows:
    """`(lower x)_w <= max over window w <= (upper x)_w + offset_w`: weights `(batch, windows, size)`."""

    lower: Tensor
    upper: Tensor
    offset: Tensor


@dataclass(frozen=True)
class MaxPool:
    """The largest value of each window.

    Attributes:
        name: What to call it.
        index: Places in the flattened input, `(windows, size)`; one past the end where a window leaves the image.
        entries: How many numbers one input has.
        shape: Shape of one input.
        output: Shape of one output.
    """

    name: str
    index: Tensor
    entries: int
    shape: tuple[int, ...]
    output: tuple[int, ...]

    def apply(self, *inputs: Tensor) -> Tensor:
        """The largest value of each window."""
        return self._windows(inputs[0], -torch.inf).amax(2).unflatten(1, self.output)

    def interval(self, lows: Sequence[Tensor], highs: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """It never decreases."""
        return self.apply(lows[0]), self.apply(highs[0])

    def relax(self, low: Tensor, high: Tensor) -> Windows:
        """Lower: the input with the highest lower bound. Upper: one of two, whichever is lower at the middle.

        With `L` the highest lower bound of a window, `max x <= L + sum_i max(x_i - L, 0)`, and each term lies below its
        chord: that is exact where one input exceeds all others. The other is the constant `max u`.
        """
        lows, highs = self._windows(low, -torch.inf), self._windows(high, -torch.inf)
        floor, leader = lows.max(2, keepdim=True)
        lower = torch.zeros_like(lows).scatter(2, leader, 1.0)
        open_ = highs > floor
        excess, width = torch.where(open_, highs - floor, 0.0), torch.where(open_, highs - lows, 1.0)
        upper = (excess / width).scatter(2, leader, 1.0)
        offset = floor[..., 0] - (upper * torch.where(upper > 0, lows, 0.0)).sum(2)
        constant = highs.amax(2)
        spread = torch.where(upper > 0, (highs - lows) / 2, 0.0)
        flat = constant < floor[..., 0] + (upper * spread).sum(2)
        return Windows(lower, torch.where(flat[..., None], 0.0, upper), torch.where(flat, constant, offset))

    def pull(self, coefficients: Tensor, lines: Windows) -> tuple[Sequence[Tensor], Tensor]:
        """Positive coefficients take the lower function, negative ones the upper."""
        flat = coefficients.flatten(2)
        positive, negative = flat.clamp_min(0.0), flat.clamp_max(0.0)
        weights = positive[..., None] * lines.lower[:, None] + negative[..., None] * lines.upper[:, None]
        pulled = weights.new_zeros(*weights.shape[:2], self.entries + 1)
        pulled = pulled.index_add(2, self.index.flatten(), weights.flatten(2))[..., : self.entries]
        return (pulled.unflatten(2, self.shape),), (negative * lines.offset[:, None]).sum(2)

    def lipschitz(self, norm: float) -> Sequence[float]:
        """`k^(1/p)`, k = how many windows an input lies in at most."""
        shared = int(self.index[self.index < self.entries].bincount().max())
        return (float(shared) ** (1 / norm),)

    def _windows(self, x: Tensor, filler: float) -> Tensor:
        flat = pad(x.flatten(1), (0, 1), value=filler)
        return flat[:, self.index]


def make_max_pool(
    shape: tuple[int, ...],
    kernel_size: Pair,
    stride: Pair | None,
    padding: Pair,
    dilation: Pair,
    ceil_mode: bool,
    device: torch.device,
) -> MaxPool:
    """Max pooling of images of one shape; the arguments are those of `torch.nn.functional.max_pool2d`.

    Raises:
        NotSupportedError: If it rounds the number of windows up, or the input is no image.
    """
    if ceil_mode or len(shape) != 3:
        raise NotSupportedError("max pooling: expected images (batch, channels, height, width) and ceil_mode=False")
    channels, height, width = shape
    places = torch.arange(1, height * width + 1, dtype=torch.float64, device=device).reshape(1, 1, height, width)
    step = kernel_size if stride is None else stride
    one = unfold(places, kernel_size, dilation=dilation, padding=padding, stride=step)[0].T.long() - 1
    output = tuple(max_pool2d(places, kernel_size, step, padding, dilation).shape[2:])
    offsets = torch.arange(channels, device=device)[:, None, None] * height * width
    index = torch.where(one < 0, channels * height * width, one + offsets).flatten(0, 1)
    return MaxPool("max pooling", index, channels * height * width, shape, (channels, *output))
