"""Search for large gradient norms in a ball: one block = one search. The first-order rule of the directed sampler.

Uniform samples of a ball in hundreds of dimensions never meet the points where the margin is steep. A search does, and
since every search is an independent run of the same randomised rule, its maximum is as good a block maximum for the
extreme-value step as the largest of uniform samples is. One search spends its gradient evaluations on:

1. *descent*: from a uniform random start, steepest descent of the margin inside the ball with a step that shrinks: the
   path that an attack takes;
2. *segments*: points spread over the segment from the input to the end of that path: by the mean value theorem, a
   fall of the margin along a segment needs a gradient at least as large as the fall divided by the length;
3. *curvature ascent*: `∇ ½||∇g||² = H ∇g`, and with `u` the unit steepest direction of `g`, the difference
   `∇g(x + hu) - ∇g(x - hu)` points along `H u`. With a step `h` as wide as the ball it sees kinks too, so it also
   climbs on ReLU networks, whose Hessian is zero wherever it exists. Each step evaluates both ends, moves along the
   difference, and shrinks `h` and the step together. Both widths are drawn at random for each block;
4. *resampling* around the best point, and *bisection* of the segment from the input to it, for the nearest point that
   is as steep.

In few dimensions random points do find things, and a piecewise linear network hides its steepest region in a corner:
there, half of the blocks are region searches (`samplers.region_search`), some of the others open with uniform points
instead of a descent, and resampling takes half of a block. The latter two shares fall as `1 / dimension`.

Source: this project; what the maxima are used for is Weng, Zhang, Chen, Yi, Su, Gao, Hsieh and Daniel 2018, algorithm
1.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from clearance.estimates.evidence import INSIDE_TOLERANCE, Evidence, MarginProblem
from clearance.estimates.samplers.block_maxima import BlockMaxima, run_searches
from clearance.estimates.samplers.block_streams import BlockStreams, block_stream, shrinking
from clearance.estimates.samplers.region_search import RegionSearch
from clearance.geometry.norms import expand, steepest, vector_norm
from clearance.model.gradients import margin_gradients

DESCENT_SHARE, SEGMENT_SHARE = 0.25, 0.125
"""Shares of a block's budget, set by hand; curvature ascent gets what the other parts leave."""
UNIFORM_START_SHARE, RESAMPLE_SHARE = 0.75, 0.5
"""In few dimensions: share of the blocks that open with uniform points, share of a block's budget for resampling."""
REGION_SEARCH_SHARE = 0.5
"""Share of the blocks that are region searches, up to `FEW_DIMENSIONS`: each finds what the other misses."""
FEW_DIMENSIONS = 16
"""Above this many dimensions there are no region searches, and the two shares above them fall as `1 / dimension`: a
region search needs about as many half-spaces as there are dimensions, each at the price of a bisection."""
ASCENT_WIDTHS = (0.15, 1.0)
"""Range of the first difference width and of the first ascent step, in radii, log-uniform: which width sees a kink
depends on where it is."""
SHORTEST_RESAMPLING = 0.05
"""Smallest width of a resampling step, in radii; the largest is 1, log-uniform between."""
STEEPER = 0.005
"""A point is steep enough to refute a radius when its norm exceeds `g / radius` by this share, a little less than the
bisection of the radius resolves (`ball.BISECTION_PRECISION`)."""
INWARD_SHARE = 0.3
"""A resampling step towards the input shortens the distance by at most this share: farther in, few points are steep."""
INWARD_BISECTIONS, KEPT_NORM = 8, 0.999
"""Bisections at the end of a block, to 1/256 of the segment, and the share of the norm that they hold on to."""


