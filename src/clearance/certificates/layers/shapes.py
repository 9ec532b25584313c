"""Reshapes, indexing, padding, concatenation, and the sizes that networks ask for.

Each function takes the `Builder` and then exactly the arguments of the step that it stands for, so that Python itself
sorts out positions, keywords and defaults; an argument that is not foreseen is a `TypeError`, which refuses the step.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from clearance.certificates.builder import Builder, Ref, Size
from clearance.certificates.layers.rearrangement import Repeated
from clearance.certificates.operations import refuse


def keep(_: Builder, x: Ref, *__: Any, **___: Any) -> Ref:
    """The identity, `(batch, *shape)` to the same."""
    return x


def dropout(_: Builder, x: Ref, p: float = 0.5, training: bool = True) -> Ref:
    """The identity in evaluation, `(batch, *shape)` to the same."""
    if training and p > 0:
        refuse("dropout that stays on in evaluation")
    return x


def reshaped(method: str) -> Callable[..., Ref]:
    """What stands for a method that gives the numbers of `(batch, *shape)` another shape, the batch first."""

    def handle(build: Builder, x: Ref, *args: Any, **kwargs: Any) -> Ref:
        if any(isinstance(value, torch.dtype) for value in (*args, *kwargs.values())):
            refuse("the same memory as numbers of another type")
        return build.reshape(x, getattr(torch.Tensor, method)(x.meta, *_plain(args), **kwargs))

    return handle


def _plain(value: Any) -> Any:
    if isinstance(value, Size):
        return value.value
    if isinstance(value, tuple | list):
        return type(value)(_plain(item) for item in value)
    return value


def size(_: Builder, x: Ref, dim: int | None = None) -> Size:
    """The shape of a value, or one side of it."""
    return Size(x.meta.shape if dim is None else x.meta.shape[dim])


def rank(_: Builder, x: Ref) -> int:
    """How many dimensions a value has."""
    return x.meta.ndim


def attribute(build: Builder, x: Ref, name: str) -> Size | int | Ref:
    """`x.shape`, `x.ndim`, or the transposed matrices `x.mT`."""
    if name == "mT" and len(x.shape) > 1:
        return build.affine("permutation", lambda t: t.mT, x, entrywise=True)
    if name == "shape":
        return Size(x.meta.shape)
    if name != "ndim":
        refuse(f"the attribute {name}")
    return x.meta.ndim


def item(build: Builder, x: Any, index: Any) -> Any:
    """`x[index]` of a value (basic indexing that leaves the batch alone), of a shape, or of several values."""
    if isinstance(x, Size):
        return Size(x.value[index])
    if isinstance(x, tuple):
        return x[index]  # pyright: ignore[reportUnknownVariableType]
    first = index[0] if isinstance(index, tuple) else index
    basic = all(part is None or part is Ellipsis or isinstance(part, int | slice) for part in _listed(index))
    if not basic or first not in (slice(None), Ellipsis):
        refuse("indexing that is not basic or touches the batch")
    return build.affine("indexing", lambda t: t[index], x, entrywise=True)


def _listed(index: Any) -> Sequence[Any]:
    return index if isinstance(index, tuple) else (index,)


def pad(build: Builder, x: Ref, pad: Sequence[int], mode: str = "constant", value: float | None = None) -> Ref:
    """Padding with a constant: `(batch, *shape)` to larger sides, as `torch.nn.functional.pad` counts them."""
    if mode != "constant" or len(pad) > 2 * len(x.shape):
        refuse(f"padding mode {mode}, or of the batch")
    return build.affine("padding", lambda t: functional.pad(t, list(pad), value=value or 0.0), x, entrywise=True)


def concatenate(build: Builder, tensors: Sequence[Any], dim: int = 0) -> Ref:
    """Values and `Repeated` constants, `(batch, *shape)` each, one after the other along a side but the batch."""
    values = [value for value in tensors if isinstance(value, Ref)]
    known = all(isinstance(value, Ref | Repeated) for value in tensors)
    if not known or not values or dim % (len(values[0].shape) + 1) == 0:
        refuse("with constants, or along the batch")

    def joined(*parts: Tensor) -> Tensor:
        rest = iter(parts)
        batch = len(parts[0])
        given = (
            value.value.to(parts[0]).expand(batch, *value.value.shape[1:])
            if isinstance(value, Repeated)
            else next(rest)
            for value in tensors
        )
        return torch.cat(list(given), dim)

    return build.combine("concatenation", joined, *values)
