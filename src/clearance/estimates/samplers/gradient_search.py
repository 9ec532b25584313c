"""Directed search for large gradient norms in a ball: one block = one search.

Uniform samples of a ball in hundreds of dimensions never meet the points where the margin is steep. A search does, and
since every search is an independent run of the same randomised rule, its maximum is as good a block maximum for the
extreme-value step as the largest of uniform samples is. One search spends its gradient evaluations on:

1. *descent*: from a uniform random start, steepest descent of the margin inside the ball with a step that shrinks: the
   path that an attack takes;
2. *segments*: points spread over the segment from the input to the end of that path: by the mean-value theorem, a
   fall of the margin along a segment needs a gradient at least as large as the fall divided by the length;
3. *curvature ascent*: `∇ ½||∇g||² = H ∇g`, and with `u` the unit steepest direction of `g`, the difference
   `∇g(x + hu) - ∇g(x - hu)` points along `H u`. With a step `h` as wide as the ball it sees kinks too, so it also
   climbs on ReLU networks, whose Hessian is zero wherever it exists. Each step evaluates both ends, moves along the
   difference, and shrinks `h` and the step together. Both widths are drawn at random for each block;
4. *resampling* around the best point, and *retreat* from it towards the input, to the nearest point that is as steep.

In few dimensions random points do find things, and a piecewise linear network hides its steepest region in a corner:
there, some blocks open with uniform points instead of a descent, and resampling takes half of a block. Both shares
fall as `1 / dimension`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from clearance.estimates.evidence import Evidence, MarginProblem
from clearance.estimates.samplers.region_search import Hunt
from clearance.geometry.balls import sample_shifts
from clearance.geometry.norms import expand, project, steepest, vector_norm
from clearance.model.gradients import margin_gradients
from clearance.model.seeds import make_generator

DESCENT_SHARE, SEGMENT_SHARE = 0.25, 0.125
"""Shares of a block's budget; curvature ascent gets what the other parts leave."""
SCOUT_SHARE, RESAMPLE_SHARE = 0.75, 0.5
"""In few dimensions: share of the blocks that open with uniform points, share of a block's budget for resampling."""
ROUNDING = 1e-6
"""A point counts as in the ball up to this share of its radius."""
HUNT_SHARE = 0.5
"""Share of the blocks that walk to steep linear pieces instead, up to `FEW_DIMENSIONS`."""
FEW_DIMENSIONS = 16
"""Above this many dimensions those two shares fall as `1 / dimension`."""
WIDTHS = (0.15, 1.0)
"""Range of the first difference width and of the first ascent step, in radii, log-uniform."""
FINAL_STEP = 0.02
"""Steps shrink along a cosine from 1 to this share of their first length."""
NARROWEST = 0.05
"""Smallest width of a resampling step, in radii; the largest is 1, log-uniform between."""
STEEPER = 0.005
"""A point is steep enough to refute a radius when its norm exceeds `g / radius` by this share."""
PULL = 0.3
"""A resampling step towards the input shortens the distance by at most this share."""
RETREAT_STEPS, RETREAT_LOSS = 8, 0.999
"""Bisections at the end of a block, and the share of the norm that they hold on to."""


def search_blocks(
    problem: MarginProblem,
    *,
    radius: float,
    blocks: Sequence[int],
    block_size: int,
    purpose: str,
    beat: float | None = None,
) -> tuple[Tensor, Evidence]:
    """Block maxima of `||∇g||_q` over the ball, each found by an independent randomised search.

    Args:
        problem: One input with exactly one target.
        radius: Radius of the ball.
        blocks: Numbers of the blocks: they name the random streams, so block 7 is the same search in any call.
        block_size: Gradient evaluations that each search may spend.
        purpose: Names the family of random streams.
        beat: A radius to refute: once a point is met that is steep enough for that, resampling and retreat look for
            the nearest such point.

    Returns:
        The maxima `(len(blocks),)`, and what was met on the way.
    """
    streams = [block_stream(problem, purpose, block_size, block) for block in blocks]
    if problem.x0.numel() > FEW_DIMENSIONS or problem.clip:
        return _search(problem, radius, streams, block_size, beat)
    hunts = [float(torch.rand(1, generator=stream, device=stream.device)) < HUNT_SHARE for stream in streams]
    best = torch.empty(len(blocks), dtype=problem.x0.dtype, device=problem.x0.device)
    evidence = Evidence()
    for chosen in (True, False):
        rows = [row for row, hunting in enumerate(hunts) if hunting is chosen]
        if rows:
            part = [streams[row] for row in rows]
            search = (
                _hunt(problem, radius, part, block_size) if chosen else _search(problem, radius, part, block_size, beat)
            )
            best[rows], evidence = search[0], evidence.merged(search[1])
    return best, evidence


