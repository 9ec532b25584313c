"""The search for the largest radius at which CROWN's bounds of all margins are positive.

What one trial bounds is used by the next ones: bounds on a ball hold on every ball inside it, so those of the smallest
radius that failed narrow all later intervals, and units that they show to be stable need no bounds of their own. One
trial may take a share of the time that is left, so that a radius that is too large cannot use it up.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from clearance.certificates.bisection import ProvenRadius, largest_proven
from clearance.certificates.linearisation import WORTH_LINEARISING, Linearisation, linearise
from clearance.certificates.problem import VerificationProblem
from clearance.certificates.region import Region
from clearance.certificates.relaxation import Intervals, relax

SHARE_OF_TIME = 1 / 3
"""Share of the time left that one trial may take before its intervals stay as wide as they are."""


def worth_linearising(problem: VerificationProblem) -> bool:
    """Whether the linear part is cheaper than what it saves: one input, and many units for each entry of it."""
    return len(problem.x) == 1 and problem.graph.neurons >= WORTH_LINEARISING * problem.x.numel()


@dataclass
class CrownSearch:
    """Trials on balls of growing or shrinking radius, for a batch of inputs.

    Source: Zhang, Weng, Chen, Hsieh and Daniel (2018), theorem 3.2, for each trial; this project, for the search.

    Attributes:
        problem: The network and its inputs, `(batch, *input)`.
        tighten: False takes the intervals of activations from interval arithmetic alone: cheap and looser.
        deadline: When to stop, on the clock of `time.perf_counter`.
        keep: How many times the longest trial is kept of that time, for what comes after.
        share: Share of the time left that one trial may take.
        longest: Seconds of the longest trial so far.
        linear: The linear part of the network, for a batch of one; `None` where it is not known.
    """

    problem: VerificationProblem
    tighten: bool
    deadline: float = math.inf
    keep: float = 0.0
    share: float = SHARE_OF_TIME
    longest: float = 0.0
    linear: Linearisation | None = None
    _outer: Intervals = field(default_factory=list[tuple[Tensor, Tensor]])
    _outer_radius: Tensor | None = None
    _cut_short: Tensor | None = None

    def __post_init__(self) -> None:
        """What every trial needs."""
        self._rows, self._slack = self.problem.rows, self.problem.slack()

    def at_zero(self) -> Tensor:
        """The smallest margin at the input itself, less its slack, `(batch,)`."""
        return (self.problem.gaps() - self._slack).amin(1)

    def largest(self, start: Tensor, *, proven: Tensor | None = None, tolerance: float) -> ProvenRadius:
        """The largest radius proved.

        Args:
            start: First radii, `(batch,)`.
            proven: Radii that are proved already, by looser bounds of the same kind, `(batch,)`.
            tolerance: Relative width of the last bracket.

        Returns:
            The radii; `timed_out` also where a trial was cut short by its share of the time.
        """
        problem = self.problem
        proven = torch.zeros_like(start) if proven is None else proven
        limit = Region(problem.x, start, problem.norm, problem.bounds).covered()
        found = largest_proven(
            self.lowest,
            start,
            limit,
            proven=proven,
            at_proven=self.at_zero(),
            tolerance=tolerance,
            stop=lambda: time.perf_counter() > self._end(),
        )
        cut = torch.zeros_like(found.timed_out) if self._cut_short is None else self._cut_short
        return ProvenRadius(found.proven, found.limiting, found.timed_out | (cut & found.proven.isfinite()))

    def linearise(self) -> CrownSearch:
        """Compute the linear part of the network where that pays and it is not known; this search."""
        problem = self.problem
        if self.linear is None and worth_linearising(problem):
            until = time.perf_counter() + self.share * (self._end() - time.perf_counter())
            self.linear = linearise(problem.graph, problem.x, problem.norm, problem.bounds, until=until)
        return self

    @staticmethod
    def _clock(until: float) -> Callable[[], bool]:
        return lambda: time.perf_counter() > until

    def lowest(self, radius: Tensor) -> Tensor:
        """Lower bounds of all margins on balls of these radii, less their slack: `(batch,)` to `(batch, targets)`."""
        problem, began = self.problem, time.perf_counter()
        until = began + self.share * (self._end() - began)
        region = Region(problem.x, radius, problem.norm, problem.bounds)
        relaxed = relax(
            problem.graph,
            region,
            tighten=self.tighten,
            stop=self._clock(until),
            outer=self._outer_at(radius),
            linear=self.linear,
        )
        found = relaxed.lowest(problem.graph.last, self._rows) - self._slack
        failed = ~(found.amin(1) > 0)
        if time.perf_counter() > until:
            before = torch.zeros_like(failed) if self._cut_short is None else self._cut_short
            self._cut_short = before | failed
        self._keep(list(zip(relaxed.low, relaxed.high, strict=True)), radius, failed)
        self.longest = max(self.longest, time.perf_counter() - began)
        return found

    def _end(self) -> float:
        """When this search has to be over."""
        return self.deadline - self.keep * self.longest

    def _outer_at(self, radius: Tensor) -> Intervals:
        """Intervals of a larger ball, infinite where none is known or it is smaller than this one."""
        if self._outer_radius is None:
            return []
        inside = radius <= self._outer_radius
        return [(_where(inside, low, -math.inf), _where(inside, high, math.inf)) for low, high in self._outer]

    def _keep(self, intervals: Intervals, radius: Tensor, failed: Tensor) -> None:
        """The intervals of a ball that failed serve all smaller ones."""
        if self._outer_radius is None:
            self._outer = [(torch.full_like(low, -math.inf), torch.full_like(low, math.inf)) for low, _ in intervals]
            self._outer_radius = torch.full_like(radius, math.inf)
        new = failed & (radius < self._outer_radius)
        self._outer_radius = torch.where(new, radius, self._outer_radius)
        self._outer = [
            (
                _where(new, low.nan_to_num(-math.inf, math.inf, -math.inf), old_low),
                _where(new, high.nan_to_num(math.inf, math.inf, -math.inf), old_high),
            )
            for (low, high), (old_low, old_high) in zip(intervals, self._outer, strict=True)
        ]


def _where(rows: Tensor, values: Tensor, others: Tensor | float) -> Tensor:
    """`values` in some rows of the batch, others elsewhere."""
    return torch.where(rows.reshape(-1, *[1] * (values.ndim - 1)), values, others)
