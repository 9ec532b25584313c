"""Block maxima of curvature: what second-order CLEVER feeds the extreme-value step with.

The samplers have the signature of those in `samplers.table`, and `MarginProblem.taylor` says which curvature they
measure: `||H||_{p→q}`, or `max(0, -λ_min(H))`.

`uniform`: `block_size` uniform points of the ball, the same ones as at first order, each with as many Hessian-vector
products as its own curvature takes to converge (Weng et al. 2018, "On Extensions of CLEVER", section 3.4).

`directed`: one block is a search that spends `block_size` gradients and Hessian-vector products together on

1. *descent* of the margin inside the ball from a uniform random start, as an attack would do it;
2. *segments*: a few points of the segment from the input to the end of that path, with the segment as the first
   direction: where the margin bends along it, the curvature there is at least the bend;
3. *climbing*: with `u`, `v` the directions that attain the curvature `<u, H v>` of the best point `x`, its gradient in
   `x` is the third derivative `D³g[u, v]`, and `H(x + hu) v - H(x - hu) v` points along it. With a step as wide as the
   ball it sees beyond the next maximum. At the new point the old direction, a little disturbed, is the first one;
4. *resampling* around the best point with steps of log-uniform width;
5. *polishing*: the curvature of the best point until it converges.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from clearance.estimates.evidence import Evidence, MarginProblem, Taylor
from clearance.estimates.samplers.block_maxima import BlockMaxima, run_searches, run_uniform
from clearance.estimates.samplers.gradient_search import Draw, block_stream, shrinking
from clearance.geometry.norms import dual_norm, expand, project, steepest, vector_norm
from clearance.model.curvature import Kind, margin_curvature, margin_hessian_vectors
from clearance.model.gradients import margin_gradients
from clearance.model.seeds import make_generator

SAMPLE_TOLERANCE = 3e-3
"""Relative error of the curvature of a point that was sampled."""
MOST_PRODUCTS = 32
"""Products at most for one point, or one start of it."""
STARTS = 3
"""First directions at each uniform point for norms other than 2, where the power method ends in local maxima."""
PROBE, POLISH = 3, 12
"""Products for a point on the way, and for the best one at the end."""
DESCENT_SHARE, SEGMENT_SHARE, CLIMB_SHARE = 0.15, 0.2, 0.4
"""Shares of a block's budget; resampling gets what they and the polish leave."""
WIDTHS, LENGTHS, RESAMPLING = (0.05, 0.5), (0.1, 1.0), (0.03, 1.0)
"""Ranges of the difference width, the climbing step and the resampling step, in radii, log-uniform."""
DISTURBANCE = 0.3
"""Length of the random vector that is added to a direction of length 1 before it is used again."""
SMALLEST_BLOCK = 16
"""Gradients and products that a directed block needs at least."""


def with_taylor(problem: MarginProblem, kind: Kind, scale: float) -> MarginProblem:
    """The problem at second order: with the gradients of its margins at the input.

    Args:
        problem: The input and its targets.
        kind: Which curvature.
        scale: Largest `|logit|` of the input.

    Returns:
        The same problem with `taylor` set.
    """
    points = problem.x0.expand(len(problem.targets), *problem.x0.shape)
    _, gradients = margin_gradients(problem.model, points, problem.predicted, problem.targets)
    slopes = vector_norm(gradients, problem.dual)
    return replace(problem, taylor=Taylor(kind, gradients, slopes, scale))


def centre_bends(problem: MarginProblem) -> list[Evidence]:
    """What the curvature at the input itself says about each target."""
    found = [Evidence() for _ in problem.targets]
    generator = make_generator(problem.x0.device, problem.seed, "centre", problem.key)
    for index, evidence in enumerate(found):
        _measure(problem, index, problem.x0[None], generator, evidence)
    return found


def uniform_bends(
    problem: MarginProblem,
    radius: float,
    blocks: Sequence[int],
    block_size: int,
    purpose: str,
    beat: float | None = None,
) -> BlockMaxima:
    """Maxima of the curvature over `block_size` uniform points of the ball, fresh ones for each block.

    Args:
        problem: The input and its targets, with `taylor`.
        radius: Radius of the ball.
        blocks: Numbers of the blocks; each names its own random stream.
        block_size: Points per block.
        purpose: Names the family of random streams.
        beat: Ignored: uniform points do not look for anything.

    Returns:
        The maxima `(targets, len(blocks))` and, for each target, what was met.
    """
    del beat

    def measure(points: Tensor, generator: torch.Generator, evidence: list[Evidence]) -> Tensor:
        return torch.stack([_measure(problem, k, points, generator, found) for k, found in enumerate(evidence)])

    return run_uniform(problem, radius, blocks, block_size, purpose, measure)