def directed_gradients(
    problem: MarginProblem,
    radius: float,
    blocks: Sequence[int],
    block_size: int,
    purpose: str,
    refute: float | None = None,
) -> BlockMaxima:
    """Maxima of `||∇g||_q` over independent directed searches of `block_size` gradients each.

    Source: this project; the steps are in the module's text.

    Args:
        problem: The input and its targets; each target has searches of its own.
        radius: Radius of the ball.
        blocks: Numbers of the blocks; each names its own random streams.
        block_size: Gradient evaluations per search.
        purpose: Names the family of random streams.
        refute: A radius that the searches should try to refute.

    Returns:
        The maxima `(targets, len(blocks))` and, for each target, what was met.
    """

    def search(single: MarginProblem, group: Sequence[int]) -> tuple[Tensor, Evidence]:
        return search_blocks(single, radius=radius, blocks=group, block_size=block_size, purpose=purpose, refute=refute)

    return run_searches(problem, blocks, search)


def search_blocks(
    problem: MarginProblem,
    *,
    radius: float,
    blocks: Sequence[int],
    block_size: int,
    purpose: str,
    refute: float | None = None,
) -> tuple[Tensor, Evidence]:
    """Block maxima of `||∇g||_q` over the ball, each found by an independent randomised search, for one target.

    Source: this project; the steps are in the module's text.

    Args:
        problem: One input with exactly one target.
        radius: Radius of the ball.
        blocks: Numbers of the blocks: they name the random streams, so block 7 is the same search in any call.
        block_size: Gradient evaluations that each search may spend.
        purpose: Names the family of random streams.
        refute: A radius to refute: once a point is met that is steep enough for that, resampling and bisection look
            for the nearest such point.

    Returns:
        The maxima `(len(blocks),)`, and what was met on the way.
    """
    streams = [block_stream(problem, purpose, block_size, block) for block in blocks]
    if problem.x0.numel() > FEW_DIMENSIONS or problem.clip:
        return _search(problem, radius, streams, block_size, refute)
    regional = [
        float(torch.rand(1, generator=stream, device=stream.device, dtype=torch.float32)) < REGION_SEARCH_SHARE
        for stream in streams
    ]
    best = torch.empty(len(blocks), dtype=problem.x0.dtype, device=problem.x0.device)
    evidence = Evidence()
    for chosen in (True, False):
        rows = [row for row, by_region in enumerate(regional) if by_region is chosen]
        if rows:
            part = [streams[row] for row in rows]
            found = (
                _search_regions(problem, radius, part, block_size)
                if chosen
                else _search(problem, radius, part, block_size, refute)
            )
            best[rows], evidence = found[0], evidence.merged(found[1])
    return best, evidence


def _search_regions(
    problem: MarginProblem, radius: float, streams: list[torch.Generator], budget: int
) -> tuple[Tensor, Evidence]:
    """Blocks that are region searches, side by side: the gradients that all of them ask for are one batch."""
    searches = [RegionSearch(problem.x0.numel(), radius, problem.norm, budget, _on_cpu(stream)) for stream in streams]
    queries = [search.queries() for search in searches]
    shifts = np.stack([next(query) for query in queries])
    best = torch.full((len(queries),), -math.inf, dtype=problem.x0.dtype, device=problem.x0.device)
    evidence = Evidence()
    for step in range(budget):
        delta = torch.as_tensor(shifts, dtype=problem.x0.dtype, device=problem.x0.device)
        points = problem.x0 + delta.reshape(-1, *problem.x0.shape)
        margins, gradients = margin_gradients(problem.model, points, problem.predicted, problem.targets[0])
        norms = problem.directions.support(gradients)
        inside = problem.distance(points) <= radius * (1 + INSIDE_TOLERANCE)
        evidence.samples += int((~inside).sum())
        if bool(inside.any()):
            evidence.add(problem, 0, points[inside], margins[inside], norms[inside])
        best = torch.where(inside & (norms > best), norms, best)
        answers = gradients.flatten(1).nan_to_num(0.0, 0.0, 0.0).double().cpu().numpy()
        if step < budget - 1:
            shifts = np.stack([query.send(answer) for query, answer in zip(queries, answers, strict=True)])
    return best, evidence


