"""Piecewise linear and piecewise quadratic functions that may fall somewhere or have a jump; see `smooth`."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from clearance.certificates.builder import Builder, Ref
from clearance.certificates.layers.activations import leaky_relu
from clearance.certificates.layers.smooth import Map, Piece, Smooth
from clearance.certificates.operations import NotSupportedError, Operation, refuse


def _line(low: float, high: float, slope: float, offset: float = 0.0) -> Piece:
    return Piece(low, high, lambda x: slope * x + offset, lambda x: torch.full_like(x, slope))


def _derivative(pieces: list[Piece]) -> Map:
    """The derivative of the piece that a point lies in, the last one at a kink."""

    def derivative(x: Tensor) -> Tensor:
        found = torch.zeros_like(x)
        for piece in pieces:
            found = torch.where(x >= piece.low, piece.derivative(x), found)
        return found

    return derivative


def absolute() -> Smooth:
    """`f(x) = |x|`; a kink at 0."""
    pieces = [_line(-math.inf, 0.0, -1.0), _line(0.0, math.inf, 1.0)]
    return Smooth("abs", torch.abs, _derivative(pieces), pieces, 1.0, (0.0, math.inf))


def hardsigmoid() -> Smooth:
    """`f(x) = min(max(x + 3, 0), 6) / 6`; kinks at -3 and 3."""
    pieces = [_line(-math.inf, -3.0, 0.0), _line(-3.0, 3.0, 1 / 6, 0.5), _line(3.0, math.inf, 0.0, 1.0)]
    return Smooth("Hardsigmoid", functional.hardsigmoid, _derivative(pieces), pieces, 1 / 6, (0.0, 1.0))


def hardswish() -> Smooth:
    """`f(x) = x min(max(x + 3, 0), 6) / 6`: 0, then `x (x + 3) / 6`, then `x`; kinks at -3 and 3, where `f' <= 1.5`."""
    middle = Piece(-3.0, 3.0, lambda x: x * (x + 3) / 6, lambda x: x / 3 + 0.5, 1, lambda s: 3 * s - 1.5)
    pieces = [_line(-math.inf, -3.0, 0.0), middle, _line(3.0, math.inf, 1.0)]
    return Smooth("Hardswish", functional.hardswish, _derivative(pieces), pieces, 1.5)


def softshrink(lambd: float = 0.5) -> Smooth:
    """`x + lambd`, 0 and `x - lambd`, with kinks at `-lambd` and `lambd`.

    Raises:
        NotSupportedError: If `lambd` is negative.
    """
    _check_threshold(lambd)
    pieces = [_line(-math.inf, -lambd, 1.0, lambd), _line(-lambd, lambd, 0.0), _line(lambd, math.inf, 1.0, -lambd)]
    return Smooth("Softshrink", lambda x: functional.softshrink(x, lambd), _derivative(pieces), pieces, 1.0)


def hardshrink(lambd: float = 0.5) -> Smooth:
    """`x`, 0 and `x`, with jumps at `-lambd` and `lambd`: there both values are within the bounds.

    Raises:
        NotSupportedError: If `lambd` is negative.
    """
    _check_threshold(lambd)
    pieces = [_line(-math.inf, -lambd, 1.0), _line(-lambd, lambd, 0.0), _line(lambd, math.inf, 1.0)]
    return Smooth("Hardshrink", lambda x: functional.hardshrink(x, lambd), _derivative(pieces), pieces)


def _check_threshold(lambd: float) -> None:
    if not 0 <= lambd < math.inf:
        raise NotSupportedError(f"expected lambd >= 0, got {lambd:g}")


def leaky(negative_slope: float = 0.01) -> Operation:
    """LeakyReLU of any slope: `x` right of 0, `negative_slope x` left of it.

    Raises:
        NotSupportedError: If the slope is not finite.
    """
    if 0 <= negative_slope <= 1:
        return leaky_relu(negative_slope)
    if not math.isfinite(negative_slope):
        raise NotSupportedError(f"expected a finite negative_slope, got {negative_slope:g}")
    slope = torch.tensor(negative_slope, dtype=torch.float64)
    return _two_slopes("LeakyReLU", lambda x: functional.leaky_relu(x, negative_slope), slope)


def prelu(build: Builder, x: Ref, weight: Any) -> Ref:
    """PReLU, `(batch, channels, *)` to the same: `x` right of 0, `weight x` left of it, one weight or one a channel."""
    if not isinstance(weight, Tensor):
        refuse("a weight that is a value")
    slopes = weight.detach().to(build.like)
    if len(slopes.shape) != 1 or (slopes.numel() != 1 and slopes.numel() != x.shape[0]):
        refuse("weights that are not one or one for each channel")
    if not bool(slopes.isfinite().all()):
        refuse("weights that are not finite")
    slope = slopes.reshape(1, -1, *[1] * (len(x.shape) - 1)) if slopes.numel() > 1 else slopes[0]
    return build.add(_two_slopes("PReLU", lambda t: functional.prelu(t, slopes), slope), x)


def _two_slopes(name: str, function: Map, slope: Tensor) -> Smooth:
    left = Piece(-math.inf, 0.0, lambda x: slope.to(x) * x, lambda x: slope.to(x).expand_as(x))
    pieces = [left, _line(0.0, math.inf, 1.0)]
    return Smooth(name, function, _derivative(pieces), pieces, max(1.0, float(slope.abs().max())))
