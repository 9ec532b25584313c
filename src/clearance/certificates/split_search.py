"""The search in one ball: subproblems are split until the bounds of all of them hold everywhere in it.

The subproblem whose radius is smallest is split next, many at a time, at the unit whose relaxation lowers its bound
most (Bunel et al. 2020, BaBSR: the part of the bound that comes from the height of the unit's chord); of a few such
units the one whose two parts have the best bounds with their parent's multipliers (filtered smart branching, De Palma
et al. 2021).
"""

from __future__ import annotations

import functools
import math
import time
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from clearance.certificates.linear_zero import zero_radius
from clearance.certificates.multiplier_ascent import improved
from clearance.certificates.problem import MARGIN_SLACK
from clearance.certificates.split_bounds import SplitBounds
from clearance.certificates.split_leaves import leaf_distances, solves_leaves
from clearance.certificates.split_points import NearestPoint
from clearance.certificates.subproblems import Subproblems

ROOT_STEPS = 10
"""Steps of gradient ascent before anything is split."""
SPLIT_STEPS = 4
"""Steps of gradient ascent for a subproblem, which begins with its parent's multipliers: on MNIST networks 16 steps
need as many subproblems, and three times the time."""
SMALL_SPLIT_STEPS = 20
"""The same for a small network, whose tree may be deep: on networks 8-32-32-4, 12 and 6 steps
take 1.3 and 2.9 times as long."""
NUMBERS_AT_A_TIME = 2**18
"""Numbers of the largest value that a block of subproblems holds: they stay in the processor's cache."""
MOST_AT_A_TIME = 256
"""Subproblems in a block at most."""
CANDIDATES = 4
"""Units of which the best one to split is chosen."""
WALKED = 4
"""Subproblems of a block from which points of another class are looked for: those with the smallest radii."""
BLOCKS_BETWEEN_WALKS = 4
"""Of so many blocks one is looked at for points: a walk takes as long as half a block, and later ones find little."""
OTHER_SHARE = 1e-3
"""What a unit whose chord is not used counts beside one whose chord is."""


@dataclass
class Margins:
    """What is known of one input's margins.

    Attributes:
        rows: Coefficients of the logits, `(targets, classes)`.
        slack: What a lower bound of each must exceed, `(targets,)`.
        nearest: The nearest point at which one is zero or less.
        proved: The radius within which none is.
        limiting: Number of the margin that limits it.
    """

    rows: Tensor
    slack: Tensor
    nearest: NearestPoint
    proved: float
    limiting: int

    def closed(self, share: float) -> float:
        """The radius that is near enough to the nearest point."""
        return self.nearest.distance * (1 - share)

    def prove(self, radius: float, limiting: int) -> None:
        """Take a larger radius."""
        if radius > self.proved:
            self.proved, self.limiting = radius, limiting


@dataclass(frozen=True)
class Frontier:
    """Subproblems that together hold everything that is not proved, `n` of them.

    Attributes:
        given: The subproblems, in the precision that multipliers are chosen in.
        target: Number of each one's margin, `(n,)`.
        radius: Proved for each, `(n,)`.
        units: Units worth splitting, the best first, `(n, candidates)`.
        place: Number of each unit among all of the network's, `(units,)`.
        stuck: Whether the nearest one cannot be split any more.
    """

    given: Subproblems
    target: Tensor
    radius: Tensor
    units: Tensor
    place: Tensor
    stuck: bool = False

    def __len__(self) -> int:
        """How many they are."""
        return len(self.radius)

    def some(self, which: Tensor) -> Frontier:
        """Some of them, by place or by a mask."""
        return replace(
            self,
            given=self.given.some(which),
            target=self.target[which],
            radius=self.radius[which],
            units=self.units[which],
        )

    def joined(self, other: Frontier) -> Frontier:
        """These, and after them others."""
        pairs = ((self.target, other.target), (self.radius, other.radius), (self.units, other.units))
        target, radius, units = (torch.cat(pair) for pair in pairs)
        return replace(self, given=self.given.joined(other.given), target=target, radius=radius, units=units)