def _hunt(
    problem: MarginProblem, radius: float, streams: list[torch.Generator], budget: int
) -> tuple[Tensor, Evidence]:
    """Blocks that walk to steep linear pieces (`samplers.region_search`), side by side."""
    hunts = [Hunt(problem.x0.numel(), radius, problem.norm, budget, _on_cpu(stream)) for stream in streams]
    walks = [hunt.walk() for hunt in hunts]
    shifts = np.stack([next(walk) for walk in walks])
    best = torch.full((len(walks),), -math.inf, dtype=problem.x0.dtype, device=problem.x0.device)
    evidence = Evidence()
    for step in range(budget):
        delta = torch.as_tensor(shifts, dtype=problem.x0.dtype, device=problem.x0.device)
        points = problem.x0 + delta.reshape(-1, *problem.x0.shape)
        margins, gradients = margin_gradients(problem.model, points, problem.predicted, problem.targets[0])
        norms = vector_norm(gradients, problem.dual)
        inside = problem.distance(points) <= radius * (1 + ROUNDING)
        evidence.samples += int((~inside).sum())
        if bool(inside.any()):
            evidence.add(problem, 0, points[inside], margins[inside], norms[inside])
        best = torch.where(inside & (norms > best), norms, best)
        answers = gradients.flatten(1).nan_to_num(0.0, 0.0, 0.0).double().cpu().numpy()
        if step < budget - 1:
            shifts = np.stack([walk.send(answer) for walk, answer in zip(walks, answers, strict=True)])
    return best, evidence


def _on_cpu(stream: torch.Generator) -> torch.Generator:
    """A stream that continues this one on the CPU, where the walks are planned."""
    seed = int(torch.randint(2**62, (1,), generator=stream, device=stream.device))
    return torch.Generator().manual_seed(seed)


def _search(
    problem: MarginProblem, radius: float, streams: list[torch.Generator], block_size: int, beat: float | None
) -> tuple[Tensor, Evidence]:
    """Blocks that descend, follow segments, climb, resample and retreat, side by side."""
    draw = Draw(problem, radius, streams)
    goal = math.inf if beat is None else float(problem.margins[0]) / beat * (1 + STEEPER)
    searches = _GradientSearches(problem, radius, goal, len(streams))
    shares = _split(block_size, _fewness(problem))
    scout = draw.uniform() < SCOUT_SHARE * _fewness(problem)
    ends = _open(searches, draw, scout, shares.descent)
    _follow_segments(searches, draw, scout, ends, shares.segment)
    _climb(searches, draw, shares.climb)
    _resample(searches, draw, shares.resample)
    _retreat(searches, shares.retreat)
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
    retreat: int


