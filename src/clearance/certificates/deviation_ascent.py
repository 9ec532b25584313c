"""Better coefficients for the bounds of `deviation_relaxation`, by gradient ascent on the bounds themselves.

First each unit that can change sign is bounded again, layer by layer: narrower intervals give nearer `deviations`, and
both serve the layers that follow. Then the margins. Each row has coefficients of its own in every step of two pieces,
and a multiplier in its offset there: all of them give valid bounds. Source: alpha-CROWN (Xu et al. 2021), section 3.1;
the multipliers, SDP-CROWN (Chiu et al. 2025).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from clearance.certificates.ascent import Moments
from clearance.certificates.deviation_bounds import DeviationBounds
from clearance.certificates.deviation_relaxation import DeviationRelaxation
from clearance.certificates.deviations import Deviations, two_pieces
from clearance.certificates.relaxation import Relaxation
from clearance.certificates.rows import Rows, in_parts, unit_rows

SHARES = (1.0, 0.5)
"""Shares of a unit's interval, around its value at the input, with whose coefficients an ascent may begin."""
NARROWING_STEPS = 4
"""Steps for each unit that can change sign: more of them narrow the intervals further, at a price."""
COEFFICIENT_STEP, MULTIPLIER_STEP = 0.07, 0.2
"""First steps: of a coefficient, and of a multiplier's logarithm."""
STEP_SHRINKS = 0.95
"""By what a step is shorter than the one before."""

Coefficients = dict[int, Tensor]
"""For each step of two pieces those of rows that pass it, in units of their own: `g / c`, of the rows' shape."""


@dataclass(frozen=True)
class ChosenBounds:
    """Bounds of a step with coefficients and a multiplier of each row's own.

    Source: this project.

    Attributes:
        bounds: The step's bounds.
        coefficient: `g / c`, of the shape of the rows' values.
        multiplier: `m`, `(batch, rows)`.
    """

    bounds: DeviationBounds
    coefficient: Tensor
    multiplier: Tensor

    def bound_backward(self, rows: Rows) -> tuple[Sequence[Rows], Tensor]:
        """`g` and `h`."""
        through = rows.replaced(rows.values * self.coefficient)
        return (through,), self.bounds.at(rows, through, self.multiplier)


@dataclass
class _Free:
    """What is free in one step: what its rows take when they first pass it, and what becomes of that.

    Attributes:
        bounds: The step's bounds.
        given: Coefficients to begin with; `None`: the bounds' own.
        coefficient: Those of now.
        logarithm: Of the multipliers of now.
        best: The coefficients of the best bound so far.
        passed: Whether rows have passed the step.
    """

    bounds: DeviationBounds
    given: Tensor | None = None
    coefficient: Tensor = field(init=False)
    logarithm: Tensor = field(init=False)
    best: Tensor = field(init=False)
    passed: bool = False
    _crosses: Tensor = field(init=False)
    _moments: tuple[Moments, Moments] = field(default_factory=lambda: (Moments(), Moments()))

    def bound_backward(self, rows: Rows) -> tuple[Sequence[Rows], Tensor]:
        """The first pass: `g` and the best `h` of a few multipliers, which is where the ascent begins."""
        self._crosses = rows.place((self.bounds.low < 0) & (self.bounds.high > 0))
        own = self.bounds.coefficients(rows)
        self.coefficient = own if self.given is None else torch.where(self._crosses, self.given, own)
        through = rows.replaced(rows.values * self.coefficient)
        offset, multiplier = self.bounds.best(rows, through)
        self.logarithm, self.best, self.passed = multiplier.log(), self.coefficient, True
        return (through,), offset

    def take(self, other: _Free, better: Tensor) -> None:
        """What another one begins with, in the rows that are better there, `(batch, rows)`."""
        self.coefficient = torch.where(_wide(better, self.best), other.coefficient, self.coefficient)
        self.logarithm = torch.where(better, other.logarithm, self.logarithm)
        self.best = self.coefficient

    def chosen(self) -> ChosenBounds:
        """The bounds with what is free as leaves of a graph."""
        self.coefficient = self.coefficient.detach().requires_grad_(True)
        self.logarithm = self.logarithm.detach().requires_grad_(True)
        return ChosenBounds(self.bounds, self.coefficient, self.logarithm.exp())

    def leaves(self) -> tuple[Tensor, Tensor]:
        """What the gradients are taken of."""
        return self.coefficient, self.logarithm

    def keep(self, better: Tensor) -> None:
        """Keep the coefficients of the rows whose bounds are better than all before, `(batch, rows)`."""
        self.best = torch.where(_wide(better, self.best), self.coefficient.detach(), self.best)

    def move(self, gradients: Sequence[Tensor], length: float) -> None:
        """One step."""
        first, second = (m.direction(g) for m, g in zip(self._moments, gradients, strict=True))
        moved = self.coefficient.detach() + length * COEFFICIENT_STEP * self._crosses * first
        self.coefficient = moved.clamp(self.bounds.left, 1.0)
        self.logarithm = self.logarithm.detach() + length * MULTIPLIER_STEP * second


