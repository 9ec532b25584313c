"""Search for large curvature in a ball: one block = one search. The second-order rule of the directed sampler.

A block spends `block_size` gradients and Hessian-vector products together on

1. *descent* of the margin inside the ball from a uniform random start, as an attack would do it;
2. *segments*: a few points of the segment from the input to the end of that path, with the segment as the first
   direction: the largest curvature there is at least the secant curvature along it;
3. *climbing*: with `u`, `v` the directions that attain the curvature `<u, H v>` of the best point `x`, its gradient in
   `x` is the third derivative `D³g[u, v]`, and `H(x + hu) v - H(x - hu) v` points along it. With a step as wide as the
   ball it sees beyond the next maximum. At the new point the old direction, a little disturbed, is the first one;
4. *resampling* around the best point with steps of log-uniform width;
5. *polishing*: the curvature of the best point until it converges.

`MarginProblem.taylor` says which curvature is meant: `||H||_{p→q}`, or `max(0, -λ_min(H))`. Source: this project; what
the maxima are used for is Weng, Zhang, Chen, Lozano, Hsieh and Daniel 2018, "On Extensions of CLEVER", section 3.4.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from clearance.estimates.evidence import Evidence, MarginProblem
from clearance.estimates.samplers.block_maxima import BlockMaxima, run_searches
from clearance.estimates.samplers.block_streams import BlockStreams, block_stream, shrinking
from clearance.estimates.samplers.point_curvature import POWER_METHOD_STARTS, SAMPLE_TOLERANCE, curvature_kind
from clearance.geometry.norms import dual_norm, expand, steepest, vector_norm
from clearance.model.curvature import margin_curvature, margin_hessian_vectors
from clearance.model.gradients import finite_rows, margin_gradients

PROBE_PRODUCTS, POLISH_PRODUCTS = 3, 12
"""Products for a point on the way, where a rough value is enough to compare, and for the best one at the end."""
CURVATURE_DESCENT, CURVATURE_SEGMENT, CURVATURE_CLIMB = 0.15, 0.2, 0.4
"""Shares of a block's budget, set by hand; resampling gets what they and the polish leave."""
DIFFERENCE_WIDTHS, CLIMB_LENGTHS, CURVATURE_RESAMPLING = (0.05, 0.5), (0.1, 1.0), (0.03, 1.0)
"""Ranges of the difference width, the climbing step and the resampling step, in radii, log-uniform: from a fine step to
one that crosses the ball, because the scale on which the curvature varies is not known."""
DISTURBANCE = 0.3
"""Length of the random vector that is added to a direction of length 1 before it is used again, lest it stay at an
eigenvector that is not the largest one's."""


def directed_curvatures(
    problem: MarginProblem,
    radius: float,
    blocks: Sequence[int],
    block_size: int,
    purpose: str,
    refute: float | None = None,
) -> BlockMaxima:
    """Maxima of the curvature over independent directed searches of `block_size` gradients and products each.

    The curvature is `||H||_{p→q}`, or `max(0, -λ_min(H))`, as `problem.taylor` says. Source: this project; the steps
    are in the module's text.

    Args:
        problem: The input and its targets, with `taylor`; each target has searches of its own.
        radius: Radius of the ball.
        blocks: Numbers of the blocks; each names its own random streams.
        block_size: Gradients and Hessian-vector products per search, counted together.
        purpose: Names the family of random streams.
        refute: Ignored: every ball is searched in the same way.

    Returns:
        The maxima `(targets, len(blocks))` and, for each target, what was met.
    """
    del refute

    def search(single: MarginProblem, group: Sequence[int]) -> tuple[Tensor, Evidence]:
        run = _CurvatureSearches(single, radius, group, block_size, purpose)
        return run.run(), run.evidence

    return run_searches(problem, blocks, search)


