"""Steps that move, repeat or take apart the entries of a value, and stack several: permutations, chunks, `expand`.

For how a function here is called see `shapes`. None of them may touch the batch, the first dimension. Chunks and the
like are tuples of values.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from clearance.certificates.builder import Builder, Ref, Size
from clearance.certificates.operations import refuse


@dataclass(frozen=True)
class Repeated:
    """A constant `(1, *shape)` that a network repeats for each input, such as a class token."""

    value: Tensor


def moved(method: str) -> Callable[..., Ref]:
    """What stands for a method that puts the sides of a value in another order, such as `permute`."""

    def handle(build: Builder, x: Ref, *args: Any, **kwargs: Any) -> Ref:
        function = getattr(torch.Tensor, method)
        return build.affine("permutation", lambda t: function(t, *args, **kwargs), x, entrywise=True)

    return handle


def parts(method: str) -> Callable[..., tuple[Ref, ...]]:
    """What stands for `chunk`, `split` and `tensor_split` along a side that is not the batch."""

    def handle(build: Builder, x: Ref, sizes: Any, dim: int = 0) -> tuple[Ref, ...]:
        _not_the_batch(x, dim)
        places = torch.arange(x.shape[dim % _rank(x) - 1])
        ranges = [(int(part[0]), len(part)) for part in getattr(places, method)(sizes) if len(part)]
        return tuple(
            build.affine("part", lambda t, start=start, size=size: t.narrow(dim, start, size), x, entrywise=True)
            for start, size in ranges
        )

    return handle


def chunk(build: Builder, x: Ref, chunks: int, dim: int = 0) -> tuple[Ref, ...]:
    """`chunks` parts along a side."""
    return parts("chunk")(build, x, chunks, dim)


def split(build: Builder, x: Ref, *sizes: Any, dim: int = 0, **named: Any) -> tuple[Ref, ...]:
    """Parts of given sizes along a side; their name is another one in the method than in the function of torch."""
    given = [*sizes, *named.values()]
    return parts("split")(build, x, given[0], given[1] if len(given) > 1 else dim)


def unbind(build: Builder, x: Ref, dim: int = 0) -> tuple[Ref, ...]:
    """The slices along a side."""
    _not_the_batch(x, dim)
    count = x.shape[dim % _rank(x) - 1]
    return tuple(select(build, x, dim, place) for place in range(count))


def select(build: Builder, x: Ref, dim: int, index: int) -> Ref:
    """One slice along a side."""
    _not_the_batch(x, dim)
    return build.affine("part", lambda t: t.select(dim, index), x, entrywise=True)


def narrow(build: Builder, x: Ref, dim: int, start: int, length: int) -> Ref:
    """A range along a side."""
    _not_the_batch(x, dim)
    return build.affine("part", lambda t: t.narrow(dim, start, length), x, entrywise=True)


def stack(build: Builder, tensors: Sequence[Any], dim: int = 0) -> Ref:
    """Values side by side along a new side, which is not the first."""
    if not all(isinstance(value, Ref) for value in tensors) or dim % (_rank(tensors[0]) + 1) == 0:
        refuse("with constants, or along the batch")

    def stacked(*given: Tensor) -> Tensor:
        return torch.stack(given, dim)

    return build.combine("stack", stacked, *tensors)


def expand(build: Builder, x: Any, *sizes: Any) -> Any:
    """Sides of one entry repeated: of a value, or a constant `(1, *shape)` for each input of the batch."""
    given = list(sizes[0]) if len(sizes) == 1 and isinstance(sizes[0], tuple | list) else list(sizes)
    if not given:
        refuse("without sizes")
    if isinstance(x, Tensor):
        if not isinstance(given[0], Size) or x.shape[0] != 1 or len(given) != x.ndim:
            refuse("of a constant, but not for each input of the batch")
        return Repeated(x.expand(1, *given[1:]))
    own = isinstance(given[0], Size) or given[0] == -1
    if len(given) != _rank(x) or not own or any(isinstance(size, Size) for size in given[1:]):
        refuse("that touches the batch")
    return build.affine("expansion", lambda t: t.expand(-1, *given[1:]), x)


def repeat(build: Builder, x: Ref, *repeats: Any) -> Ref:
    """The value side by side with itself: `(batch, *shape)` to larger sides."""
    given = list(repeats[0]) if len(repeats) == 1 and isinstance(repeats[0], tuple | list) else list(repeats)
    if len(given) != _rank(x) or given[0] != 1:
        refuse("that touches the batch")
    return build.affine("repetition", lambda t: t.repeat(*given), x)


def roll(build: Builder, x: Ref, shifts: Any, dims: Any = ()) -> Ref:
    """Entries moved around along sides that are not the batch."""
    _not_the_batch(x, dims)
    return build.affine("permutation", lambda t: t.roll(shifts, dims), x, entrywise=True)


def flip(build: Builder, x: Ref, *sides: Any, dims: Any = ()) -> Ref:
    """Entries in reverse order along sides that are not the batch."""
    dims = sides or (dims,)
    given = list(dims[0]) if len(dims) == 1 and isinstance(dims[0], tuple | list) else list(dims)
    _not_the_batch(x, given)
    return build.affine("permutation", lambda t: t.flip(given), x, entrywise=True)


def _rank(x: Ref) -> int:
    return len(x.shape) + 1


def _not_the_batch(x: Ref, dims: int | Sequence[int]) -> None:
    """Refuse sides that include the batch, or none, which stands for all of them."""
    given = [dims] if isinstance(dims, int) else list(dims)
    if not given or any(dim % _rank(x) == 0 for dim in given):
        refuse("along the batch")