def _on_cpu(stream: torch.Generator) -> torch.Generator:
    """A stream that continues this one on the CPU, where region searches are planned."""
    seed = int(torch.randint(2**62, (1,), generator=stream, device=stream.device))
    return torch.Generator().manual_seed(seed)


def _search(
    problem: MarginProblem, radius: float, streams: list[torch.Generator], block_size: int, refute: float | None
) -> tuple[Tensor, Evidence]:
    """Blocks that descend, follow segments, climb, resample and bisect, side by side."""
    draw = BlockStreams(problem, radius, streams)
    goal = math.inf if refute is None else float(problem.margins[0]) / refute * (1 + STEEPER)
    goal = goal if goal <= torch.finfo(problem.x0.dtype).max else math.inf
    searches = _GradientSearches(problem, radius, goal, len(streams))
    shares = _split(block_size, _fewness(problem))
    uniform = draw.uniform() < UNIFORM_START_SHARE * _fewness(problem)
    ends = _open(searches, draw, uniform, shares.descent)
    _follow_segments(searches, draw, uniform, ends, shares.segment)
    _climb(searches, draw, shares.climb)
    _resample(searches, draw, shares.resample)
    _bisect_inward(searches, shares.inward)
    return searches.best, searches.evidence


def _fewness(problem: MarginProblem) -> float:
    """1 in few dimensions, then falling as `1 / dimension`."""
    return min(1.0, FEW_DIMENSIONS / problem.x0.numel())


@dataclass(frozen=True)
class _Shares:
    """Gradient evaluations of one block, by part."""

    descent: int
    segment: int
    climb: int
    resample: int
    inward: int