class _CurvatureSearches:
    """Blocks that search side by side for large curvature of one margin."""

    def __init__(self, problem: MarginProblem, radius: float, blocks: Sequence[int], budget: int, purpose: str) -> None:
        self.problem, self.radius, self.budget = problem, radius, budget
        self.draw = BlockStreams(problem, radius, [block_stream(problem, purpose, budget, block) for block in blocks])
        self.classes = (problem.predicted, int(problem.targets[0]))
        self.evidence = Evidence()
        self.best = torch.full((len(blocks),), -torch.inf, dtype=problem.x0.dtype, device=problem.x0.device)
        self.point = problem.x0.expand(len(blocks), *problem.x0.shape).clone()
        self.vector, self.partner = torch.zeros_like(self.point), torch.zeros_like(self.point)

    def run(self) -> Tensor:
        """The block maxima."""
        left = self.budget - min(POLISH_PRODUCTS + 1, self.budget // 4)
        steps = round(self.budget * CURVATURE_DESCENT)
        left -= self._follow(self._descend(steps), round(self.budget * CURVATURE_SEGMENT))
        left -= steps
        left -= self._climb(round(self.budget * CURVATURE_CLIMB))
        self._resample(left)
        self._polish(min(POLISH_PRODUCTS, self.budget // 4 - 1))
        return self.best

    def _inside(self, points: Tensor) -> Tensor:
        return self.problem.into_ball(points, self.radius)

    def _descend(self, steps: int) -> Tensor:
        """Steepest descent of the margin inside the ball; returns the last points."""
        problem = self.problem
        points = self._inside(problem.x0 + self.draw.shift())
        for step in range(steps):
            margins, gradients = margin_gradients(problem.model, points, *self.classes)
            unknown = torch.where(finite_rows(gradients), 0.0, torch.nan).to(margins.dtype)
            self.evidence.add(problem, 0, points, margins, unknown)
            downhill = steepest(gradients.nan_to_num(0.0, 0.0, 0.0), problem.norm)
            points = self._inside(points - self.radius * shrinking(step, steps) * downhill)
        return points

    def _follow(self, ends: Tensor, budget: int) -> int:
        """One jittered point in each equal part of the segments to the ends; returns what was spent."""
        x0, count = self.problem.x0, max(1, budget // (PROBE_PRODUCTS + 1))
        for part in range(count):
            share = (part + self.draw.uniform()) / count
            self._probe(x0 + expand(share, ends) * (ends - x0), ends - x0, PROBE_PRODUCTS)
        return count * (PROBE_PRODUCTS + 1)

    def _climb(self, budget: int) -> int:
        """Steps along the third derivative from the best point of each block; returns what was spent."""
        cost = PROBE_PRODUCTS + 5
        steps = budget // cost
        width, length = (self.radius * self.draw.between(*ends) for ends in (DIFFERENCE_WIDTHS, CLIMB_LENGTHS))
        for step in range(steps):
            points, shrink = self.point, shrinking(step, steps)
            offset = expand(width * shrink, points) * self.partner
            vector = self.vector
            ahead, behind = (self._product(self._inside(points + sign * offset), vector) for sign in (1, -1))
            uphill = steepest(ahead - behind, self.problem.norm)
            self._probe(self._inside(points + expand(length * shrink, points) * uphill), vector, PROBE_PRODUCTS)
        return steps * cost

    def _resample(self, budget: int) -> None:
        """Random steps of log-uniform width from the best point of each block."""
        for _ in range(budget // (PROBE_PRODUCTS + 1)):
            width = self.draw.between(*CURVATURE_RESAMPLING)
            points = self._inside(self.point + expand(2 * width, self.point) * self.draw.shift())
            self._probe(points, self.vector, PROBE_PRODUCTS)

    def _polish(self, products: int) -> None:
        """The curvature of the best points; for norms other than 2, where a direction can be stuck, from new ones."""
        if self.problem.norm == 2:
            self._probe(self.point, self.vector, products)
            return
        starts = torch.stack([self._noise() for _ in range(POWER_METHOD_STARTS)])
        self._measure(self.point, starts, products // POWER_METHOD_STARTS)

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
            kind=curvature_kind(self.problem),
            tolerance=SAMPLE_TOLERANCE,
            most=max(1, products),
        )
        self.evidence.add(self.problem, 0, points, found.margins, found.values)
        self._keep(points, found.values, found.vectors, found.partners)

    def _product(self, points: Tensor, vectors: Tensor) -> Tensor:
        """One product at one point of each block; what it says about the curvature there is kept."""
        problem = self.problem
        margins, _, image = margin_hessian_vectors(problem.model, points, *self.classes, vectors)
        if curvature_kind(problem) == "one-sided":
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


def _size(vectors: Tensor, norm: float) -> Tensor:
    """The norm of each row, to divide by."""
    return expand(vector_norm(vectors, norm).clamp_min(torch.finfo(vectors.dtype).tiny), vectors)
