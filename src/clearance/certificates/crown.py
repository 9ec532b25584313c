"""CROWN: linear bounds of the margins, pulled backwards through the network (Zhang, Weng, Chen, Hsieh, Daniel 2018).

Every activation lies between two lines on the interval of its input (theorem 3.2 and section 3.3 there). Pulled back
from the margins to the input, they leave one linear function below each margin, whose smallest value on the region is
known in closed form. The intervals come the same way from the layers before, intersected with interval arithmetic
(Gowal et al. 2018). The certified radius is the largest one, by bisection, at which every margin stays positive.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from clearance.certificates.bisection import largest_proven
from clearance.certificates.graph import Graph
from clearance.certificates.problem import Proof, VerificationProblem, make_proof
from clearance.certificates.region import Region
from clearance.geometry.norms import dual_norm, vector_norm

NARROW_ENOUGH = 1e-3
"""Relative width of the bisection's last bracket; the radius is its proven end."""


def crown(problem: VerificationProblem) -> list[Proof]:
    """Certify all inputs and targets together.

    Cost: about ten to fifteen evaluations of all bounds, each a backward pass for every neuron before an activation.

    Args:
        problem: What to prove.

    Returns:
        One proof per input.
    """
    return [proof for part in problem.parts() for proof in _crown(part)]


def _crown(problem: VerificationProblem) -> list[Proof]:
    rows, slack = problem.rows, problem.slack()

    def lowest(radius: Tensor) -> Tensor:
        return margin_bounds(problem, radius, rows) - slack

    start = linear_guess(problem)
    limit = Region(problem.x, start, problem.norm, problem.bounds).covered()
    found = largest_proven(lowest, start, limit, tolerance=NARROW_ENOUGH, late=problem.late)
    limiting = problem.targets.gather(1, found.limiting[:, None])[:, 0].tolist()
    ended = zip(found.proven.tolist(), limiting, found.late.tolist(), strict=True)
    return [make_proof(r, t, late=late) for r, t, late in ended]


def margin_bounds(problem: VerificationProblem, radius: Tensor, rows: Tensor) -> Tensor:
    """Lower bounds of linear functions of the logits on balls of these radii.

    Args:
        problem: The network and its inputs.
        radius: `(batch,)`.
        rows: Coefficients of the logits, `(batch, rows, classes)`.

    Returns:
        `(batch, rows)`.
    """
    region = Region(problem.x, radius, problem.norm, problem.bounds)
    return Relaxation(problem.graph, region, late=problem.late).lowest(len(problem.graph.nodes) - 1, rows)


def linear_guess(problem: VerificationProblem) -> Tensor:
    """Where the smallest margin would be zero if the network were linear: `g / ||grad g||_q`, `(batch,)`."""
    gaps, place = problem.gaps().min(1)
    row = problem.rows[torch.arange(len(place), device=place.device), place]
    leaf = problem.x.detach().requires_grad_(True)
    with torch.enable_grad():
        (slope,) = torch.autograd.grad((problem.graph(leaf) * row).sum(), leaf)
    guess = gaps / vector_norm(slope, dual_norm(problem.norm))
    return guess.nan_to_num(1.0, posinf=1.0).clamp(1e-6, 1e6)


class Relaxation:
    """Bounds of every node of a network on a region.

    Args:
        graph: The network.
        region: The region.
        late: Says when to leave the intervals as wide as they are: still bounds, only looser.

    Attributes:
        low: Lower bounds of each node, `(batch, *shape)`.
        high: Upper bounds.
    """

    def __init__(self, graph: Graph, region: Region, *, late: Callable[[], bool] = lambda: False) -> None:
        self.graph, self.region, self.late = graph, region, late
        self._fitting = max(1, graph.fitting() // len(region.center))
        self.low: list[Tensor] = []
        self.high: list[Tensor] = []
        self._lines: dict[int, Any] = {}
        last = max(graph.before_bends, default=0)
        for index in range(last + 1):
            low, high = self._interval(index)
            self.low.append(low)
            self.high.append(high)
            if index and index in graph.before_bends:
                self._tighten(index)

    def lowest(self, index: int, rows: Tensor) -> Tensor:
        """Lower bounds of `<row, node>` on the region, `(batch, rows)`."""
        below: list[Tensor] = []
        for part in rows.split(self._fitting, 1):
            slopes, offset = self.pull(index, part)
            below.append(self.region.lowest(slopes) + offset)
        return torch.cat(below, 1)

    def matrix(self, index: int, *, stop: int = 0) -> tuple[Tensor, Tensor]:
        """An affine node as a matrix of what `stop` holds, `(entries, stop's entries)`, and its offset `(entries,)`."""
        parts = [self.pull(index, unit, stop=stop) for unit in self._units(index)]
        return torch.cat([slopes[0].flatten(1) for slopes, _ in parts]), torch.cat([offset[0] for _, offset in parts])

    def pull(self, index: int, rows: Tensor, *, stop: int = 0) -> tuple[Tensor, Tensor]:
        """A linear function of the input below `<row, node>` on the region.

        Args:
            index: The node.
            rows: `(batch or 1, rows, *shape)`.
            stop: The node to stop at, if not the input; all paths must pass it.

        Returns:
            Its coefficients `(batch or 1, rows, *input)` and its offset `(batch or 1, rows)`.
        """
        waiting, offset = {index: rows}, rows.new_zeros(rows.shape[:2])
        for place in range(index, stop, -1):
            coefficients = waiting.pop(place, None)
            node = self.graph.nodes[place]
            if coefficients is None or node.operation is None:
                continue
            parts, more = node.operation.pull(coefficients, self._lines_of(place))
            offset = offset + more
            for source, part in zip(node.inputs, parts, strict=True):
                waiting[source] = waiting[source] + part if source in waiting else part
        if stop not in waiting:
            return rows.new_zeros(*rows.shape[:2], *self.graph.nodes[stop].shape), offset
        return waiting[stop], offset

    def _interval(self, index: int) -> tuple[Tensor, Tensor]:
        node = self.graph.nodes[index]
        if node.operation is None:
            return self.region.box()
        return node.operation.interval([self.low[i] for i in node.inputs], [self.high[i] for i in node.inputs])

    def _tighten(self, index: int) -> None:
        """Intersect a node's interval with what the backward bounds say about each of its entries."""
        low, high = self.low[index], self.high[index]
        below, above = [], []
        for unit in self._units(index):
            if self.late():
                return
            below.append(self.lowest(index, unit))
            above.append(-self.lowest(index, -unit))
        low = torch.maximum(low, torch.cat(below, 1).reshape(low.shape))
        high = torch.minimum(high, torch.cat(above, 1).reshape(high.shape))
        self.low[index], self.high[index] = torch.minimum(low, high), torch.maximum(low, high)

    def _units(self, index: int) -> Iterator[Tensor]:
        """Unit rows for the entries of a node.

        Yields:
            As many at a time as fit, `(1, rows, *shape)`.
        """
        shape, like = self.graph.nodes[index].shape, self.region.center
        count = math.prod(shape)
        one = torch.arange(count, device=like.device)
        for some in one.split(self._fitting):
            yield (some[:, None] == one).to(like.dtype).reshape(1, -1, *shape)

    def _lines_of(self, index: int) -> Any:
        if index not in self._lines:
            node = self.graph.nodes[index]
            bent = node.operation is not None and index in self.graph.bent
            source = node.inputs[0]
            self._lines[index] = node.operation.relax(self.low[source], self.high[source]) if bent else None  # type: ignore[union-attr]
        return self._lines[index]