def _split(block_size: int, fewness: float) -> _Shares:
    """The parts of a block: they add up to its size, and the first is never empty."""
    descent = max(1, round(block_size * DESCENT_SHARE))
    segment = min(block_size - descent, round(block_size * SEGMENT_SHARE))
    resample = min(block_size - descent - segment, round(block_size * RESAMPLE_SHARE * fewness))
    inward = min(INWARD_BISECTIONS, (block_size - descent - segment - resample) // 4)
    return _Shares(descent, segment, block_size - descent - segment - resample - inward, resample, inward)


class _GradientSearches:
    """Blocks that search side by side: the best point of each, and the nearest one that is steep enough."""

    def __init__(self, problem: MarginProblem, radius: float, goal: float, count: int) -> None:
        self.problem, self.radius, self.goal = problem, radius, goal
        self.evidence = Evidence()
        self.best = torch.full((count,), -math.inf, dtype=problem.x0.dtype, device=problem.x0.device)
        self.point = problem.x0.expand(count, *problem.x0.shape).clone()
        self.gradient = torch.zeros_like(self.point)
        self.near_distance = torch.full_like(self.best, math.inf)
        self.near = self.point.clone()

    def inside(self, points: Tensor) -> Tensor:
        """Bring points back into the ball (and the bounds, where asked)."""
        return self.problem.into_ball(points, self.radius)

    def visit(self, points: Tensor) -> Tensor:
        """Evaluate one point of each block, keep what is new, and return the gradients."""
        problem = self.problem
        margins, gradients = margin_gradients(problem.model, points, problem.predicted, problem.targets[0])
        norms, distance = problem.directions.support(gradients), problem.distance(points)
        self.evidence.add(problem, 0, points, margins, norms)
        better = norms >= self.best
        self.best = torch.where(better, norms, self.best)
        self.point = torch.where(expand(better, points), points, self.point)
        self.gradient = torch.where(expand(better, points), gradients, self.gradient)
        nearer = (norms >= self.goal) & (distance <= self.near_distance)
        self.near_distance = torch.where(nearer, distance, self.near_distance)
        self.near = torch.where(expand(nearer, points), points, self.near)
        return gradients.nan_to_num(0.0, 0.0, 0.0)


def _open(searches: _GradientSearches, draw: BlockStreams, uniform: Tensor, steps: int) -> Tensor:
    """Steepest descent of the margin inside the ball, or uniform points in some blocks; returns the last points."""
    x0, norm = searches.problem.x0, searches.problem.norm
    points = searches.inside(x0 + draw.shift())
    for step in range(steps):
        downhill = steepest(searches.visit(points), norm)
        lower = points - searches.radius * shrinking(step, steps) * downhill
        points = searches.inside(torch.where(expand(uniform, points), x0 + draw.shift(uniform), lower))
    return points


def _follow_segments(
    searches: _GradientSearches, draw: BlockStreams, uniform: Tensor, ends: Tensor, count: int
) -> None:
    """One jittered point in each equal part of the segment from the input to each end, or uniform points."""
    x0 = searches.problem.x0
    for part in range(count):
        share = (part + draw.uniform()) / count
        points = x0 + expand(share, ends) * (ends - x0)
        searches.visit(searches.inside(torch.where(expand(uniform, ends), x0 + draw.shift(uniform), points)))


def _climb(searches: _GradientSearches, draw: BlockStreams, budget: int) -> None:
    """Curvature ascent of the gradient norm from the best point of each block."""
    norm, steps = searches.problem.norm, budget // 2
    width, length = (searches.radius * draw.between(*ASCENT_WIDTHS) for _ in range(2))
    points, gradients = searches.point, searches.gradient
    for step in range(steps):
        shrink = shrinking(step, steps)
        offset = expand(width * shrink, points) * steepest(gradients, norm)
        ahead = searches.visit(searches.inside(points + offset))
        behind = searches.visit(searches.inside(points - offset))
        points = searches.inside(points + expand(length * shrink, points) * steepest(ahead - behind, norm))
        gradients = 0.5 * (ahead + behind)
    if budget % 2:
        searches.visit(points)


def _resample(searches: _GradientSearches, draw: BlockStreams, count: int) -> None:
    """Random steps of log-uniform width: from the best point, half of them to the sphere; or from a steep one, in."""
    x0, norm, radius = searches.problem.x0, searches.problem.norm, searches.radius
    for _ in range(count):
        width, coin = draw.between(SHORTEST_RESAMPLING, 1.0), draw.uniform()
        steep = searches.near_distance.isfinite()
        base = torch.where(expand(steep, x0[None]), searches.near, searches.point)
        outer = torch.where(steep, searches.near_distance, radius)
        shift = base - x0 + expand(2 * width * outer / radius, base) * draw.shift()
        limits = torch.finfo(shift.dtype)
        scale = (outer / vector_norm(shift, norm).clamp_min(limits.tiny)).clamp_max(limits.max)
        inward = (scale * (1 - INWARD_SHARE * coin**2)).clamp_max(1.0)
        kept = torch.where(coin < 0.5, scale, scale.clamp_max(1.0))
        searches.visit(searches.inside(x0 + expand(torch.where(steep, inward, kept), shift) * shift))


def _bisect_inward(searches: _GradientSearches, steps: int) -> None:
    """Bisect the segment from the input to each best (or steep) point for the nearest point that is about as steep.

    A piecewise linear network takes its largest gradient on a whole region; the nearest point of it says most about
    which radii are refuted.
    """
    x0, steep = searches.problem.x0, searches.near_distance.isfinite()
    goal = torch.where(steep, searches.goal, searches.best * KEPT_NORM)
    end = torch.where(expand(steep, x0[None]), searches.near, searches.point)
    low, high = torch.zeros_like(goal), torch.ones_like(goal)
    for _ in range(steps):
        middle = 0.5 * (low + high)
        norms = searches.problem.directions.support(searches.visit(x0 + expand(middle, end) * (end - x0)))
        low, high = torch.where(norms < goal, middle, low), torch.where(norms < goal, high, middle)
