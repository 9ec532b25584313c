"""Products of matrices, of values and constants, and the largest and the smallest of two values.

`max(a, b) = a + max(b - a, 0)` needs nothing new. For how a function here is called see `shapes`.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from clearance.certificates.builder import Builder, Ref
from clearance.certificates.layers.activations import relu, sigmoid
from clearance.certificates.layers.arithmetic import add, as_constant, multiply, subtract
from clearance.certificates.layers.linear import matmul as by_matrix
from clearance.certificates.layers.products import Product, expanded
from clearance.certificates.layers.rearrangement import Repeated, chunk
from clearance.certificates.operations import refuse


def matmul(build: Builder, a: Any, b: Any) -> Ref:
    """`a b` as matrices: of two values, or of a value and a constant matrix on either side.

    Shapes: `(batch, *, n, k)` and `(batch, *, k, m)` to `(batch, *, n, m)`, or without the batch for a constant.
    """
    if isinstance(a, Ref) and isinstance(b, Ref):
        if len(a.shape) != len(b.shape) or len(a.shape) < 2:
            refuse("a product of matrices that are not `(batch, *, rows, columns)` of the same rank")
        sides = tuple(torch.broadcast_shapes(a.shape[:-2], b.shape[:-2]))
        parts = (expanded(build, value, (*sides, *value.shape[-2:])) for value in (a, b))
        return build.add(Product("matrix product", matrices=True), *parts)
    if isinstance(a, Ref):
        return by_matrix(build, a, b)
    if not isinstance(b, Ref) or len(b.shape) < 2 or not isinstance(a, Tensor) or a.ndim != 2:
        refuse("a product that is not of a value and a matrix")
    return build.affine(
        "linear",
        lambda t: a @ t,
        b,
        absolute=lambda t: a.abs() @ t,
        transpose=lambda rows: a.mT @ rows,
        mixes=True,
    )


def gated(build: Builder, x: Ref, dim: int = -1) -> Ref:
    """`a sigmoid(b)` of the halves `a` and `b` of a side: `(batch, *shape)` to half of that side (GLU)."""
    a, b = chunk(build, x, 2, dim)
    return multiply(build, a, build.add(sigmoid(), b))


def maximum(build: Builder, a: Any, b: Any) -> Ref:
    """`max(a, b) = a + max(b - a, 0)`, entry by entry: two values of the same rank, or a value and a constant."""
    a, b = (value if isinstance(value, Ref) else as_constant(build, value) for value in (a, b))
    return add(build, a, build.add(relu(), subtract(build, b, a)))


def largest(build: Builder, x: Ref, other: Any) -> Ref:
    """`torch.max` and the method `max` with two values; of one, along a side, it has no bounds here."""
    if not isinstance(other, Ref | Tensor | Repeated):
        refuse("the largest entry along a side")
    return maximum(build, x, other)


def smallest(build: Builder, x: Ref, other: Any) -> Ref:
    """`torch.min` and the method `min` with two values; of one, along a side, it has no bounds here."""
    if not isinstance(other, Ref | Tensor | Repeated):
        refuse("the smallest entry along a side")
    return minimum(build, x, other)


def minimum(build: Builder, a: Any, b: Any) -> Ref:
    """`min(a, b) = a - max(a - b, 0)`, entry by entry: two values of the same rank, or a value and a constant."""
    a, b = (value if isinstance(value, Ref) else as_constant(build, value) for value in (a, b))
    return subtract(build, a, build.add(relu(), subtract(build, a, b)))
