"""The search behind a Lipschitz profile: all levels and blocks of one input side by side in one batch.

Each row is one block: a start drawn at random, half of its steps down the margin inside its ball (in a few dimensions
some blocks take uniform points of it instead), the other half up the gradient norm or up the radial slope. The margin
is met on the way, so the search is an attack as well: a nearer witness shrinks the levels of the next round.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from clearance.estimates.evidence import MarginProblem
from clearance.estimates.profile.pool import Pool
from clearance.estimates.profile.starts import STARTS, draw_starts
from clearance.estimates.samplers.block_streams import shrinking
from clearance.geometry.balls import sample_shifts
from clearance.geometry.feasible import onto_sphere
from clearance.geometry.norms import expand, project, steepest, steepest_shared, vector_norm
from clearance.model.bounds import enclose
from clearance.model.gradients import free, margin_gradients
from clearance.model.seeds import make_generator

SCATTERED, MOST_SCATTERED = 8.0, 0.75
"""Probability that a block that climbs the gradient norm looks at uniform points of its ball first, instead of going
downhill: the first number over the number of coordinates, at most the second. In a few dimensions that meets regions
which no descent passes; in many it meets what CLEVER's sampler does."""
AT_LIMIT = 0.5
"""For `p = inf` each coordinate of such a point is at the end of its range with this probability, so that faces, edges
and corners of the ball are met: on networks with 2 inputs the share of radii within 1 % of the exact ones rises from
.81 to .90 at `quick` (`benchmarks/exact_profiles.py`)."""
RADIAL_SHARE = 0.5
"""Probability that a block climbs the radial slope instead of the gradient norm."""
CLIMB_WIDTHS = 0.15
"""The smallest first width and length of a climb, as a share of the ball; log-uniform up to 1."""
WIDEST_STEP = 0.05
"""For `p = 1` a step moves at most this share of the coordinates; how many is log-uniform from 1 on."""
STEEPEST, STEEPEST_REACH = 32, 2.0
"""A block may begin at one of so many points, the steepest met within so many radii of its ball: in `l_1` the steepest
gradients lie where one or two coordinates have moved, and a search in a larger ball comes by them."""
SEGMENT_POINTS = 64
"""Points of the segment to a witness: by the mean value theorem one of its gradients carries the mean fall."""
OUTWARD_CLASSES = 4
"""A deep start goes to so many of the classes with the largest logits, side by side."""
OUTWARD_STEPS, OUTWARD_SHARE = 5, 0.2
"""Steps of a deep start, each this share of the range of every coordinate: out to far beyond the boundary."""
BEYOND_LINEAR, LARGEST_LINEAR = 4.0, 1e6
"""Without bounds a deep start goes this many times the linear estimate of the distance in the maximum norm, where that
is at most the second number; else a step is 1."""
INWARD_STEPS = 100
"""Steps of a deep start back in: with 60 it ends far outside on robust networks."""
INWARD_STEP, INWARD_CHANGE = 0.6, 0.05
"""First length of a step back in, as a share of the shift, and the change of the radius after each (Rony et al.)."""
KEPT_TOGETHER = 16
"""Steps back in whose points are kept together."""
DEEP_START = OUTWARD_CLASSES * (OUTWARD_STEPS + 1 + INWARD_STEPS)
"""Gradients of a deep start, at most."""


@dataclass(frozen=True)
class Known:
    """What is known of one input before the search. Source: this project.

    Attributes:
        witnesses: Points of another class, `(k, *input)`; none is fine.
        others: Valid inputs of other classes, `(k, *input)`; none is fine.
    """

    witnesses: Tensor
    others: Tensor


