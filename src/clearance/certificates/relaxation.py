"""Linear relaxation of a network on a region: bounds of its values, propagated backwards (CROWN, Zhang et al. 2018).

Every step that is not affine is replaced by linear functions below and above it on the interval of its input (theorem
3.2 and section 3.3 there). Propagated backwards, a linear function of any value becomes one of the input that lies
below it on the region, and its smallest value there is known in closed form. The intervals come the same way from the
steps before, intersected with interval arithmetic (Gowal et al. 2018).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor

from clearance.certificates.graph import Graph
from clearance.certificates.linearisation import Linearisation, Remainder, without_remainder
from clearance.certificates.operations import Affine, LinearBounds
from clearance.certificates.region import Region
from clearance.certificates.rows import Rows, in_parts, unit_rows

SMALL_REMAINDER = 0.05
"""Share of an interval's width below which a remainder leaves nothing worth a backward bound."""
Intervals = list[tuple[Tensor, Tensor]]
"""Lower and upper bounds of values in order, `(batch, *shape)` each."""


@dataclass(frozen=True)
class Relaxation:
    """Bounds of the values of a network on a region; `relax` makes it.

    Source: Zhang, Weng, Chen, Hsieh and Daniel (2018), theorem 3.2.

    Attributes:
        graph: The network.
        region: The region, of a batch of inputs.
        low: Lower bounds of each value up to the last one that feeds a step that is not affine, `(batch, *shape)`.
        high: Upper bounds of the same.
        outer: Bounds that are known already, as on a larger region; empty for none.
        linear: The network's linear part at the input, for a batch of one; `None` where it does not pay.
    """

    graph: Graph
    region: Region
    low: list[Tensor] = field(default_factory=list[Tensor])
    high: list[Tensor] = field(default_factory=list[Tensor])
    outer: Intervals = field(default_factory=list[tuple[Tensor, Tensor]])
    linear: Linearisation | None = None
    _remainders: list[Remainder] = field(default_factory=list[Remainder])
    _loose: list[Tensor] = field(default_factory=list[Tensor])
    _relaxed: dict[int, LinearBounds] = field(default_factory=dict[int, LinearBounds])

    def lowest(self, index: int, rows: Tensor) -> Tensor:
        """Lower bounds of `<row, value>` on the region.

        Args:
            index: Number of the value.
            rows: `(batch or 1, rows, *shape)`.

        Returns:
            `(batch, rows)`.
        """
        return torch.cat([self.lowest_of(index, Rows(part)) for part in rows.split(self.rows_at_a_time, 1)], 1)

    def lowest_of(self, index: int, rows: Rows) -> Tensor:
        """As `lowest`, of rows of any kind, all at a time."""
        coefficients, offset = self.bound_backward(index, rows)
        return self.region.lowest(coefficients) + offset

    def matrix(self, index: int, *, stop: int = 0) -> tuple[Tensor, Tensor]:
        """A value that is affine in the value `stop`, as a matrix and an offset.

        Args:
            index: Number of the value.
            stop: Number of the value it is a function of; all paths must pass it.

        Returns:
            `(entries, entries of stop)` and `(entries,)`.
        """
        every = torch.arange(math.prod(self.graph.shapes[index]), device=self.region.center.device)
        parts = [self.bound_backward(index, unit, stop=stop) for unit in self._units(index, every)]
        matrix = [rows.whole().values[0].flatten(1) for rows, _ in parts]
        return torch.cat(matrix), torch.cat([offset[0] for _, offset in parts])

    def bound_backward(self, index: int, rows: Rows, *, stop: int = 0) -> tuple[Rows, Tensor]:
        """A linear function of the input below `<row, value>` on the region (Zhang et al. 2018, theorem 3.2).

        Args:
            index: Number of the value.
            rows: Coefficients of the value.
            stop: The value to stop at, if not the input; all paths must pass it.

        Returns:
            Its coefficients of the input, and its offset `(batch or 1, rows)`.
        """
        waiting, offset = {index: rows}, rows.values.new_zeros(rows.values.shape[:2])
        for place in range(index, stop, -1):
            coefficients = waiting.pop(place, None)
            if coefficients is None:
                continue
            parts, more = self._linear_bounds(place).bound_backward(coefficients)
            offset = offset + more
            for source, part in zip(self.graph.step(place).inputs, parts, strict=True):
                waiting[source] = waiting[source] + part if source in waiting else part
        if stop not in waiting:
            return Rows(offset.new_zeros(*offset.shape, *self.graph.shapes[stop])), offset
        return waiting[stop], offset

    def bound_next(self, *, tighten: bool, stop: Callable[[], bool]) -> None:
        """Bound the next value: by interval arithmetic, and where that pays by backward bounds of its entries.

        Args:
            tighten: Whether to intersect with the backward bounds.
            stop: Says when to leave the interval as wide as it is.
        """
        index = len(self.low)
        low, high = self._interval(index)
        if self.outer:
            low, high = _intersected((low, high), self.outer[index])
        self.low.append(low)
        self.high.append(high)
        self._loose.append(self._left_loose(index))
        if self.linear is not None:
            self._take_linear(index, self.linear)
        if tighten:
            self._tighten(index, stop)

    def _take_linear(self, index: int, linear: Linearisation) -> None:
        """Intersect a value's interval with that of its linear part and its remainder."""
        if index == 0:
            self._remainders.append(without_remainder(self.low[0]))
            return
        remainder = linear.remainder(index, self._remainders, list(zip(self.low, self.high, strict=True)))
        self._remainders.append(remainder)
        for used in self.graph.last_used_by.get(index, ()):
            self._remainders[used] = without_remainder(self.low[used])
        if index in linear.fall:
            found = linear.interval(index, float(self.region.radius), remainder)
            self.low[index], self.high[index] = _intersected((self.low[index], self.high[index]), found)

    def _interval(self, index: int) -> tuple[Tensor, Tensor]:
        if index == 0:
            return self.region.box()
        step = self.graph.step(index)
        return step.operation.interval([self.low[i] for i in step.inputs], [self.high[i] for i in step.inputs])

    def _left_loose(self, index: int) -> Tensor:
        """Of which entries of a value backward bounds may narrow the interval, `(batch, *shape)`.

        Not of the input. Not where one affine step has made it of entries that vary independently, as those of a box
        do. And where a step works entry by entry, only what its input left loose: a line above `f` on `[l, u]` is
        nowhere below the largest `f` there.
        """
        if index == 0:
            return torch.zeros_like(self.low[0], dtype=torch.bool)
        step = self.graph.step(index)
        exact = math.isinf(self.region.norm) and set(step.inputs) <= self.graph.independent
        if exact and len(step.inputs) == 1 and isinstance(step.operation, Affine):
            return torch.zeros_like(self.low[index], dtype=torch.bool)
        if not step.operation.entrywise:
            return torch.ones_like(self.low[index], dtype=torch.bool)
        loose = self._loose[step.inputs[0]]
        if isinstance(step.operation, Affine):
            return step.operation.absolute(loose.to(self.low[0].dtype)) > 0
        return loose

    def _tighten(self, index: int, stop: Callable[[], bool]) -> None:
        """Intersect a value's interval with the backward bounds of the entries on which a relaxation depends."""
        low, high = self.low[index].flatten(1), self.high[index].flatten(1)
        wanted = (self._loose[index] & self._undecided(index)).flatten(1) & (low < high)
        if not bool(wanted.any()):
            return
        below, above, reached = low.clone(), high.clone(), torch.zeros_like(wanted)
        for entries in in_parts(wanted.any(0).nonzero().flatten(), max(1, self.rows_at_a_time // 2)):
            if stop():
                break
            unit = unit_rows(entries, self.graph.shapes[index], self.region.center)
            both = unit.joined(unit.replaced(-unit.values))
            under, over = self.lowest_of(index, both).chunk(2, 1)
            below[:, entries], above[:, entries], reached[:, entries] = under, -over, True
        wanted &= reached
        found = _intersected((low, high), (torch.where(wanted, below, low), torch.where(wanted, above, high)))
        self.low[index], self.high[index] = (end.reshape(self.low[index].shape) for end in found)
        self._loose[index] = self._loose[index] & ~wanted.reshape(self.low[index].shape)

    def _undecided(self, index: int) -> Tensor:
        """Entries of a value on whose interval the linear bounds of a later step depend, `(batch, *shape)`.

        Beyond those before a step that works entry by entry, which are few, only where the linear part leaves much.
        """
        low, high = self.low[index], self.high[index]
        found, mixed = torch.zeros_like(low, dtype=torch.bool), torch.zeros_like(low, dtype=torch.bool)
        for place, operation in self.graph.nonlinear.items():
            inputs = self.graph.step(place).inputs
            if index not in inputs:
                continue
            undecided = operation.undecided(low, high) if len(inputs) == 1 else low < high
            if operation.entrywise:
                found = found | undecided
            else:
                mixed = mixed | undecided
        if self.linear is not None:
            mixed = mixed & (2 * self._remainders[index].spread() > SMALL_REMAINDER * (high - low))
        return found | mixed

    @property
    def rows_at_a_time(self) -> int:
        """How many rows of coefficients fit."""
        return max(1, self.graph.fitting() // len(self.region.center))

    def _units(self, index: int, entries: Tensor) -> Iterator[Rows]:
        """Unit rows for entries of a value.

        Yields:
            As many at a time as fit.
        """
        for some in in_parts(entries, self.rows_at_a_time):
            yield unit_rows(some, self.graph.shapes[index], self.region.center)

    def _linear_bounds(self, index: int) -> LinearBounds:
        """The linear bounds of a step on the intervals of its inputs, made once."""
        step = self.graph.step(index)
        if isinstance(step.operation, Affine):
            return step.operation
        if index not in self._relaxed:
            lows, highs = ([side[i] for i in step.inputs] for side in (self.low, self.high))
            self._relaxed[index] = step.operation.relax(*lows, *highs)
        return self._relaxed[index]


def _intersected(one: tuple[Tensor, Tensor], other: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    """What two intervals have in common; ends that rounding has crossed are put in order."""
    low, high = torch.maximum(one[0], other[0]), torch.minimum(one[1], other[1])
    return torch.minimum(low, high), torch.maximum(low, high)


def relax(
    graph: Graph,
    region: Region,
    *,
    tighten: bool = True,
    stop: Callable[[], bool] = lambda: False,
    outer: Intervals | None = None,
    linear: Linearisation | None = None,
) -> Relaxation:
    """Bound every value that later linear bounds need, in order.

    Source: Zhang, Weng, Chen, Hsieh and Daniel (2018), theorem 3.2.

    Cost: one backward pass for every neuron before a step that is not affine.

    Args:
        graph: The network.
        region: The region, of a batch of inputs `(batch, *input)`.
        tighten: False leaves the intervals as interval arithmetic gives them: still bounds, only looser.
        stop: Says when to leave them so.
        outer: Bounds of the same values that are known already, as on a larger region.
        linear: The network's linear part at the input, for a batch of one.

    Returns:
        The relaxation.
    """
    relaxed = Relaxation(graph, region, outer=outer or [], linear=linear)
    for index in range(max(graph.preactivations, default=0) + 1):
        relaxed.bound_next(tighten=tighten and index > 0 and index in graph.preactivations, stop=stop)
    return relaxed
