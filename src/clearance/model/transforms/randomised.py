"""Transforms that draw anew in every forward pass, each from a stream of its own, never from the global generator."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar

import torch
from torch import Tensor, nn

from clearance.errors import InputError, ShapeError
from clearance.model.seeds import check_seed, make_generator

Streams = dict[object, torch.Generator]


class RandomTransform(nn.Module):
    """A transform with its own stream of random numbers: successive forward passes differ.

    Two transforms of the same kind and seed draw the same numbers: give each one in a network its own seed.

    Args:
        seed: Fixes the stream.

    Raises:
        InputError: If the seed is not a whole number.
    """

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        self.seed = check_seed(seed)
        self._streams: Streams = {}

    def restart(self) -> None:
        """Start the stream from its beginning: the next pass draws what the first one drew."""
        self._streams.clear()

    def source(self, x: Tensor) -> tuple[torch.Generator, int]:
        """Where to draw from for a batch, and for how many rows.

        Args:
            x: `(batch, *input)`.

        Returns:
            A generator on the device of `x`, and how many rows to draw: `batch`, or 1 that all rows share within
            `common_draws`.
        """
        common = _COMMON.get()
        if common is None:
            key, streams, keys, rows = x.device, self._streams, (), len(x)
        else:
            key, streams, keys, rows = (id(self), x.device), *common, 1
        if key not in streams:
            streams[key] = make_generator(x.device, self.seed, type(self).__name__, *keys)
        return streams[key], rows


class GaussianNoise(RandomTransform):
    """`x + sigma n`, with `n` standard normal.

    Args:
        sigma: Standard deviation, in input units.
        seed: Fixes the stream.

    Raises:
        InputError: If `sigma` is not positive.

    >>> noise = GaussianNoise(0.1)
    >>> bool((noise(torch.zeros(1, 4)) == noise(torch.zeros(1, 4))).any())
    False
    """

    def __init__(self, sigma: float, *, seed: int = 0) -> None:
        super().__init__(seed)
        if not 0 < sigma < float("inf"):
            raise InputError(f"sigma: expected a positive finite number, got {sigma!r}")
        self.sigma = float(sigma)

    def forward(self, x: Tensor) -> Tensor:
        """Add fresh noise to every value."""
        generator, rows = self.source(x)
        noise = torch.randn(rows, *x.shape[1:], generator=generator, device=x.device, dtype=x.dtype)
        return x + self.sigma * noise

    def extra_repr(self) -> str:
        """The arguments."""
        return f"sigma={self.sigma:g}, seed={self.seed}"


class RandomDrop(RandomTransform):
    """Every value is set to 0 with probability `rate`, independently; the others stay as they are.

    Args:
        rate: Probability to drop a value, in (0, 1).
        seed: Fixes the stream.

    Raises:
        InputError: If `rate` lies outside (0, 1).

    >>> RandomDrop(0.5)(torch.ones(1, 1000)).unique()
    tensor([0., 1.])
    """

    def __init__(self, rate: float, *, seed: int = 0) -> None:
        super().__init__(seed)
        if not 0 < rate < 1:
            raise InputError(f"rate: expected a probability in (0, 1), got {rate!r}")
        self.rate = float(rate)

    def forward(self, x: Tensor) -> Tensor:
        """Drop fresh values."""
        generator, rows = self.source(x)
        uniform = torch.rand(rows, *x.shape[1:], generator=generator, device=x.device, dtype=x.dtype)
        return x * (uniform >= self.rate)

    def extra_repr(self) -> str:
        """The arguments."""
        return f"rate={self.rate:g}, seed={self.seed}"


class RandomCropResize(RandomTransform):
    """A window at a random place, with sides of a random share of the image's, enlarged to the image's own shape.

    The share is uniform in `[smallest, 1]` and the place uniform among those inside the image; each image has its own.
    Enlarging is linear interpolation in both directions, so the transform is linear in `x` for each draw, and
    differentiable. Source: Guo, Rana, Cisse and van der Maaten (2018), section 3.1 (cropping and rescaling).

    Args:
        smallest: The smallest share of a side that a window may have, in (0, 1).
        seed: Fixes the stream.

    Raises:
        InputError: If `smallest` lies outside (0, 1).

    >>> RandomCropResize(0.5)(torch.ones(1, 1, 4, 4)).round(decimals=4).unique()
    tensor([1.])
    """

    def __init__(self, smallest: float, *, seed: int = 0) -> None:
        super().__init__(seed)
        if not 0 < smallest < 1:
            raise InputError(f"smallest: expected a share of a side in (0, 1), got {smallest!r}")
        self.smallest = float(smallest)

    def forward(self, x: Tensor) -> Tensor:
        """Crop and enlarge `(batch, channels, height, width)`.

        Raises:
            ShapeError: If these are not images.
        """
        if x.ndim != 4:
            raise ShapeError(f"RandomCropResize: expected (batch, channels, height, width), got {tuple(x.shape)}")
        generator, rows = self.source(x)
        share, top, left = torch.rand(3, rows, generator=generator, device=x.device, dtype=x.dtype)
        share = self.smallest + (1 - self.smallest) * share
        down = _enlarge(share, top * (1 - share), x.shape[2])
        across = _enlarge(share, left * (1 - share), x.shape[3])
        return down[:, None] @ x @ across[:, None].mT

    def extra_repr(self) -> str:
        """The arguments."""
        return f"smallest={self.smallest:g}, seed={self.seed}"


def _enlarge(share: Tensor, start: Tensor, side: int) -> Tensor:
    """Matrices `(rows, side, side)` that stretch a window of a line of pixels over the whole line, linearly.

    Args:
        share: Length of the window as a share of the side, `(rows,)`.
        start: Where it starts, as a share of the side, `(rows,)`.
        side: Pixels in the line.

    Returns:
        Rows that sum to 1: the weights of the old pixels in each new one.
    """
    pixels = torch.arange(side, device=share.device, dtype=share.dtype)
    centres = start[:, None] * side + (pixels + 0.5) * share[:, None] - 0.5
    return (1 - (centres.clamp(0, side - 1)[:, :, None] - pixels).abs()).clamp(min=0)


_COMMON: ContextVar[tuple[Streams, tuple[object, ...]] | None] = ContextVar("_COMMON", default=None)


@contextmanager
def common_draws(*keys: object) -> Generator[None]:
    """Within it, every random transform draws what `keys` fix, the same for each row; its own stream stands still.

    Args:
        *keys: Seed and number of the draw.
    """
    token = _COMMON.set(({}, keys))
    try:
        yield
    finally:
        _COMMON.reset(token)