def _measure(
    problem: MarginProblem, index: int, points: Tensor, generator: torch.Generator, evidence: Evidence
) -> Tensor:
    """The largest curvature of some points, each solved from random directions of its own."""
    starts = 1 if problem.norm == 2 else STARTS
    draw = torch.randn(starts, *points.shape, generator=generator, device=points.device, dtype=points.dtype)
    found = margin_curvature(
        problem.model,
        points,
        problem.predicted,
        int(problem.targets[index]),
        draw,
        norm=problem.norm,
        kind=_kind(problem),
        tolerance=SAMPLE_TOLERANCE,
        most=MOST_PRODUCTS,
    )
    evidence.add(problem, index, points, found.margins, found.values)
    return found.values.nan_to_num(-torch.inf, -torch.inf).amax()


def directed_bends(
    problem: MarginProblem,
    radius: float,
    blocks: Sequence[int],
    block_size: int,
    purpose: str,
    beat: float | None = None,
) -> BlockMaxima:
    """Maxima of the curvature over independent directed searches of `block_size` gradients and products each.

    Args:
        problem: The input and its targets, with `taylor`; each target has searches of its own.
        radius: Radius of the ball.
        blocks: Numbers of the blocks; each names its own random streams.
        block_size: Gradients and Hessian-vector products per search, counted together.
        purpose: Names the family of random streams.
        beat: Ignored: every ball is searched in the same way.

    Returns:
        The maxima `(targets, len(blocks))` and, for each target, what was met.
    """
    del beat

    def search(single: MarginProblem, group: Sequence[int]) -> tuple[Tensor, Evidence]:
        run = _CurvatureSearches(single, radius, group, block_size, purpose)
        return run.run(), run.evidence

    return run_searches(problem, blocks, search)