@dataclass
class SplitSearch:
    """Branch and bound in one ball.

    Source: Bunel et al. (2020).

    Attributes:
        bounds: The bounds of subproblems in the ball, in float64.
        rough: The same in the precision that multipliers are chosen in.
        margins: What is known, and what is kept up to date.
        radius: Radius of the ball.
        share: How near the proved radius has to come to the nearest point.
        until: When to stop, on the clock of `time.perf_counter`.
        blocks: How many blocks of subproblems have been bounded.
    """

    bounds: SplitBounds
    rough: SplitBounds
    margins: Margins
    radius: float
    share: float
    until: float
    blocks: int = 0

    def run(self, before: Frontier | None = None) -> Frontier:
        """Split until everything in the ball is proved, or the time is up.

        Args:
            before: What was left of a larger ball around the same input; `None`: nothing was split before.

        Returns:
            What is left; empty where the ball is proved.
        """
        waiting = self._root() if before is None else self._moved(before)
        while True:
            goal = self._goal()
            waiting = waiting.some(waiting.radius < goal)
            if not len(waiting):
                nearest = self.margins.nearest.target
                self.margins.prove(goal, self.margins.limiting if goal == self.radius else nearest)
                return waiting
            least, first = waiting.radius.min(0)
            self.margins.prove(float(least), int(waiting.target[first]))
            if time.perf_counter() > self.until:
                return waiting
            chosen = waiting.radius.argsort()
            size = max(1, self._at_a_time // 2)
            picked, rest = waiting.some(chosen[:size]), waiting.some(chosen[size:])
            whole = (picked.given.signs != 0).all(1)
            if bool(whole[0]):
                return replace(waiting, stuck=True)
            found = self._split(picked.some(~whole))
            waiting = rest.joined(picked.some(whole)).joined(found)

    def _goal(self) -> float:
        return min(self.radius, self.margins.closed(self.share))

    @property
    def _at_a_time(self) -> int:
        return max(2, min(MOST_AT_A_TIME, NUMBERS_AT_A_TIME // self.bounds.graph.widest))

    @property
    def _steps(self) -> int:
        return SMALL_SPLIT_STEPS if self.rough is self.bounds else SPLIT_STEPS

    def _root(self) -> Frontier:
        rows = self.margins.rows
        targets = torch.arange(len(rows), device=rows.device)
        given = self.bounds.root(rows).to(self.rough.dtype)
        return self._bounded(given, targets, torch.full_like(rows[:, 0], self.margins.proved), ROOT_STEPS)

    def _moved(self, before: Frontier) -> Frontier:
        """The subproblems of a larger ball in this one; those that are empty in it are left out."""
        kept = torch.isin(before.place, self.bounds.place)
        decided = self.bounds.decided[before.place[~kept]]
        signs = before.given.signs
        empty = ((signs[:, ~kept] != 0) & (signs[:, ~kept] != decided)).any(1)
        given, column = before.given, torch.searchsorted(self.bounds.place, before.place[kept])
        found = self.bounds.root(given.rows)
        found.signs[:, column], found.multipliers[:, column] = signs[:, kept], given.multipliers[:, kept]
        given = found.some(~empty)
        moved = [self._none()]
        for part in torch.arange(len(given), device=signs.device).split(self._at_a_time):
            some = torch.nonzero(~empty).flatten()[part]
            moved.append(self._bounded(given.some(part), before.target[some], before.radius[some], self._steps))
        return functools.reduce(Frontier.joined, moved)

    def _none(self) -> Frontier:
        rows = self.margins.rows[:0]
        none = torch.zeros(0, dtype=torch.long, device=rows.device)
        width = min(CANDIDATES, self.bounds.units)
        given = self.bounds.root(rows).to(self.rough.dtype)
        return Frontier(given, none, rows.new_zeros(0), none.new_zeros(0, width), self.bounds.place)

    def _split(self, picked: Frontier) -> Frontier:
        """Both parts of each, or more where the block has room for them."""
        room = self._at_a_time // 4 // max(1, len(picked))
        depth = int(math.log2(room)) if room > 1 and self.rough is self.bounds else 1
        open_units = int((picked.given.signs == 0).sum(1).min()) if len(picked) else 1
        depth = max(1, min(depth, open_units, picked.units.shape[1]))
        units = picked.units[:, :depth] if depth > 1 else self._best_unit(picked)
        each = 2**depth
        target, radius = picked.target.repeat_interleave(each), picked.radius.repeat_interleave(each)
        return self._bounded(picked.given.split(units), target, radius, self._steps)

    def _best_unit(self, picked: Frontier) -> Tensor:
        """Of the units worth splitting, the one whose worse part has the best bound, `(n, 1)`."""
        least = list[Tensor]()
        for unit in picked.units.T:
            parts = picked.given.split(unit[:, None])
            bounds, _ = self.rough.lowest(self.rough.backward(parts))
            decided = picked.given.signs.gather(1, unit[:, None])[:, 0] != 0
            least.append(torch.where(decided, -torch.inf, bounds.reshape(-1, 2).amin(1)))
        return picked.units.gather(1, torch.stack(least, 1).argmax(1, keepdim=True))

    def _bounded(self, given: Subproblems, target: Tensor, radius: Tensor, steps: int) -> Frontier:
        """Bound subproblems, from the multipliers that they have on, and look for points near those that fail."""
        slack = self.margins.slack[target]
        given = improved(self.rough, given, steps, slack.to(self.rough.dtype))
        exact = given.to(slack.dtype)
        slack = slack + MARGIN_SLACK * self.bounds.size_of_constraints(exact)
        passed = self.bounds.backward(exact)
        least, point = self.bounds.lowest(passed)
        reached = torch.full_like(radius, self.radius)
        fails = (~(least > slack)).nonzero().flatten()
        if len(fails):
            start = radius[fails].clamp_min(1e-3 * self.radius)
            region = self.bounds.region
            found = zero_radius(region, passed.coefficients[fails], passed.offset[fails], slack[fails], start)
            reached[fails] = torch.maximum(found, radius[fails])
        weight = (-passed.weights).clamp_min(0.0) + OTHER_SHARE * passed.weights.abs()
        score = torch.where(given.signs == 0, weight * self.bounds.heights, -1.0)
        units = score.topk(min(CANDIDATES, self.bounds.units), 1).indices
        made = Frontier(given, target, reached, units, self.bounds.place)
        self._solve_leaves(made)
        self.blocks += 1
        if len(fails) and self.blocks % BLOCKS_BETWEEN_WALKS == 1:
            walked = fails[reached[fails].argsort()[:WALKED]]
            ball = min(self.radius, self.margins.nearest.distance)
            self.margins.nearest.look_near(point[walked].nan_to_num(), exact.rows[walked], target[walked], ball)
        return made

    def _solve_leaves(self, made: Frontier) -> None:
        """The distances of subproblems in which every unit has a sign."""
        if not solves_leaves(self.bounds):
            return
        whole = ((made.given.signs != 0).all(1) & (made.radius < self._goal())).nonzero().flatten()
        if not len(whole):
            return
        rows, target = made.given.rows[whole].to(made.radius.dtype), made.target[whole]
        distance, points = leaf_distances(self.bounds, rows, made.given.signs[whole])
        made.radius[whole] = torch.maximum(distance, made.radius[whole])
        there = [place for place, point in enumerate(points) if point is not None]
        if there:
            met = torch.cat([point for point in points if point is not None])
            self.margins.nearest.consider(met, rows[there], target[there])
