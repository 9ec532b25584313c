"""The estimate in one ball: block maxima, their fit, and the nearest class.

Algorithms 1 (one target) and 2 (untargeted: the minimum over the other classes) of Weng, Zhang, Chen, Yi, Su, Gao,
Hsieh and Daniel 2018, with two additions of this project: the number of blocks may grow until the interval is narrow,
and a candidate class whose interval lies above the nearest one's is dropped on the way (`racing`).
"""

from __future__ import annotations

import math

from clearance.estimates.evidence import Evidence, MarginProblem
from clearance.estimates.extremes import fit_reverse_weibull
from clearance.estimates.fixed_point import ELIMINATION_FACTOR, Ball, choose_ball
from clearance.estimates.judgement import TargetEstimate
from clearance.estimates.samplers.point_curvature import SAMPLE_TOLERANCE, with_taylor
from clearance.estimates.settings import Settings
from clearance.estimates.smoothness import is_twice_differentiable


def estimate_nearest(problem: MarginProblem, settings: Settings) -> TargetEstimate:
    """The ball, the blocks in it, and the estimate of the nearest target.

    Source: Weng, Zhang, Chen, Yi, Su, Gao, Hsieh and Daniel 2018, algorithms 1 and 2; the ball and the elimination of
    candidate classes are this project's.

    Args:
        problem: The input and its targets; with `taylor`, curvatures take the place of gradient norms.
        settings: What was asked for.

    Returns:
        The estimate of the target with the smallest radius, with the nearest witness met for any of them.
    """
    return _CandidateElimination(problem, settings, choose_ball(problem, settings)).run()


def estimate_second_order(problem: MarginProblem, settings: Settings) -> TargetEstimate | None:
    """The same with curvatures; one-sided, the better of both curvatures.

    Source: Weng, Zhang, Chen, Lozano, Hsieh and Daniel 2018, "On Extensions of CLEVER", theorem 3.1. That negative
    curvature alone lowers the margin, `max(0, -λ_min(H))`, is this project's (Taylor's theorem).

    Args:
        problem: The input and its targets, without `taylor`.
        settings: What was asked for.

    Returns:
        The estimate; `None` where the Hessian says nothing about the gradient.
    """
    problem = with_taylor(problem, "norm")
    if not is_twice_differentiable(problem, None if settings.radius == "auto" else settings.radius):
        return None
    by_norm = estimate_nearest(problem, settings)
    if settings.curvature == "norm":
        return by_norm
    one_sided = estimate_nearest(with_taylor(problem, "one-sided"), settings)
    if one_sided.target == by_norm.target:  # no norm of a Hessian can be below what the one-sided searches met
        met = one_sided.evidence.within(by_norm.ball.radius)
        by_norm.evidence.secant = met.derivative.larger_of(by_norm.evidence.secant)
    better, worse = (one_sided, by_norm) if one_sided.radius >= by_norm.radius else (by_norm, one_sided)
    better.evidence.witness = better.evidence.witness.larger_of(worse.evidence.witness)
    return better


class _CandidateElimination:
    """The targets of one input, sampled side by side until one of them is known to be the nearest."""

    def __init__(self, problem: MarginProblem, settings: Settings, ball: Ball) -> None:
        self.problem, self.settings, self.ball = problem, settings, ball
        self.candidates = ball.candidates
        self.maxima: dict[int, list[float]] = {index: [] for index in self.candidates}
        self.evidence: dict[int, Evidence] = {index: ball.evidence(index) for index in self.candidates}

    def run(self) -> TargetEstimate:
        """Draw blocks, drop candidates that cannot be the nearest, and return the nearest target's estimate."""
        nearest: TargetEstimate | None = None
        for count in self.settings.schedule(len(self.candidates)):
            self._extend(count)
            estimates = [self._estimate(index) for index in self.candidates]
            nearest = min(estimates, key=lambda estimate: (estimate.radius_left, estimate.radius))
            if self.settings.racing:
                kept = [_may_be_nearest(estimate, nearest) for estimate in estimates]
                self.candidates = [index for index, keep in zip(self.candidates, kept, strict=True) if keep]
            if self.settings.blocks == "auto" and nearest.width <= self.settings.tolerance:
                break
        assert nearest is not None, "a schedule is never empty"
        for index in range(len(self.problem.targets)):
            found = self.evidence.get(index) or self.ball.evidence(index)
            nearest.evidence.witness = nearest.evidence.witness.larger_of(found.witness)
        return nearest

    def _extend(self, count: int) -> None:
        """Draw the blocks that are missing to `count`, for every candidate."""
        drawn = len(self.maxima[self.candidates[0]])
        part, settings = self.problem.only(self.candidates), self.settings
        maxima, evidence = settings.draw(part, self.ball.radius, range(drawn, count), settings.size, settings.sampler)
        for index, row, found in zip(self.candidates, maxima.tolist(), evidence, strict=True):
            self.maxima[index] += row
            self.evidence[index] = self.evidence[index].merged(found)

    def _estimate(self, index: int) -> TargetEstimate:
        """One target's block maxima and their fit; curvatures that agree within their own error are set equal."""
        maxima = [value for value in self.maxima[index] if math.isfinite(value)]
        settings, taylor = self.settings, self.problem.taylor
        if taylor is not None and maxima and max(maxima) - min(maxima) <= SAMPLE_TOLERANCE * max(maxima):
            maxima = [max(maxima)] * len(maxima)
        fit = fit_reverse_weibull(maxima, level=settings.level, tail_rate=settings.tail_rate) if maxima else None
        return TargetEstimate(
            predicted=self.problem.predicted,
            target=int(self.problem.targets[index]),
            margin=float(self.problem.margins[index]),
            ball=self.ball,
            maxima=tuple(maxima),
            fit=fit,
            evidence=self.evidence[index],
            gradient_norm=None if taylor is None else float(taylor.gradient_norms[index]),
            kind="norm" if taylor is None else taylor.kind,
        )


def _may_be_nearest(estimate: TargetEstimate, nearest: TargetEstimate) -> bool:
    """Whether the interval of a candidate reaches down to the nearest one's.

    Where the fit leaves the lower end open, the estimate divided by `ELIMINATION_FACTOR` stands in for it.
    """
    low, _ = estimate.interval
    return min(low or estimate.radius / ELIMINATION_FACTOR, estimate.radius_left) <= nearest.interval[1]
