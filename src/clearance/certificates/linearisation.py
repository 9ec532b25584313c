"""A network as its linear part at the input and a remainder: intervals of every unit for some forward passes.

Every value is `v(x) = v(x0) + J (x - x0) + e(x)`, with `J` what the steps' derivatives at `x0` make of the input. The
remainder `e` is a zonotope: a center, a column for each unit that is not linear, a radius for the rest.

    affine step             W maps center and columns, |W| the radius
    f, entry by entry       f(z) = f(z0) + s (z - z0) + rho with s = f'(z0): s maps all of them, and where rho, the
                            extremes of f(z) - s z on the interval less its value at z0, is not zero, its middle joins
                            the center and its half width is a new column
    any other step          J = 0; its interval is center and radius

How far `J (x - x0)` falls and rises on a ball of radius `r` is `r` times a number of each unit that does not depend on
`r`: it is computed once, from one forward pass for each entry of the input, and serves every radius that is tried.
Where few units change sign, the interval is as good as a backward bound of that unit, and it costs no pass of its own.

Source: this project (affine arithmetic, Stolfi and de Figueiredo 1997, as Singh et al. 2018 have it for networks;
Hölder's inequality for the ball).
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field

import torch
from torch import Tensor

from clearance.certificates.graph import Graph
from clearance.certificates.operations import Affine, Interval, Linearisable, Linearised
from clearance.certificates.rows import in_parts
from clearance.geometry.norms import dual_norm

WORTH_LINEARISING = 4.0
"""How many units there have to be for each entry of the input: the linear part costs a forward pass for each entry."""
COLUMNS = 16
"""Columns at a time, at most: the images of so many fit the caches."""
FORETOLD, HOPELESS = 4, 2.0
"""After so many parts the time for the others is foretold; given up if it is so many times what is left."""
LARGEST_COLUMNS = 2**24
"""Numbers in the columns of one value at most, 128 MiB in float64."""


@dataclass(frozen=True)
class Remainder:
    """A zonotope `center + columns^T [-1, 1] + radius [-1, 1]` of each entry of a value.

    Attributes:
        center: `(1, *shape)`.
        columns: One for each unit that is not linear on its interval, in the order of the steps, `(columns, *shape)`;
            those that are missing at the end are zero.
        radius: Of all else, `(1, *shape)`, >= 0.
    """

    center: Tensor
    columns: Tensor
    radius: Tensor

    def spread(self) -> Tensor:
        """How far a value may lie from the center, `(1, *shape)`."""
        return sum((part.abs().sum(0, keepdim=True) for part in self.columns.split(COLUMNS)), self.radius)


def without_remainder(like: Tensor) -> Remainder:
    """The remainder of the input, which has none, `(1, *input)`."""
    zero = torch.zeros_like(like)
    return Remainder(zero, zero[:0], zero)


@dataclass(frozen=True)
class Linearisation:
    """The linear part of a network at one input; `linearise` makes it.

    Source: see the module.

    Attributes:
        graph: The network.
        at: Each value at the input, `(1, *shape)`.
        steps: Each step that is not affine and takes one value, as a linear map and its remainder.
        fall: Of each value that feeds a step that is not affine, how far its linear part falls on a ball of radius 1.
        rise: How far it rises.
    """

    graph: Graph
    at: list[Tensor]
    steps: dict[int, Linearised]
    fall: dict[int, Tensor] = field(default_factory=dict[int, Tensor])
    rise: dict[int, Tensor] = field(default_factory=dict[int, Tensor])

    def interval(self, index: int, radius: float, remainder: Remainder) -> Interval:
        """Bounds of a value on the ball from its linear part and its remainder."""
        middle, spread = self.at[index] + remainder.center, remainder.spread()
        return middle - radius * self.fall[index] - spread, middle + radius * self.rise[index] + spread

    def remainder(self, index: int, before: list[Remainder], box: list[Interval]) -> Remainder:
        """The remainder of a value.

        Args:
            index: Its number; not the input's.
            before: The remainders of the earlier values.
            box: Intervals of all values up to this one.

        Returns:
            The remainder.
        """
        step = self.graph.step(index)
        given = [before[i] for i in step.inputs]
        if isinstance(step.operation, Affine):
            return _through(step.operation, given)
        if index not in self.steps:
            low, high = box[index]
            return Remainder((low + high) / 2 - self.at[index], low[:0], (high - low) / 2)
        linear, (one,) = self.steps[index], given
        low, high = linear.remainder(box[step.inputs[0]])
        columns, rest = _new_columns((high - low) / 2, self._most_columns(index) - len(one.columns))
        columns = torch.cat([linear.forward(one.columns), columns])
        return Remainder(
            linear.forward(one.center) + (low + high) / 2, columns, linear.forward(one.radius).abs() + rest
        )

    def _most_columns(self, index: int) -> int:
        """How many columns a value may have: no more than the input has entries, so that they cost what `J` did."""
        widest = max(math.prod(shape) for shape in self.graph.shapes[index:])
        return min(self.at[0].numel(), LARGEST_COLUMNS // widest)


def _through(operation: Affine, given: list[Remainder]) -> Remainder:
    """What an affine step makes of remainders."""
    center = operation.apply(*(one.center for one in given)) - operation.constant
    radius = operation.absolute(*(one.radius for one in given))
    count = max(len(one.columns) for one in given)
    if count == 0:
        return Remainder(center, center[:0], radius)
    padded = [
        torch.cat([one.columns, one.columns.new_zeros(count - len(one.columns), *one.columns.shape[1:])])
        for one in given
    ]
    parts = zip(*(columns.split(COLUMNS) for columns in padded), strict=True)
    return Remainder(center, torch.cat([operation.apply(*part) - operation.constant for part in parts]), radius)


def _new_columns(half: Tensor, most: int) -> tuple[Tensor, Tensor]:
    """A column for each of the largest half widths, as many as there may be, and what is left of them."""
    flat = half.flatten()
    places = flat.nonzero().flatten()
    if len(places) > most:
        places = flat.topk(max(most, 0)).indices.sort().values
    columns = half.new_zeros(len(places), flat.numel())
    columns[torch.arange(len(places), device=half.device), places] = flat[places]
    rest = flat.clone()
    rest[places] = 0.0
    return columns.reshape(-1, *half.shape[1:]), rest.reshape(half.shape)


def linearise(
    graph: Graph,
    x: Tensor,
    norm: float,
    bounds: tuple[Tensor, Tensor] | None,
    *,
    until: float = math.inf,
) -> Linearisation | None:
    """The linear part of a network at one input.

    Source: see the module; `fall` and `rise` are support functions of the directions open at the input.

    Args:
        graph: The network.
        x: The input, `(1, *input)`.
        norm: The `p` of the ball.
        bounds: Lowest and highest valid values; `None` for none.
        until: When to be done, by `time.perf_counter`.

    Returns:
        The linear part; `None` where that would take longer, as soon as that is seen.
    """
    at = graph.values(x)
    steps = {
        place: operation.linearise(at[graph.step(place).inputs[0]])
        for place, operation in graph.nonlinear.items()
        if isinstance(operation, Linearisable)
    }
    sums = _Sums(dual_norm(norm), *_open(x, bounds))
    began, size = time.perf_counter(), min(COLUMNS, graph.fitting())
    parts = math.ceil(x.numel() / size)
    for done, some in enumerate(in_parts(torch.arange(x.numel(), device=x.device), size)):
        now = time.perf_counter()
        if now > until or (done >= FORETOLD and (now - began) / done * (parts - done) > HOPELESS * (until - now)):
            return None
        one = x.new_zeros(len(some), x.numel()).scatter_(1, some[:, None], 1.0)
        columns = _columns(graph, one.reshape(-1, *x.shape[1:]), steps)
        for index in graph.preactivations:
            sums.add(index, columns[index], some)
    return Linearisation(graph, at, steps, *sums.ends())


def _open(x: Tensor, bounds: tuple[Tensor, Tensor] | None) -> tuple[Tensor, Tensor]:
    """Whether each entry of the input can fall, and whether it can rise, as 1 or 0, `(entries,)`."""
    if bounds is None:
        return torch.ones_like(x).flatten(), torch.ones_like(x).flatten()
    return (x > bounds[0]).to(x).flatten(), (x < bounds[1]).to(x).flatten()


def _columns(graph: Graph, directions: Tensor, steps: dict[int, Linearised]) -> list[Tensor]:
    """`J` times some directions of the input, `(directions, *shape)` for each value."""
    values = [directions]
    for place, step in enumerate(graph.steps, start=1):
        given = [values[i] for i in step.inputs]
        if isinstance(step.operation, Affine):
            values.append(step.operation.apply(*given) - step.operation.constant)
        elif place in steps:
            values.append(steps[place].forward(given[0]))
        else:
            values.append(directions.new_zeros(len(directions), *step.shape))
    return values


@dataclass
class _Sums:
    """Sums over the entries of the input of what the dual norm adds up, for falling and for rising."""

    dual: float
    down: Tensor
    up: Tensor
    fall: dict[int, Tensor] = field(default_factory=dict[int, Tensor])
    rise: dict[int, Tensor] = field(default_factory=dict[int, Tensor])

    def add(self, index: int, columns: Tensor, entries: Tensor) -> None:
        """Some columns of a value's `J`, `(columns, *shape)`, of these entries of the input."""
        size, shape = columns.abs(), (-1,) + (1,) * (columns.ndim - 1)
        down, up = self.down[entries], self.up[entries]
        if bool((down * up > 0).all()):
            parts = (size, size)
        else:  # with a positive coefficient a value falls as the entry does
            with_it, against = down.reshape(shape), up.reshape(shape)
            positive = columns > 0
            parts = (size * torch.where(positive, with_it, against), size * torch.where(positive, against, with_it))
        for ends, part in zip((self.fall, self.rise), parts, strict=True):
            new = part.amax(0) if math.isinf(self.dual) else (part if self.dual == 1 else part**self.dual).sum(0)
            old = ends.get(index)
            ends[index] = new if old is None else torch.maximum(old, new) if math.isinf(self.dual) else old + new

    def ends(self) -> tuple[dict[int, Tensor], dict[int, Tensor]]:
        """How far each value's linear part falls and rises on a ball of radius 1, `(1, *shape)`."""
        power = 1.0 if math.isinf(self.dual) else 1 / self.dual
        fall = {i: (end if power == 1 else end**power)[None] for i, end in self.fall.items()}
        return fall, {i: (end if power == 1 else end**power)[None] for i, end in self.rise.items()}
