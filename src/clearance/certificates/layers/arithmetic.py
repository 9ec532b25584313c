"""Sums, and products with constants that broadcast over one input.

For how a function here is called see `shapes`. A product of two values is not affine (`products`); that of a value with
itself is its square. Division is by a constant or by a positive value.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from clearance.certificates.builder import Builder, Ref, Size
from clearance.certificates.layers.powers import (
    exponential,
    inverse_square_root,
    power,
    reciprocal,
    square,
    square_root,
)
from clearance.certificates.layers.products import product
from clearance.certificates.layers.rearrangement import Repeated
from clearance.certificates.operations import refuse
from clearance.certificates.rows import Rows, WindowRows


def times(build: Builder, x: Ref, scale: Any, shift: Any = 0.0) -> Ref:
    """`scale x + shift`, entry by entry: `(batch, *shape)` and constants that broadcast over `(1, *shape)`."""
    scale, shift = (torch.as_tensor(value, dtype=build.like.dtype, device=build.device) for value in (scale, shift))
    if any(value.ndim > len(x.shape) and value.shape[0] != 1 for value in (scale, shift)):
        refuse("a constant with a batch of its own")
    return build.affine(
        "scaling",
        lambda t: t * scale + shift,
        x,
        absolute=lambda t: t * scale.abs() + torch.zeros_like(shift),
        windowed=_windowed(x.shape, scale, shift),
        entrywise=True,
    )


def _windowed(shape: tuple[int, ...], scale: Tensor, shift: Tensor) -> Callable[[WindowRows], Rows] | None:
    """Windows of an image times a constant, where the result has the image's shape."""
    whole = (1, *shape)
    if len(shape) != 3 or torch.broadcast_shapes(whole, scale.shape, shift.shape) != whole:
        return None
    fits = scale.reshape((1,) * (4 - scale.ndim) + scale.shape)
    factor = fits.expand(1, shape[0], 1, 1) if fits.shape[2:] == (1, 1) else fits.expand(whole)
    return lambda rows: rows.replaced(rows.values * rows.place(factor))


def _sum_back(rows: WindowRows) -> tuple[Rows, Rows]:
    return rows, rows


def _difference_back(rows: WindowRows) -> tuple[Rows, Rows]:
    return rows, rows.replaced(-rows.values)


def add(build: Builder, a: Any, b: Any) -> Any:
    """`a + b`: two values of the same rank, or a value `(batch, *shape)` and a constant."""
    if isinstance(a, Ref) and isinstance(b, Ref):
        _same_rank(a, b)
        windowed = _sum_back if a.shape == b.shape else None
        return build.combine("addition", torch.add, a, b, windowed=windowed)
    return _with_constant(build, a, b, lambda x, c: times(build, x, 1.0, c))


def subtract(build: Builder, a: Any, b: Any) -> Any:
    """`a - b`: two values of the same rank, or a value `(batch, *shape)` and a constant."""
    if isinstance(a, Ref) and isinstance(b, Ref):
        _same_rank(a, b)
        windowed = _difference_back if a.shape == b.shape else None
        return build.combine("subtraction", torch.sub, a, b, absolute=torch.add, windowed=windowed)
    if isinstance(a, Ref):
        return _with_constant(build, a, b, lambda x, c: times(build, x, 1.0, -c))
    return _with_constant(build, a, b, lambda x, c: times(build, x, -1.0, c))


def multiply(build: Builder, a: Any, b: Any) -> Any:
    """`a b`, entry by entry: two values of the same rank, or a value `(batch, *shape)` and a constant."""
    if isinstance(a, Ref) and isinstance(b, Ref):
        return build.add(square(), a) if a == b else product(build, a, b)
    return _with_constant(build, a, b, lambda x, c: times(build, x, c))


def divide(build: Builder, x: Any, constant: Any) -> Ref:
    """`x / c`, entry by entry: a value `(batch, *shape)` by a constant, or either by a positive value."""
    if isinstance(constant, Ref):
        return multiply(build, x, build.add(reciprocal(), constant))
    return _with_constant(build, x, constant, lambda x, c: times(build, x, 1 / c))


def negative(build: Builder, x: Ref) -> Ref:
    """`-x`, `(batch, *shape)` to the same."""
    return times(build, x, -1.0)


def raised(build: Builder, x: Any, exponent: Any) -> Ref:
    """`x ** n`, entry by entry, for a whole `n` from 1 on, -1, 1/2 or -1/2, or `c ** x` for a number `c > 0`.

    Shapes: `(batch, *shape)` to the same.
    """
    if isinstance(exponent, Ref) and isinstance(x, int | float) and x > 0:
        return build.add(exponential(), times(build, exponent, math.log(x)))
    if not isinstance(x, Ref) or not isinstance(exponent, int | float):
        refuse("a power that is not a number")
    if exponent == 1:
        return times(build, x, 1.0)
    roots = {-1.0: reciprocal, 0.5: square_root, -0.5: inverse_square_root}
    if float(exponent) in roots:
        return build.add(roots[float(exponent)](), x)
    if float(exponent) != int(exponent):
        refuse(f"the power {exponent:g}")
    return build.add(power(int(exponent)), x)


def _same_rank(a: Ref, b: Ref) -> None:
    if len(a.shape) != len(b.shape):
        refuse("two values of different rank")


def as_constant(build: Builder, value: Any) -> Tensor:
    """A number, a tensor or what is repeated for each input as a constant."""
    if isinstance(value, Size):
        refuse("a value that depends on the batch")
    value = value.value if isinstance(value, Repeated) else value
    return torch.as_tensor(value, dtype=build.like.dtype, device=build.device)


def _with_constant(build: Builder, a: Any, b: Any, function: Callable[[Ref, Tensor], Ref]) -> Any:
    if isinstance(a, Size) or isinstance(b, Size):
        refuse("a value that depends on the batch")
    value, constant = (a, b) if isinstance(a, Ref) else (b, a)
    if isinstance(constant, Ref) or not isinstance(value, Ref):
        refuse("no value and a constant")
    return function(value, as_constant(build, constant))


def on_sizes(compute: Callable[[Any, Any], Any], otherwise: Callable[..., Any]) -> Callable[..., Any]:
    """An operator on sizes gives a size; on values it is the step `otherwise`."""

    def handle(build: Builder, a: Any, b: Any) -> Any:
        if any(isinstance(part, Size) for part in (a, b)) and not any(isinstance(part, Ref) for part in (a, b)):
            return Size(compute(*(part.value if isinstance(part, Size) else part for part in (a, b))))
        if compute is operator.floordiv:
            refuse("a division that rounds")
        return otherwise(build, a, b)

    return handle