class _CurvatureSearches:
    """Blocks that search side by side for large curvature of one margin."""

    def __init__(self, problem: MarginProblem, radius: float, blocks: Sequence[int], budget: int, purpose: str) -> None:
        self.problem, self.radius, self.budget = problem, radius, budget
        self.draw = Draw(problem, radius, [block_stream(problem, purpose, budget, block) for block in blocks])
        self.classes = (problem.predicted, int(problem.targets[0]))
        self.evidence = Evidence()
        self.best = torch.full((len(blocks),), -torch.inf, dtype=problem.x0.dtype, device=problem.x0.device)
        self.point = problem.x0.expand(len(blocks), *problem.x0.shape).clone()
        self.vector, self.partner = torch.zeros_like(self.point), torch.zeros_like(self.point)

    def run(self) -> Tensor:
        """The block maxima."""
        left = self.budget - min(POLISH + 1, self.budget // 4)
        left -= self._follow(self._descend(round(self.budget * DESCENT_SHARE)), round(self.budget * SEGMENT_SHARE))
        left -= round(self.budget * DESCENT_SHARE)
        left -= self._climb(round(self.budget * CLIMB_SHARE))
        self._resample(left)
        self._polish(min(POLISH, self.budget // 4 - 1))
        return self.best

    def _inside(self, points: Tensor) -> Tensor:
        x0 = self.problem.x0
        return self.problem.admit(x0 + project(points - x0, self.problem.norm, self.radius))

    def _descend(self, steps: int) -> Tensor:
        """Steepest descent of the margin inside the ball; returns the last points."""
        problem = self.problem
        points = self._inside(problem.x0 + self.draw.shift())
        for step in range(steps):
            margins, gradients = margin_gradients(problem.model, points, *self.classes)
            unknown = torch.where(gradients.flatten(1).isfinite().all(1), 0.0, torch.nan).to(margins.dtype)
            self.evidence.add(problem, 0, points, margins, unknown)
            downhill = steepest(gradients.nan_to_num(0.0, 0.0, 0.0), problem.norm)
            points = self._inside(points - self.radius * shrinking(step, steps) * downhill)
        return points

    def _follow(self, ends: Tensor, budget: int) -> int:
        """One jittered point in each equal part of the segments to the ends; returns what was spent."""
        x0, count = self.problem.x0, max(1, budget // (PROBE + 1))
        for part in range(count):
            share = (part + self.draw.uniform()) / count
            self._probe(x0 + expand(share, ends) * (ends - x0), ends - x0, PROBE)
        return count * (PROBE + 1)

    def _climb(self, budget: int) -> int:
        """Steps along the third derivative from the best point of each block; returns what was spent."""
        cost = PROBE + 5
        steps = budget // cost
        width, length = (self.radius * self.draw.between(*ends) for ends in (WIDTHS, LENGTHS))
        for step in range(steps):
            points, shrink = self.point, shrinking(step, steps)
            offset = expand(width * shrink, points) * self.partner
            vector = self.vector
            ahead, behind = (self._product(self._inside(points + sign * offset), vector) for sign in (1, -1))
            uphill = steepest(ahead - behind, self.problem.norm)
            self._probe(self._inside(points + expand(length * shrink, points) * uphill), vector, PROBE)
        return steps * cost

    def _resample(self, budget: int) -> None:
        """Random steps of log-uniform width from the best point of each block."""
        for _ in range(budget // (PROBE + 1)):
            width = self.draw.between(*RESAMPLING)
            points = self._inside(self.point + expand(2 * width, self.point) * self.draw.shift())
            self._probe(points, self.vector, PROBE)

    def _polish(self, products: int) -> None:
        """The curvature of the best points; for norms other than 2, where a direction can be stuck, from new ones."""
        if self.problem.norm == 2:
            self._probe(self.point, self.vector, products)
            return
        starts = torch.stack([self._noise() for _ in range(STARTS)])
        self._measure(self.point, starts, products // STARTS)

    def _probe(self, points: Tensor, vectors: Tensor, products: int) -> None:
        """The curvature of one point of each block, by a few products from a direction that is disturbed first."""
        starts = vectors / _size(vectors, self.problem.norm) + DISTURBANCE * self._noise()
        self._measure(points, starts[None], products)

    def _noise(self) -> Tensor:
        """A random direction of length 1 for each block."""
        noise = self.draw.shift()
        return noise / _size(noise, self.problem.norm)

    def _measure(self, points: Tensor, starts: Tensor, products: int) -> None:
        found = margin_curvature(
            self.problem.model,
            points,
            *self.classes,
            starts,
            norm=self.problem.norm,
            kind=_kind(self.problem),
            tolerance=SAMPLE_TOLERANCE,
            most=max(1, products),
        )
        self.evidence.add(self.problem, 0, points, found.margins, found.values)
        self._keep(points, found.values, found.vectors, found.partners)

    def _product(self, points: Tensor, vectors: Tensor) -> Tensor:
        """One product at one point of each block; what it says about the curvature there is kept."""
        problem = self.problem
        margins, _, image = margin_hessian_vectors(problem.model, points, *self.classes, vectors)
        if _kind(problem) == "one-sided":
            values, partner = -(image * vectors).flatten(1).sum(1), -vectors
        else:
            values, partner = vector_norm(image, dual_norm(problem.norm)), steepest(image, problem.norm)
        self.evidence.add(problem, 0, points, margins, values.clamp_min(0.0))
        self._keep(points, values.clamp_min(0.0), vectors, partner)
        return image.nan_to_num(0.0, 0.0, 0.0)

    def _keep(self, points: Tensor, values: Tensor, vectors: Tensor, partners: Tensor) -> None:
        better = values >= self.best
        self.best = torch.where(better, values, self.best)
        wide = expand(better, points)
        self.point = torch.where(wide, points, self.point)
        self.vector = torch.where(wide, vectors, self.vector)
        self.partner = torch.where(wide, partners, self.partner)


def _kind(problem: MarginProblem) -> Kind:
    assert problem.taylor is not None, "curvature is asked for at second order only"
    return problem.taylor.kind


def _size(vectors: Tensor, norm: float) -> Tensor:
    """The norm of each row, to divide by."""
    return expand(vector_norm(vectors, norm).clamp_min(torch.finfo(vectors.dtype).tiny), vectors)