def _wide(rows: Tensor, like: Tensor) -> Tensor:
    return rows.reshape(*rows.shape, *[1] * (like.ndim - 2))


def ascended(
    relaxed: DeviationRelaxation, index: int, rows: Rows, steps: int, given: Coefficients | None = None
) -> tuple[Tensor, Coefficients]:
    """Lower bounds of `<row, value>`, improved by gradient ascent.

    Source: Xu et al. (2021), section 3.1.

    Args:
        relaxed: The network's bounds.
        index: Number of the value.
        rows: Coefficients of the value.
        steps: Steps of the ascent.
        given: Coefficients that it may begin with.

    Returns:
        The bounds, `(batch, rows)`, and the coefficients that they were found with.
    """
    best, free = _begun(relaxed, index, rows, given)
    for step in range(steps if free else 0):
        with torch.enable_grad():
            found = relaxed.taking({place: one.chosen() for place, one in free.items()}).lowest_of(index, rows)
            leaves = [leaf for one in free.values() for leaf in one.leaves()]
            gradients = torch.autograd.grad(found.sum(), leaves)
        better = found.detach() > best
        best = torch.where(better, found.detach(), best)
        for place, one in enumerate(free.values()):
            one.keep(better)
            one.move(gradients[2 * place : 2 * place + 2], STEP_SHRINKS**step)
    return best, {place: one.best for place, one in free.items()}


def _begun(
    relaxed: DeviationRelaxation, index: int, rows: Rows, given: Coefficients | None
) -> tuple[Tensor, dict[int, _Free]]:
    """The bounds at the start: of each row by the share, or by the coefficients given, that is best for it."""
    starts = [(share, {}) for share in SHARES] + ([(1.0, given)] if given else [])
    best, free = None, dict[int, _Free]()
    for share, start in starts:
        shared = relaxed.by(share)
        tried = {place: _Free(shared.bounds_of(place), start.get(place)) for place in relaxed.bent if place <= index}
        found = shared.taking(dict(tried)).lowest_of(index, rows)
        if best is None:
            best, free = found, {place: one for place, one in tried.items() if one.passed}
            continue
        better = found > best
        best = torch.where(better, found, best)
        for place, one in free.items():
            one.take(tried[place], better)
    assert best is not None
    return best, free


def narrowed(
    relaxed: Relaxation, at: Sequence[Tensor], stop: Callable[[], bool] = lambda: False
) -> DeviationRelaxation:
    """Bound each unit that can change sign again, by deviations.

    Source: see the module.

    Args:
        relaxed: The network's bounds on a ball around one input.
        at: Each value at the input, `(1, *shape)`.
        stop: Says when to leave the intervals as they are.

    Returns:
        The bounds.
    """
    graph, region, bent = relaxed.graph, relaxed.region, two_pieces(relaxed.graph)
    deviations = Deviations(graph, at, region)
    found = DeviationRelaxation(graph, region, list(relaxed.low), list(relaxed.high), deviations=deviations, bent=bent)
    sources = {graph.step(index).inputs[0] for index in bent}
    for index in range(1, len(found.low)):
        if index in sources and index > min(bent):
            _narrow(found, index, stop)
        deviations.add(found.low[index], found.high[index])
    return found


def _narrow(found: DeviationRelaxation, index: int, stop: Callable[[], bool]) -> None:
    """Intersect the intervals of the entries of a value that can change sign with their bounds by deviations."""
    shape = found.graph.shapes[index]
    low, high = found.low[index].flatten().clone(), found.high[index].flatten().clone()
    for part in in_parts(((low < 0) & (high > 0)).nonzero().flatten(), max(1, found.rows_at_a_time // 2)):
        if stop():
            break
        unit = unit_rows(part, shape, low)
        both = unit.joined(unit.replaced(-unit.values))
        under, over = ascended(found, index, both, NARROWING_STEPS)[0][0].chunk(2)
        low[part], high[part] = torch.maximum(low[part], under), torch.minimum(high[part], -over)
    found.low[index] = torch.minimum(low, high).reshape(1, *shape)
    found.high[index] = torch.maximum(low, high).reshape(1, *shape)
