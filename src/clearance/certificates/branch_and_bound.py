"""Branch and bound on the signs of units: the distance to the nearest other class of a ReLU network, from both sides.

Source: branch and bound, Bunel, Lu, Turkaslan, Torr, Kohli and Kumar (2020); multipliers of split constraints, Wang et
al. (2021). That subproblems are ordered by their distance and not by their margin: this project.

In a ball on which the units' intervals are known, a subproblem fixes the signs of some units (`split_search`). Its
bound is a radius that no point of it with another class is nearer than, and the smallest one of all is proved at any
time. The balls grow from the radius of CROWN, or of `sdp_crown` where `best` takes that, towards the nearest point of
another class that is known (`split_points`), as intervals are narrower in smaller balls; a ball that takes too long is
made smaller, and its subproblems stay.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field, replace

import torch

from clearance.certificates.certificate import CertificateStatus
from clearance.certificates.crown import WORTH_SINGLE, crown, linear_guess
from clearance.certificates.graph import Graph
from clearance.certificates.multiplier_ascent import tightened
from clearance.certificates.problem import RESERVE, Proof, VerificationProblem
from clearance.certificates.region import Region
from clearance.certificates.relaxation import Relaxation, relax
from clearance.certificates.sdp_crown import sdp_crown, worth_together
from clearance.certificates.split_bounds import check_piecewise_linear, split_bounds
from clearance.certificates.split_points import NearestPoint
from clearance.certificates.split_search import Margins, SplitSearch
from clearance.certificates.translate import translate

CLOSED = 5e-6
"""Relative distance of the proved radius from the nearest point of another class at which the search ends: half of the
1e-5 within which it has to agree with the minimum distortion."""
FIRST_GROWTH = 1.02
"""By what the ball of a large network grows at first when all of it is proved."""
MOST_GROWTH = 3.0
"""By what a ball grows at most; that of a small network at first."""
QUICK_SHARE = 0.05
"""Share of the time left below which a ball counts as quickly proved, so that the next one grows more."""
SHARE_OF_SEARCH = 0.5
"""Share of the time left that one ball may take before it is made smaller."""
FARTHEST = 1e3
"""How many times the distance of a linear network it is worth looking for points, without bounds."""


def branch_and_bound(problem: VerificationProblem) -> list[Proof]:
    """Certify each input of a ReLU network by branch and bound, for any `p`.

    The radius approaches the largest one that can be proved of the margins: untargeted the minimum distortion, targeted
    the distance at which the target overtakes the predicted class.

    Source: Bunel et al. (2020); Wang et al. (2021).

    Args:
        problem: What to prove, with inputs `(batch, *input)`; each may take `problem.seconds`.

    Returns:
        One proof per input, with the gap to the nearest point of another class that was met.

    Raises:
        NotSupportedError: If the network has other nonlinear steps than ReLU and LeakyReLU.
    """
    check_piecewise_linear(problem.graph)
    large = problem.graph.neurons >= WORTH_SINGLE
    single = translate(problem.model, problem.graph.input_shape, torch.float32) if large else None
    return [_OneInput(one, single).proof() for one in problem.each()]


@dataclass
class _OneInput:
    """The search for one input; `single` is the network in float32, or `None` for a small one."""

    problem: VerificationProblem
    single: Graph | None
    growth: float = MOST_GROWTH
    margins: Margins = field(init=False)
    _deadline: float = field(init=False)

    def proof(self) -> Proof:
        """Prove balls until the proved radius meets the nearest point, or the time is up."""
        problem = self.problem
        self._deadline = time.perf_counter() + problem.seconds
        begun = sdp_crown if worth_together(problem) else crown
        (first,) = begun(replace(problem, deadline=self._deadline))
        if math.isinf(first.radius):
            return first
        guess, known = float(linear_guess(problem)), max(first.radius, 0.0)
        self.growth = MOST_GROWTH if self.single is None else FIRST_GROWTH
        covered = float(self._ball(1.0).covered())
        farthest = min(covered, FARTHEST * max(guess, known))
        nearest = NearestPoint(problem.graph, self._ball(farthest))
        place = max(problem.targets[0].tolist().index(first.target), 0) if first.target >= 0 else 0
        self.margins = Margins(problem.rows[0], problem.slack()[0], nearest, known, place)
        every = torch.arange(len(problem.targets[0]), device=problem.x.device)
        nearest.descend(problem.rows[0], every, min(max(guess, known), farthest), self._time_is_up)
        self._grow(min(guess / 10, farthest), farthest)
        if self.margins.proved >= covered:
            return Proof(math.inf, first.target, reason="no input within the bounds reaches another class")
        return self._proof()

    def _grow(self, start: float, farthest: float) -> None:
        """Prove larger and larger balls, from `start` where nothing is proved."""
        margins = self.margins
        while margins.proved < min(farthest, margins.closed(CLOSED)) and not self._time_is_up():
            radius = min(max(self.growth * margins.proved, start), margins.nearest.distance, farthest)
            began = time.perf_counter()
            if not self._prove(radius):
                return
            if time.perf_counter() - began < QUICK_SHARE * (self._deadline - began):
                self.growth = min(1 + 2 * (self.growth - 1), MOST_GROWTH)

    def _prove(self, radius: float) -> bool:
        """Prove a ball: quickly, or with narrower intervals, or a smaller one; whether any was."""
        frontier, relaxed, share = None, None, QUICK_SHARE
        while not self._time_is_up():
            relaxed = self._relaxed(radius, relaxed)
            if frontier is not None:
                relaxed = tightened(relaxed, self.single, self._time_is_up)
            bounds = split_bounds(relaxed)
            rough = bounds if self.single is None else bounds.single(self.single)
            until = time.perf_counter() + share * (self._deadline - time.perf_counter())
            frontier = SplitSearch(bounds, rough, self.margins, radius, CLOSED, until).run(frontier)
            if not len(frontier):
                return True
            if frontier.stuck:
                return False
            if share > QUICK_SHARE:
                radius = (radius + self.margins.proved) / 2
                self.growth = 1 + (self.growth - 1) / 2
            share = SHARE_OF_SEARCH
        return False

    def _relaxed(self, radius: float, larger: Relaxation | None) -> Relaxation:
        """Bounds on a ball, by those on one at least as large."""
        known = None if larger is None else list(zip(larger.low, larger.high, strict=True))
        return relax(self.problem.graph, self._ball(radius), stop=self._time_is_up, outer=known)

    def _ball(self, radius: float) -> Region:
        problem = self.problem
        return Region(problem.x, torch.full_like(problem.x.flatten(1)[:, 0], radius), problem.norm, problem.bounds)

    def _time_is_up(self) -> bool:
        return time.perf_counter() > self._deadline

    def _proof(self) -> Proof:
        margins, nearest = self.margins, self.margins.nearest
        radius = margins.proved * (1 - RESERVE)
        status = CertificateStatus.TIME_LIMIT if self._time_is_up() else CertificateStatus.CERTIFIED
        if radius <= 0 and status == CertificateStatus.CERTIFIED:
            status = CertificateStatus.UNPROVEN
        target = int(self.problem.targets[0, margins.limiting])
        if math.isinf(nearest.distance):
            return Proof(radius, target, status, "no point of another class was met")
        reached = int(self.problem.graph(nearest.point)[0].argmax()) if self.problem.targeted else -1
        if self.problem.targeted and reached != target:
            return Proof(
                radius, target, status, f"class {target} overtakes the predicted one at {nearest.distance:.6g}"
            )
        said = f"a point at {nearest.distance:.6g} reaches class {int(self.problem.targets[0, nearest.target])}"
        return Proof(radius, target, status, said, nearest.distance - radius)
