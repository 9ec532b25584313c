"""Input units to 8-bit pixel values and back, and the checks that transforms share."""

from __future__ import annotations

import math

from torch import Tensor

from clearance.errors import InputError

LARGEST_PIXEL = 255
"""The largest value of an 8-bit pixel."""


def to_pixels(x: Tensor, bounds: tuple[float, float]) -> Tensor:
    """Whole pixel values 0 to 255 of an input, rounded and saturated as an 8-bit image file does it.

    Args:
        x: Values in input units.
        bounds: What 0 and 255 stand for.

    Returns:
        The pixel values, in the dtype of `x`.
    """
    low, high = bounds
    return ((x - low) / (high - low) * LARGEST_PIXEL).round().clamp(0, LARGEST_PIXEL)


def from_pixels(pixels: Tensor, bounds: tuple[float, float]) -> Tensor:
    """Pixel values 0 to 255 in input units."""
    low, high = bounds
    return pixels / LARGEST_PIXEL * (high - low) + low


def check_count(name: str, value: object, low: int, high: int | None = None) -> int:
    """A whole number from `low` to `high`.

    Raises:
        InputError: If it is not.
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < low or (high is not None and value > high):
        span = f"of at least {low}" if high is None else f"from {low} to {high}"
        raise InputError(f"{name}: expected a whole number {span}, got {value!r}")
    return value


def check_range(bounds: tuple[float, float]) -> tuple[float, float]:
    """Two finite numbers, low < high.

    Raises:
        InputError: If they are not.
    """
    if len(bounds) != 2 or not -math.inf < bounds[0] < bounds[1] < math.inf:
        raise InputError(f"bounds: expected two finite numbers, low < high, got {bounds!r}")
    return float(bounds[0]), float(bounds[1])