class LevelSearch:
    """The search of one input, in rounds that share one pool.

    Source: this project. The ascent of the gradient norm along differences of gradients is that of `gradient_search`;
    that of the radial slope `r(x) = -<∇g, v>`, `v = (x - x0) / s`, follows `∇r = -(∇g + H (x - x0)) / s` on the sphere,
    the product by a difference of gradients along the ray.

    Args:
        pool: Where everything that is met goes.
        known: What is known of the input.
        kinds: The starts that blocks may draw.

    Attributes:
        pool: Where everything that is met goes.
        known: What is known of the input.
        level_of: For each block so far, which of its round's levels it searched.
        inner_radii: For each block so far, the radius of the level before that.
    """

    def __init__(self, pool: Pool, known: Known, kinds: tuple[str, ...] = tuple(STARTS)) -> None:
        self.pool, self.known, self._kinds = pool, known, kinds
        self._problem: MarginProblem = pool.problem
        self._rounds = 0
        self.level_of: list[int] = []
        self.inner_radii: list[float] = []

    def walk(self, witnesses: Tensor) -> None:
        """Evaluate the segments from the input to some points, `(k, *input)`, and the points themselves."""
        x0 = self._problem.x0
        shares = (torch.arange(SEGMENT_POINTS, dtype=x0.dtype, device=x0.device) + 0.5) / SEGMENT_POINTS
        for point in witnesses:
            points = x0 + expand(shares, point.expand(SEGMENT_POINTS, *x0.shape)) * (point - x0)
            self.pool.visit(torch.cat([points, point[None]]))

    def deep_start(self) -> None:
        """Out to far beyond the boundary of each of the nearest classes, then back in, all side by side.

        Out by long sign steps down the margin of one class; back in as the decoupled direction and norm attack does
        (Rony et al. 2019, algorithm 1): a step down `g`, then the shift is brought to a radius that shrinks while the
        point is adversarial and grows while it is not. For `p < 2` first in `l_2`, then by projections onto the `l_p`
        ball. On adversarially trained networks what is nearest lies in narrow valleys that no search from the input
        enters.
        """
        norm, points = self._problem.norm, self._far_out()
        phases = (2.0, norm) if norm < 2 else (norm,)
        for phase in phases:
            points = self._inward(points, phase, INWARD_STEPS // len(phases))
        self.pool.visit(points)

    def _far_out(self) -> Tensor:
        """One point far beyond the boundary of each of the nearest classes; these passes are not kept."""
        problem = self._problem
        aims = problem.targets[problem.margins.argsort(stable=True)[:OUTWARD_CLASSES]]
        points, length = problem.x0.expand(len(aims), *problem.x0.shape), None
        for _ in range(OUTWARD_STEPS):
            _, gradients = margin_gradients(problem.model, points, problem.predicted, aims)
            length = self._outward(gradients) if length is None else length
            points = problem.admit(points - length * gradients.nan_to_num(0.0).sign())
        return points

    def _outward(self, gradients: Tensor) -> Tensor:
        """The length of a step out in each coordinate: a share of its range, or of the linear estimate without one."""
        x0, bounds = self._problem.x0, self._problem.model.bounds
        if bounds is not None and self._problem.clip and enclose(bounds):
            return OUTWARD_SHARE * (bounds[1] - bounds[0]).expand_as(x0)
        linear = self.pool.margin / vector_norm(gradients, 1.0).clamp_min(torch.finfo(x0.dtype).tiny)
        return expand(torch.where(linear < LARGEST_LINEAR, BEYOND_LINEAR * OUTWARD_SHARE * linear, 1.0), gradients)

    def _inward(self, points: Tensor, norm: float, steps: int) -> Tensor:
        """Back in from points beyond the boundary, by steps in the `l_2` norm (the maximum norm for `p = inf`)."""
        x0, measure = self._problem.x0, norm if math.isinf(norm) else 2.0
        reach, path = vector_norm(points - x0, norm), list[tuple[Tensor, Tensor, Tensor]]()
        for step in range(steps):
            margins, gradients = self.pool.evaluate(points)
            path.append((points, margins, gradients))
            if len(path) == KEPT_TOGETHER or step == steps - 1:  # one by one, keeping takes a third of a step
                self.pool.keep(*(torch.cat(part) for part in zip(*path, strict=True)))
                path.clear()
            reach = reach * torch.where(margins <= 0, 1 - INWARD_CHANGE, 1 + INWARD_CHANGE)
            shift = points - x0
            size = (reach if math.isinf(norm) else vector_norm(shift, 2.0)) * INWARD_STEP * shrinking(step, steps)
            shift = shift - expand(size, shift) * steepest(self.open(gradients, points), measure)
            shift = onto_sphere(shift, norm, reach) if 2 <= norm < math.inf else project(shift, norm, reach)
            points = self._problem.admit(x0 + shift)
        return points

    def open(self, gradients: Tensor, points: Tensor) -> Tensor:
        """The gradients without the coordinates that the bounds keep from moving downhill from these points."""
        return free(self._problem.model, points, gradients) if self._problem.clip else gradients

    def round(self, levels: Tensor, blocks: int, steps: int) -> None:
        """Some blocks for each level, side by side, of `steps` gradients each.

        Args:
            levels: Radii of the balls, `(levels,)`.
            blocks: Blocks for each of them; their numbers go on from the last round's, level by level.
            steps: Gradients of each block.
        """
        rows = _Rows(self, levels.repeat_interleave(blocks), self._stream())
        descent = steps - 2 * (steps // 4)
        rows.descend(descent)
        rows.climb(steps // 4)
        self._rounds += 1
        self.inner_radii += torch.cat([levels.new_zeros(1), levels[:-1]]).repeat_interleave(blocks).tolist()
        self.level_of += [place for place in range(len(levels)) for _ in range(blocks)]

    def _stream(self) -> torch.Generator:
        problem = self._problem
        keys = ("profile", problem.key, *problem.targets.tolist()[:1], len(problem.targets), self._rounds)
        return make_generator(problem.x0.device, problem.seed, *keys)

    def starts(self, radius: Tensor, radial: Tensor, generator: torch.Generator) -> Tensor:
        """The starts of a round's blocks, in their balls and within the bounds; `radial`: which climb the slope."""
        problem, found = self._problem, self.pool.witness
        met = self.known.witnesses if found is None else torch.cat([self.known.witnesses, found[None]])
        bounds = problem.model.bounds if problem.clip else None
        points = draw_starts(
            problem.x0,
            radius,
            problem.norm,
            generator,
            witnesses=met,
            others=self.known.others,
            steepest=self._steepest(radius, radial, generator),
            bounds=bounds,
            kinds=self._kinds,
        )
        return problem.into_ball(points, radius)

    def _steepest(self, radius: Tensor, radial: Tensor, generator: torch.Generator) -> Tensor:
        """For each block one of the steepest points met about its ball, at random, or the input; `(blocks, *input)`."""
        uniform = torch.rand(len(radius), generator=generator, device=radius.device, dtype=radius.dtype).tolist()
        reaches, x0 = (STEEPEST_REACH * radius).tolist(), self._problem.x0
        levels = list(dict.fromkeys(reaches))
        by_fall, by_slope = (
            dict(zip(levels, self.pool.steepest(levels, by, STEEPEST), strict=True)) for by in ("fall", "slope")
        )
        parts = [(by_slope if one else by_fall)[reach] for one, reach in zip(radial.tolist(), reaches, strict=True)]
        rows = [row for row, part in enumerate(parts) if len(part)]
        found = x0.expand(len(radius), *x0.shape).clone()
        if rows:
            found[rows] = self.pool.points([int(parts[row][int(uniform[row] * len(parts[row]))]) for row in rows])
        return found


class _Rows:
    """The blocks of one round: where each is, and where it was best."""

    def __init__(self, search: LevelSearch, radius: Tensor, generator: torch.Generator) -> None:
        self.search, self.radius = search, radius
        problem = search.pool.problem
        self.x0, self.norm = problem.x0, problem.norm
        self.numbers = len(search.level_of) + torch.arange(len(radius), device=radius.device)
        uniform = torch.rand(5, len(radius), generator=generator, device=radius.device, dtype=radius.dtype)
        self._generator = generator
        chance = min(MOST_SCATTERED, SCATTERED / self.x0.numel())
        self.counts = (WIDEST_STEP * self.x0.numel()) ** uniform[0]
        self.radial = uniform[1] < RADIAL_SHARE
        self._scattered = (~self.radial & (uniform[4] < chance)).nonzero().flatten()
        self.points = search.starts(radius, self.radial, generator)
        self.width, self.length = radius * CLIMB_WIDTHS ** uniform[2], radius * CLIMB_WIDTHS ** uniform[3]
        self.best, self.at, self.gradient = (
            torch.full_like(radius, -math.inf),
            self.points,
            torch.zeros_like(self.points),
        )

    def descend(self, steps: int) -> None:
        """Steps down the margin, along what the bounds leave open; some blocks take uniform points instead."""
        search = self.search
        for step in range(steps):
            seen = search.pool.visit(self.points, self.numbers)
            value = torch.where(self.radial, seen.slopes, seen.falls)
            better = value > self.best
            chosen = expand(better, self.points)
            self.best = torch.where(better, value, self.best)
            self.at = torch.where(chosen, self.points, self.at)
            self.gradient = torch.where(chosen, seen.gradients, self.gradient)
            usable = search.open(seen.gradients, self.points)
            moved = self.points - self._step(usable, self.radius * shrinking(step, steps))
            self.points = self._inside(self._scatter(moved))

    def _scatter(self, points: Tensor) -> Tensor:
        """New uniform points of their balls for the blocks that take such."""
        rows = self._scattered
        if not len(rows):
            return points
        shifts = sample_shifts(self.x0, len(rows), norm=self.norm, radius=1.0, generator=self._generator)
        if math.isinf(self.norm):
            chance = torch.rand(shifts.shape, generator=self._generator, device=shifts.device, dtype=shifts.dtype)
            shifts = torch.where(chance < AT_LIMIT, shifts.sign(), shifts)
        return points.index_copy(0, rows, self.x0 + expand(self.radius[rows], shifts) * shifts)

    def climb(self, steps: int) -> None:
        """Pairs of gradients, and a step up the gradient norm or the radial slope between them."""
        pool, radial = self.search.pool, expand(self.radial, self.points)
        points, gradient, one = self.at, self.gradient, torch.ones_like(self.radius)
        for step in range(steps):
            width, length = (size * shrinking(step, steps) for size in (self.width, self.length))
            ray = onto_sphere(points - self.x0, self.norm, one)
            along = -pool.problem.directions.downhill(gradient)
            offset = expand(width, points) * torch.where(radial, ray, along)
            pair = torch.cat([self._inside(points + offset), self._inside(points - offset)])
            ahead, behind = pool.visit(pair, self.numbers.repeat(2)).gradients.chunk(2)
            change, gradient = ahead - behind, 0.5 * (ahead + behind)
            turning = expand(vector_norm(points - self.x0, self.norm) / (2 * width), points) * change
            moved = points + self._step(torch.where(radial, -gradient - turning, change), length)
            outer = self.x0 + onto_sphere(moved - self.x0, self.norm, self.radius)
            points = self._inside(torch.where(radial, outer, moved))

    def _step(self, gradient: Tensor, length: Tensor) -> Tensor:
        return expand(length, gradient) * steepest_shared(gradient, self.norm, self.counts)

    def _inside(self, points: Tensor) -> Tensor:
        return self.search.pool.problem.into_ball(points, self.radius)
