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
from clearance.certificates.operations import Affine, LinearBounds
from clearance.certificates.region import Region


@dataclass(frozen=True)
class Relaxation:
    """Bounds of the values of a network on a region; `relax` makes it.

    Source: Zhang, Weng, Chen, Hsieh and Daniel (2018), theorem 3.2.

    Attributes:
        graph: The network.
        region: The region, of a batch of inputs.
        low: Lower bounds of each value up to the last one that feeds a step that is not affine, `(batch, *shape)`.
        high: Upper bounds of the same.
    """

    graph: Graph
    region: Region
    low: list[Tensor] = field(default_factory=list[Tensor])
    high: list[Tensor] = field(default_factory=list[Tensor])
    _relaxed: dict[int, LinearBounds] = field(default_factory=dict[int, LinearBounds])

    def lowest(self, index: int, rows: Tensor) -> Tensor:
        """Lower bounds of `<row, value>` on the region.

        Args:
            index: Number of the value.
            rows: `(batch or 1, rows, *shape)`.

        Returns:
            `(batch, rows)`.
        """
        below: list[Tensor] = []
        for part in rows.split(self._rows_at_a_time, 1):
            coefficients, offset = self.bound_backward(index, part)
            below.append(self.region.lowest(coefficients) + offset)
        return torch.cat(below, 1)

    def matrix(self, index: int, *, stop: int = 0) -> tuple[Tensor, Tensor]:
        """A value that is affine in the value `stop`, as a matrix and an offset.

        Args:
            index: Number of the value.
            stop: Number of the value it is a function of; all paths must pass it.

        Returns:
            `(entries, entries of stop)` and `(entries,)`.
        """
        parts = [self.bound_backward(index, unit, stop=stop) for unit in self._unit_rows(index)]
        return torch.cat([matrix[0].flatten(1) for matrix, _ in parts]), torch.cat([offset[0] for _, offset in parts])

    def bound_backward(self, index: int, rows: Tensor, *, stop: int = 0) -> tuple[Tensor, Tensor]:
        """A linear function of the input below `<row, value>` on the region (Zhang et al. 2018, theorem 3.2).

        Args:
            index: Number of the value.
            rows: `(batch or 1, rows, *shape)`.
            stop: The value to stop at, if not the input; all paths must pass it.

        Returns:
            Its coefficients `(batch or 1, rows, *input)` and its offset `(batch or 1, rows)`.
        """
        waiting, offset = {index: rows}, rows.new_zeros(rows.shape[:2])
        for place in range(index, stop, -1):
            coefficients = waiting.pop(place, None)
            if coefficients is None:
                continue
            parts, more = self._linear_bounds(place).bound_backward(coefficients)
            offset = offset + more
            for source, part in zip(self.graph.step(place).inputs, parts, strict=True):
                waiting[source] = waiting[source] + part if source in waiting else part
        if stop not in waiting:
            return rows.new_zeros(*rows.shape[:2], *self.graph.shapes[stop]), offset
        return waiting[stop], offset

    def bound_next(self, *, tighten: bool, stop: Callable[[], bool]) -> None:
        """Bound the next value: by interval arithmetic, and where asked for by backward bounds of each entry.

        Args:
            tighten: Whether to intersect with the backward bounds.
            stop: Says when to leave the interval as wide as it is.
        """
        index = len(self.low)
        low, high = self._interval(index)
        if tighten:
            low, high = self._tighten(index, low, high, stop)
        self.low.append(low)
        self.high.append(high)

    def _interval(self, index: int) -> tuple[Tensor, Tensor]:
        if index == 0:
            return self.region.box()
        step = self.graph.step(index)
        return step.operation.interval([self.low[i] for i in step.inputs], [self.high[i] for i in step.inputs])

    def _tighten(self, index: int, low: Tensor, high: Tensor, stop: Callable[[], bool]) -> tuple[Tensor, Tensor]:
        """Intersect a value's interval with what the backward bounds say about each of its entries."""
        below: list[Tensor] = []
        above: list[Tensor] = []
        for unit in self._unit_rows(index):
            if stop():
                return low, high
            below.append(self.lowest(index, unit))
            above.append(-self.lowest(index, -unit))
        low = torch.maximum(low, torch.cat(below, 1).reshape(low.shape))
        high = torch.minimum(high, torch.cat(above, 1).reshape(high.shape))
        return torch.minimum(low, high), torch.maximum(low, high)

    @property
    def _rows_at_a_time(self) -> int:
        return max(1, self.graph.fitting() // len(self.region.center))

    def _unit_rows(self, index: int) -> Iterator[Tensor]:
        """Unit rows for the entries of a value.

        Yields:
            As many at a time as fit, `(1, rows, *shape)`.
        """
        shape, like = self.graph.shapes[index], self.region.center
        one = torch.arange(math.prod(shape), device=like.device)
        for some in one.split(self._rows_at_a_time):
            yield (some[:, None] == one).to(like.dtype).reshape(1, -1, *shape)

    def _linear_bounds(self, index: int) -> LinearBounds:
        """The linear bounds of a step on the interval of its input, made once."""
        step = self.graph.step(index)
        if isinstance(step.operation, Affine):
            return step.operation
        if index not in self._relaxed:
            (source,) = step.inputs
            self._relaxed[index] = step.operation.relax(self.low[source], self.high[source])
        return self._relaxed[index]


def relax(graph: Graph, region: Region, *, stop: Callable[[], bool] = lambda: False) -> Relaxation:
    """Bound every value that later linear bounds need, in order.

    Source: Zhang, Weng, Chen, Hsieh and Daniel (2018), theorem 3.2.

    Cost: one backward pass for every neuron before a step that is not affine.

    Args:
        graph: The network.
        region: The region, of a batch of inputs `(batch, *input)`.
        stop: Says when to leave the intervals as wide as they are: still bounds, only looser.

    Returns:
        The relaxation.
    """
    relaxed = Relaxation(graph, region)
    for index in range(max(graph.preactivations, default=0) + 1):
        relaxed.bound_next(tighten=index > 0 and index in graph.preactivations, stop=stop)
    return relaxed
