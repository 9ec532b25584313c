"""How far in l2 the values of a network can be from what they are at the input, while that moves in a ball.

Every value is `v(x + d) = v(x) + J d + e`, `||e||_2 <= E`. Of a value whose entries in question are `U`,

    D = min( ||J_U|| r + E,  K r,  the distance of the farthest corner of its box )

with `K` the product of the steps' operator norms up to it, and `||J_U||` the norm from the ball's to l2. A step maps:

    affine          J as it does directions, and E by its operator norm
    two pieces      J by a coefficient for each unit, and what is left of a unit that moves by `a` is at most `q |a|`.
                    At a distance `k` from the kink of one that can move by `w` across it, coefficients a share
                    `t = (1 - k / w) / 2` from the derivative towards the other one leave `q = t`; where the kink is out
                    of reach, nothing. The sum of the squares is largest where the units with the largest q move
    any other       J = 0, E by its Lipschitz constant or the corner of its box

Source: this project; the operator norms, Szegedy et al. (2013), section 4.3.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from clearance.certificates.graph import Graph
from clearance.certificates.layers.activations import Activation
from clearance.certificates.linearisation import COLUMNS
from clearance.certificates.operations import Affine, NotSupportedError
from clearance.certificates.region import Region
from clearance.certificates.rows import unit_rows

LARGEST_JACOBIAN = 2**24
"""Numbers in the `J` of one value at most, 128 MiB in float64; where one is larger, operator norms have to do."""
LARGEST_SIDE = 1024
"""Side of the largest `J J^T` whose eigenvalues are computed: a quarter of a second."""


def two_pieces(graph: Graph) -> dict[int, float]:
    """The steps of a network that are two linear pieces with a kink at 0, and their derivatives left of it.

    Args:
        graph: The network.

    Returns:
        By the steps' numbers.
    """
    pieces = {i: operation.pieces for i, operation in graph.nonlinear.items() if isinstance(operation, Activation)}
    return {place: each[0] for place, each in pieces.items() if each is not None}


@dataclass
class Deviations:
    """The deviations of one network at one input, value by value.

    Source: see the module.

    Attributes:
        graph: The network.
        at: Each value at the input, `(1, *shape)`.
        region: The ball around the input, with `p` at most 2: it lies in the l2 ball of its radius.
    """

    graph: Graph
    at: Sequence[Tensor]
    region: Region
    _moved: list[Tensor] = field(default_factory=list[Tensor])
    _linear: list[Tensor | None] = field(default_factory=list["Tensor | None"])
    _left: list[Tensor] = field(default_factory=list[Tensor])
    _crossing: dict[int, Tensor] = field(default_factory=dict[int, Tensor])
    _boxes: list[tuple[Tensor, Tensor]] = field(default_factory=list[tuple[Tensor, Tensor]])

    def __post_init__(self) -> None:
        """The input moves by the radius, in the entries that can."""
        low, high = self.region.box()
        free = (low < high).flatten().nonzero().flatten()
        fits = len(free) * self.graph.widest <= LARGEST_JACOBIAN
        one = unit_rows(free, (low.numel(),), low).values[0].reshape(-1, *low.shape[1:]) if fits else None
        radius = self.region.radius
        self._moved, self._linear, self._left = [radius], [one], [torch.zeros_like(radius)]
        self._boxes, self._crossing = [(low, high)], {0: self._of_crossing(0, low, high)}

    def add(self, low: Tensor, high: Tensor) -> None:
        """Take in the next value.

        Args:
            low: Its lower bounds, `(1, *shape)`.
            high: Its upper bounds.
        """
        index = len(self._moved)
        self._boxes.append((low, high))
        step = self.graph.step(index)
        box = _corner(self.at[index], low, high)
        try:
            norms = step.operation.lipschitz(2.0)
        except NotSupportedError:
            norms = [math.inf] * len(step.inputs)
        moved = sum((own * self._moved[i] for own, i in zip(norms, step.inputs, strict=True)), torch.zeros_like(box))
        moved = torch.minimum(moved, box)
        linear, left = self._through(index, norms, moved)
        self._linear.append(linear)
        self._left.append(left)
        self._moved.append(moved)
        if index in self.graph.preactivations:
            self._crossing[index] = self._of_crossing(index, low, high)
        for used in self.graph.last_used_by.get(index, ()):
            self._linear[used] = None

    def of(self, index: int) -> Tensor:
        """`D` of the entries of a value whose interval holds 0, `(1,)`."""
        return self._crossing[index]

    def _of_crossing(self, index: int, low: Tensor, high: Tensor) -> Tensor:
        """`D` of those entries."""
        crosses = ((low < 0) & (high > 0)).flatten()
        found = torch.minimum(self._moved[index], _corner(self.at[index], low, high, crosses))
        linear = self._linear[index]
        if linear is None:
            return found
        own = _to_l2(linear.flatten(1)[:, crosses], self.region.norm)
        return torch.minimum(found, own * self.region.radius + self._left[index])

    def _through(self, index: int, norms: Sequence[float], moved: Tensor) -> tuple[Tensor | None, Tensor]:
        """`J` and `E` of a value; without `J` where it has none, and then `E` is how far it moves."""
        step = self.graph.step(index)
        given = [self._linear[i] for i in step.inputs]
        left = sum((n * self._left[i] for n, i in zip(norms, step.inputs, strict=True)), torch.zeros_like(moved))
        known = [one for one in given if one is not None]
        if len(known) < len(given):
            return None, moved
        if isinstance(step.operation, Affine):
            constant, parts = step.operation.constant, zip(*(one.split(COLUMNS) for one in known), strict=True)
            return torch.cat([step.operation.apply(*part) - constant for part in parts]), left
        if isinstance(step.operation, Activation) and step.operation.pieces is not None:
            coefficient, more = self._two_pieces(step.inputs[0], step.operation.pieces[0])
            return coefficient * known[0], left + more
        return None, moved

    def _two_pieces(self, source: int, flat: float) -> tuple[Tensor, Tensor]:
        """A coefficient of each unit, `(1, *shape)`, and how far `f(z) - f(z0)` lies from what they make of `z - z0`.

        `flat` is the derivative left of 0.
        """
        center, (low, high) = self.at[source], self._boxes[source]
        positive = (center > 0) | (low >= 0)
        width = torch.where(positive, center - low, high - center)
        share = torch.where((low < 0) & (high > 0), (1 - center.abs() / width).clamp_min(0.0) / 2, 0.0)
        coefficient = flat + (1 - flat) * torch.where(positive, 1 - share, share)
        farthest = torch.maximum(center - low, high - center)
        return coefficient, (1 - flat) * _most(share, farthest, self._crossing[source])


def _corner(at: Tensor, low: Tensor, high: Tensor, which: Tensor | None = None) -> Tensor:
    """The distance of the farthest corner of a box, by all its entries or some, `(1,)`."""
    away = torch.maximum(high - at, at - low).flatten()
    return (away if which is None else away[which]).square().sum().sqrt()[None]


def _most(share: Tensor, farthest: Tensor, deviation: Tensor) -> Tensor:
    """The largest `||q a||_2` with `|a_i| <= farthest_i` and `||a||_2 <= D`, `(1,)`: the largest q first."""
    order = share.flatten().argsort(descending=True)
    ratio, room = share.flatten()[order].square(), farthest.flatten()[order].square()
    before = room.cumsum(0) - room
    taken = torch.minimum(room, (deviation.square() - before).clamp_min(0.0))
    return (ratio * taken).sum().sqrt()[None]


def _to_l2(columns: Tensor, norm: float) -> Tensor:
    """The norm of `J` from `l_p`, `p <= 2`, to l2, or an upper bound of it, `(1,)`; `J^T` is `(inputs, entries)`.

    For `p = 1` the largest of its columns; else that of `p = 2`, which is no smaller.
    """
    if columns.numel() == 0:
        return columns.new_zeros(1)
    if norm == 1:
        return columns.square().sum(1).amax().sqrt()[None]
    gram = columns @ columns.T if len(columns) <= columns.shape[1] else columns.T @ columns
    if len(gram) > LARGEST_SIDE:
        return columns.new_full((1,), math.inf)
    largest = torch.linalg.eigvalsh(gram)[-1:].clamp_min(0.0).sqrt()
    return largest * (1 + len(gram) * torch.finfo(gram.dtype).eps)
