"""Exponentials, logarithms, powers, roots and the reciprocal, the last three and logarithms of positive numbers.

They have no Lipschitz constant. Where the interval of a root, a reciprocal or a logarithm is not positive, there are no
bounds, and nothing is proved at that radius.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from clearance.certificates.layers.smooth import Map, Piece, Smooth
from clearance.certificates.operations import NotSupportedError

LARGEST_POWER = 16
"""Exponents at most: beyond it an interval of ordinary size leaves the range of floats."""
POSITIVE = (0.0, math.inf)
"""The positive numbers, an open interval."""


def _whole(
    name: str, function: Map, derivative: Map, curvature: int, contact: Map, values: tuple[float, float]
) -> Smooth:
    piece = Piece(-math.inf, math.inf, function, derivative, curvature, contact)
    return Smooth(name, function, derivative, (piece,), values=values)


def _positive(
    name: str, function: Map, derivative: Map, curvature: int, contact: Map, values: tuple[float, float] = POSITIVE
) -> Smooth:
    piece = Piece(0.0, math.inf, function, derivative, curvature, contact)
    return Smooth(name, function, derivative, (piece,), values=values, domain=POSITIVE)


def exponential() -> Smooth:
    """`exp x`: convex; `f' = s` at `log s`."""
    return _whole("exp", torch.exp, torch.exp, 1, lambda s: s.clamp_min(0.0).log(), POSITIVE)


def square() -> Smooth:
    """`x^2`: convex; `f' = s` at `s / 2`."""
    return _whole("square", torch.square, lambda x: 2 * x, 1, lambda s: s / 2, POSITIVE)


def power(exponent: int) -> Smooth:
    """`x^n` for a whole `n >= 2`: convex right of 0; left of it convex for even `n` and concave for odd ones.

    Args:
        exponent: `n`.

    Returns:
        The function.

    Raises:
        NotSupportedError: If `n` is not from 2 to `LARGEST_POWER`.
    """
    if not 2 <= exponent <= LARGEST_POWER:
        raise NotSupportedError(f"expected a power from 2 to {LARGEST_POWER}, got {exponent}")
    if exponent == 2:
        return square()

    def function(x: Tensor) -> Tensor:
        return x**exponent

    def derivative(x: Tensor) -> Tensor:
        return exponent * x ** (exponent - 1)

    def distance(s: Tensor) -> Tensor:
        return (s / exponent) ** (1 / (exponent - 1))

    even = exponent % 2 == 0
    side = -1.0 if even else 1.0  # the sign of the derivative left of 0
    left = Piece(
        -math.inf, 0.0, function, derivative, 1 if even else -1, lambda s: -distance((side * s).clamp_min(0.0))
    )
    right = Piece(0.0, math.inf, function, derivative, 1, lambda s: distance(s.clamp_min(0.0)))
    values = POSITIVE if even else (-math.inf, math.inf)
    return Smooth(f"power {exponent}", function, derivative, (left, right), values=values)


def reciprocal() -> Smooth:
    """`1 / x` of positive numbers: convex; `f' = -1 / x^2 = s` at `(-s)^(-1/2)`."""
    return _positive(
        "reciprocal", torch.reciprocal, lambda x: -1 / x.square(), 1, lambda s: (-s).clamp_min(0.0).abs().rsqrt()
    )


def square_root() -> Smooth:
    """`sqrt x` of positive numbers: concave; `f' = s` at `1 / (4 s^2)`."""
    return _positive("sqrt", torch.sqrt, lambda x: 0.5 * x.rsqrt(), -1, lambda s: 0.25 / s.clamp_min(0.0).square())


def inverse_square_root() -> Smooth:
    """`1 / sqrt x` of positive numbers: convex; `f' = -x^(-3/2) / 2 = s` at `(-2 s)^(-2/3)`."""
    return _positive(
        "rsqrt", torch.rsqrt, lambda x: -0.5 * x.rsqrt() / x, 1, lambda s: (-2 * s).clamp_min(0.0) ** (-2 / 3)
    )


def logarithm() -> Smooth:
    """`log x` of positive numbers: concave; `f' = s` at `1 / s`."""
    values = (-math.inf, math.inf)
    return _positive("log", torch.log, torch.reciprocal, -1, lambda s: 1 / s.clamp_min(0.0), values)
