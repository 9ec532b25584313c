"""Directed search for large gradient norms in a ball: one block = one search.

Uniform samples of a ball in hundreds of dimensions never meet the points where the margin is steep. A search does, and
since every search is an independent run of the same randomised rule, its maximum is as good a block maximum for the
extreme-value step as the largest of uniform samples is. One search spends its budget on three things:

1. *descent*: from a uniform random start, steepest descent of the margin inside the ball with a step that shrinks: the
   path that an attack takes;
2. *segments*: points spread over the segment from the input to the end of that path: by the mean-value theorem, a
   fall of the margin along a segment needs a gradient at least as large as the fall divided by the length;
3. *curvature ascent*: `∇ ½||∇g||² = H ∇g`, and with `u` the unit steepest direction of `g`, the difference
   `∇g(x + hu) - ∇g(x - hu)` points along `H u`. With a step `h` as wide as the ball it sees kinks too, so it also
   climbs on ReLU networks, whose Hessian is zero wherever it exists. Each step moves along that difference, evaluates
   both ends, and shrinks `h` and the step together.

The widths of the third part are drawn at random for each block: short steps climb, long ones change basin.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from clearance.balls import sample_ball
from clearance.derivatives import margin_gradients
from clearance.evidence import Evidence, Problem
from clearance.norms import expand, project, steepest, vector_norm
from clearance.seeds import make_generator

DESCENT_SHARE, SEGMENT_SHARE = 0.25, 0.125
"""Shares of a block's budget; the rest goes to curvature ascent."""
FINAL_STEP = 0.02
"""Steps shrink along a cosine from 1 to this share of their first length."""
WIDTHS = (0.15, 1.0)
"""Range of the first difference width and of the first ascent step, in radii, log-uniform."""


def search_blocks(
    problem: Problem, *, radius: float, blocks: Sequence[int], block_size: int, purpose: str
) -> tuple[Tensor, Evidence]:
    """Block maxima of `||∇g||_q` over the ball, each found by an independent randomised search.

    Args:
        problem: One input with exactly one target.
        radius: Radius of the ball.
        blocks: Numbers of the blocks: they name the random streams, so block 7 is the same search in any call.
        block_size: Gradient evaluations that each search may spend.
        purpose: Names the family of random streams.

    Returns:
        The maxima `(len(blocks),)`, and what was met on the way.
    """
    drawn = _draw(problem, radius, blocks, block_size, purpose)
    searches = _Searches(problem, radius, len(blocks))
    descent = max(1, round(block_size * DESCENT_SHARE))
    segment = min(block_size - descent, round(block_size * SEGMENT_SHARE))
    ends = _descend(searches, drawn.start, descent)
    _follow_segments(searches, ends, drawn.jitter[:, :segment])
    _climb(searches, drawn, block_size - descent - segment)
    return searches.best, searches.evidence


@dataclass(frozen=True)
class _Draw:
    """The random part of each block: start `(blocks, *input)`, jitter `(blocks, block_size)`, widths `(blocks,)`."""

    start: Tensor
    jitter: Tensor
    difference: Tensor
    step: Tensor


def _draw(problem: Problem, radius: float, blocks: Sequence[int], block_size: int, purpose: str) -> _Draw:
    device, dtype = problem.x0.device, problem.x0.dtype
    starts: list[Tensor] = []
    numbers: list[Tensor] = []
    for block in blocks:
        generator = make_generator(device, problem.seed, purpose, problem.key, int(problem.targets[0]), block)
        starts.append(
            sample_ball(
                1, tuple(problem.x0.shape), norm=problem.order, radius=radius, generator=generator, dtype=dtype
            )
        )
        numbers.append(torch.rand(1, block_size + 2, generator=generator, device=device, dtype=dtype))
    uniform = torch.cat(numbers)
    low, high = (math.log(width) for width in WIDTHS)
    widths = radius * (low + uniform[:, :2] * (high - low)).exp()
    return _Draw(problem.x0 + torch.cat(starts), uniform[:, 2:], widths[:, 0], widths[:, 1])


class _Searches:
    """Blocks that search side by side, with the best point of each."""

    def __init__(self, problem: Problem, radius: float, count: int) -> None:
        self.problem, self.radius = problem, radius
        self.evidence = Evidence()
        self.best = torch.full((count,), -math.inf, dtype=problem.x0.dtype, device=problem.x0.device)
        self.point = problem.x0.expand(count, *problem.x0.shape).clone()
        self.gradient = torch.zeros_like(self.point)

    def inside(self, points: Tensor) -> Tensor:
        """Bring points back into the ball (and the bounds, where asked)."""
        x0 = self.problem.x0
        return self.problem.admit(x0 + project(points - x0, self.problem.order, self.radius))

    def visit(self, points: Tensor) -> Tensor:
        """Evaluate one point of each block, keep what is new, and return the gradients."""
        problem = self.problem
        margins, gradients = margin_gradients(problem.model, points, problem.predicted, problem.targets[0])
        norms = vector_norm(gradients, problem.dual)
        self.evidence.add(problem, 0, points, margins, norms)
        better = norms > self.best
        chosen = expand(better, points)
        self.best = torch.where(better, norms, self.best)
        self.point = torch.where(chosen, points, self.point)
        self.gradient = torch.where(chosen, gradients, self.gradient)
        return gradients.nan_to_num(0.0, 0.0, 0.0)


def _shrink(step: int, steps: int) -> float:
    """Cosine from 1 towards `FINAL_STEP`."""
    return FINAL_STEP + (1 - FINAL_STEP) * 0.5 * (1 + math.cos(math.pi * step / steps))


def _descend(searches: _Searches, points: Tensor, steps: int) -> Tensor:
    """Steepest descent of the margin inside the ball; returns the ends."""
    points = searches.inside(points)
    for step in range(steps):
        downhill = steepest(searches.visit(points), searches.problem.order)
        points = searches.inside(points - searches.radius * _shrink(step, steps) * downhill)
    return points


def _follow_segments(searches: _Searches, ends: Tensor, jitter: Tensor) -> None:
    """One jittered point in each equal part of the segment from the input to each end."""
    count = jitter.shape[1]
    x0 = searches.problem.x0
    for part in range(count):
        share = (part + jitter[:, part]) / count
        searches.visit(x0 + expand(share, ends) * (ends - x0))


def _climb(searches: _Searches, drawn: _Draw, budget: int) -> None:
    """Curvature ascent of the gradient norm from the best point of each block."""
    order, steps = searches.problem.order, budget // 2
    points, gradients = searches.point, searches.gradient
    for step in range(steps):
        shrink = _shrink(step, steps)
        offset = expand(drawn.difference * shrink, points) * steepest(gradients, order)
        ahead, behind = searches.inside(points + offset), searches.inside(points - offset)
        gradient_ahead, gradient_behind = searches.visit(ahead), searches.visit(behind)
        uphill = steepest(gradient_ahead - gradient_behind, order)
        points = searches.inside(points + expand(drawn.step * shrink, points) * uphill)
        gradients = 0.5 * (gradient_ahead + gradient_behind)
    if budget % 2:
        searches.visit(points)