def _split(block_size: int, fewness: float) -> _Shares:
    """The parts of a block: they add up to its size, and the first is never empty."""
    descent = max(1, round(block_size * DESCENT_SHARE))
    segment = min(block_size - descent, round(block_size * SEGMENT_SHARE))
    resample = min(block_size - descent - segment, round(block_size * RESAMPLE_SHARE * fewness))
    retreat = min(RETREAT_STEPS, (block_size - descent - segment - resample) // 4)
    return _Shares(descent, segment, block_size - descent - segment - resample - retreat, resample, retreat)


def block_stream(problem: MarginProblem, purpose: str, block_size: int, block: int) -> torch.Generator:
    """The random stream of one block: the same whatever other blocks there are."""
    keys = (purpose, problem.key, int(problem.targets[0]), block_size, block)
    return make_generator(problem.x0.device, problem.seed, *keys)


@dataclass(frozen=True)
class Draw:
    """Random numbers for blocks that run side by side, each from its own stream."""

    problem: MarginProblem
    radius: float
    generators: list[torch.Generator]

    def uniform(self) -> Tensor:
        """One number in [0, 1) per block, `(blocks,)`."""
        dtype = self.problem.x0.dtype
        return torch.cat([torch.rand(1, generator=g, device=g.device, dtype=dtype) for g in self.generators])

    def between(self, low: float, high: float) -> Tensor:
        """One log-uniform number per block, `(blocks,)`."""
        return (math.log(low) + self.uniform() * math.log(high / low)).exp()

    def shift(self, chosen: Tensor | None = None) -> Tensor:
        """One uniform point of the ball around 0 for each (chosen) block, else 0; `(blocks, *input)`."""
        x0 = self.problem.x0
        points = torch.zeros(len(self.generators), *x0.shape, device=x0.device, dtype=x0.dtype)
        rows = range(len(points)) if chosen is None else chosen.nonzero().flatten().tolist()
        for row in rows:
            generator = self.generators[row]
            points[row] = sample_shifts(x0, 1, norm=self.problem.norm, radius=self.radius, generator=generator)[0]
        return points


class _GradientSearches:
    """Blocks that search side by side: the best point of each, and the nearest one that is steep enough."""

    def __init__(self, problem: MarginProblem, radius: float, goal: float, count: int) -> None:
        self.problem, self.radius, self.goal = problem, radius, goal
        self.evidence = Evidence()
        self.best = torch.full((count,), -math.inf, dtype=problem.x0.dtype, device=problem.x0.device)
        self.point = problem.x0.expand(count, *problem.x0.shape).clone()
        self.gradient = torch.zeros_like(self.point)
        self.reach = torch.full_like(self.best, math.inf)
        self.near = self.point.clone()

    def inside(self, points: Tensor) -> Tensor:
        """Bring points back into the ball (and the bounds, where asked)."""
        x0 = self.problem.x0
        return self.problem.admit(x0 + project(points - x0, self.problem.norm, self.radius))

    def visit(self, points: Tensor) -> Tensor:
        """Evaluate one point of each block, keep what is new, and return the gradients."""
        problem = self.problem
        margins, gradients = margin_gradients(problem.model, points, problem.predicted, problem.targets[0])
        norms, distance = vector_norm(gradients, problem.dual), problem.distance(points)
        self.evidence.add(problem, 0, points, margins, norms)
        better = norms >= self.best
        self.best = torch.where(better, norms, self.best)
        self.point = torch.where(expand(better, points), points, self.point)
        self.gradient = torch.where(expand(better, points), gradients, self.gradient)
        nearer = (norms >= self.goal) & (distance <= self.reach)
        self.reach = torch.where(nearer, distance, self.reach)
        self.near = torch.where(expand(nearer, points), points, self.near)
        return gradients.nan_to_num(0.0, 0.0, 0.0)


def shrinking(step: int, steps: int) -> float:
    """Cosine from 1 towards `FINAL_STEP`, the factor of a step's length."""
    return FINAL_STEP + (1 - FINAL_STEP) * 0.5 * (1 + math.cos(math.pi * step / steps))


def _open(searches: _GradientSearches, draw: Draw, scout: Tensor, steps: int) -> Tensor:
    """Steepest descent of the margin inside the ball, or, for scouts, uniform points; returns the last points."""
    x0, norm = searches.problem.x0, searches.problem.norm
    points = searches.inside(x0 + draw.shift())
    for step in range(steps):
        downhill = steepest(searches.visit(points), norm)
        lower = points - searches.radius * shrinking(step, steps) * downhill
        points = searches.inside(torch.where(expand(scout, points), x0 + draw.shift(scout), lower))
    return points


def _follow_segments(searches: _GradientSearches, draw: Draw, scout: Tensor, ends: Tensor, count: int) -> None:
    """One jittered point in each equal part of the segment from the input to each end; uniform points for scouts."""
    x0 = searches.problem.x0
    for part in range(count):
        share = (part + draw.uniform()) / count
        points = x0 + expand(share, ends) * (ends - x0)
        searches.visit(searches.inside(torch.where(expand(scout, ends), x0 + draw.shift(scout), points)))


def _climb(searches: _GradientSearches, draw: Draw, budget: int) -> None:
    """Curvature ascent of the gradient norm from the best point of each block."""
    norm, steps = searches.problem.norm, budget // 2
    width, length = (searches.radius * draw.between(*WIDTHS) for _ in range(2))
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


def _resample(searches: _GradientSearches, draw: Draw, count: int) -> None:
    """Random steps of log-uniform width: from the best point, half of them to the sphere; or from a steep one, in."""
    x0, norm, radius = searches.problem.x0, searches.problem.norm, searches.radius
    for _ in range(count):
        width, coin = draw.between(NARROWEST, 1.0), draw.uniform()
        steep = searches.reach.isfinite()
        base = torch.where(expand(steep, x0[None]), searches.near, searches.point)
        reach = torch.where(steep, searches.reach, radius)
        shift = base - x0 + expand(2 * width * reach / radius, base) * draw.shift()
        scale = reach / vector_norm(shift, norm).clamp_min(torch.finfo(shift.dtype).tiny)
        inward = (scale * (1 - PULL * coin**2)).clamp_max(1.0)
        kept = torch.where(coin < 0.5, scale, scale.clamp_max(1.0))
        searches.visit(searches.inside(x0 + expand(torch.where(steep, inward, kept), shift) * shift))


def _retreat(searches: _GradientSearches, steps: int) -> None:
    """Bisect the segment from the input to each best (or steep) point for the nearest point that is about as steep.

    A piecewise linear network takes its largest gradient on a whole region; the nearest point of it says most about
    which radii are refuted.
    """
    x0, steep = searches.problem.x0, searches.reach.isfinite()
    goal = torch.where(steep, searches.goal, searches.best * RETREAT_LOSS)
    end = torch.where(expand(steep, x0[None]), searches.near, searches.point)
    low, high = torch.zeros_like(goal), torch.ones_like(goal)
    for _ in range(steps):
        middle = 0.5 * (low + high)
        norms = vector_norm(searches.visit(x0 + expand(middle, end) * (end - x0)), searches.problem.dual)
        low, high = torch.where(norms < goal, middle, low), torch.where(norms < goal, high, middle)
