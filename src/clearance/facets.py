"""Exact walks to the steepest linear piece of a network of few inputs.

A piecewise linear network takes its largest gradient on a whole region, which in few dimensions may reach into the ball
with a sliver that no random point ever meets. It is easily met in a wider ball, and then walked to: the region is a
polyhedron, and where a segment leaves it through a facet the gradient jumps along that facet's normal (the unit whose
sign changes adds or takes away a multiple of its own gradient). So one bisection of a segment yields one exact
half-space. Project the input onto the half-spaces known so far, ask whether that point still has the region's gradient,
and if not, bisect the segment to it for the next half-space. The projection's distance is at every step a lower bound
of the region's: as soon as it exceeds the ball's radius, the region is given up.

A network that is not piecewise linear shows itself at the first bisection, whose gradients never agree; then the rest
of the block goes into random steps around the steepest point.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import nnls

from clearance.norms import dual_order

Array = NDArray[np.float64]
Walk = Generator[Array, Array, None]
"""Yields a point, `(dimension,)`, relative to the input, and is sent the margin's gradient there."""

SCOUT_SHARE = 0.4
"""Share of the evaluations that look for steep regions."""
WIDEST = 2.5
"""The scouts' ball is between 1 and this many times as wide, log-uniform."""
HALVINGS = 14
"""Bisections of a segment for one facet."""
SAME = 1e-4
"""Relative difference of two gradients that belong to the same linear piece."""
NARROWEST = 0.01
"""Smallest width of a random step, in radii; the largest is 1, log-uniform between."""


@dataclass(frozen=True)
class Hunt:
    """One block's search, around the origin.

    Attributes:
        dimension: How many inputs.
        radius: Radius of the ball.
        order: The norm `p`.
        budget: Gradient evaluations.
        draw: Uniform numbers in [0, 1).
        inside: Brings a point into the ball.
    """

    dimension: int
    radius: float
    order: float
    budget: int
    generator: torch.Generator

    def walk(self) -> Walk:
        """Scouts in a wider ball, then walks from the steepest regions they met, steepest first."""
        scouts, left = max(1, round(SCOUT_SHARE * self.budget)), self.budget
        width = self.radius * WIDEST ** self._uniform(1)[0]
        met: list[tuple[float, Array, Array]] = []
        best, best_point = 0.0, np.zeros(self.dimension)
        for _ in range(scouts):
            point = self._in_ball(width)
            gradient = yield point
            left -= 1
            norm = self._steepness(gradient)
            met.append((norm, point, gradient))
            if norm > best and self._length(point) <= self.radius:
                best, best_point = norm, point
        smooth, tried = False, list[Array]()
        for norm, point, gradient in sorted(met, key=lambda one: -one[0]):
            if left <= HALVINGS or smooth or norm <= best * (1 + SAME):
                break
            if any(_same(gradient, other) for other in tried):
                continue
            tried.append(gradient)
            reached, used, smooth = yield from self._approach(point, gradient, left)
            left -= used
            if reached is not None:
                best, best_point = norm, reached
        while left > 0:
            point = self._project(best_point + self._in_ball(self.radius * NARROWEST ** self._uniform(1)[0]))
            norm = self._steepness((yield point))
            left -= 1
            if norm > best:
                best, best_point = norm, point

    def _approach(
        self, start: Array, gradient: Array, left: int
    ) -> Generator[Array, Array, tuple[Array | None, int, bool]]:
        """Walk towards the input within one region; the point reached, evaluations used, whether it was no region."""
        inner, normals, offsets, used = start, list[Array](), list[float](), 0
        while left - used > HALVINGS:
            goal = nearest_point(np.array(normals), np.array(offsets), self.dimension)
            if goal is None or self._length(goal) > self.radius:
                return None, used, False
            outer_gradient = yield goal
            used += 1
            if _same(outer_gradient, gradient):
                return goal, used, False
            low, high = 0.0, 1.0
            for _ in range(HALVINGS):
                middle = 0.5 * (low + high)
                seen = yield inner + middle * (goal - inner)
                used += 1
                if _same(seen, gradient):
                    low = middle
                else:
                    high, outer_gradient = middle, seen
            if low == 0.0 and not normals:
                return None, used, True
            inner = inner + low * (goal - inner)
            normal = gradient - outer_gradient
            normal *= np.sign(normal @ (inner - goal)) / max(np.linalg.norm(normal), np.finfo(float).tiny)
            normals.append(normal)
            offsets.append(float(normal @ inner))
        return None, used, False

    def _uniform(self, count: int) -> Array:
        return torch.rand(count, generator=self.generator, dtype=torch.float64).numpy()

    def _in_ball(self, radius: float) -> Array:
        """A uniform point of the l2 ball brought into the l_p ball of the same radius (a box for p = inf)."""
        if np.isinf(self.order):
            return radius * (2 * self._uniform(self.dimension) - 1)
        direction = torch.randn(self.dimension, generator=self.generator, dtype=torch.float64).numpy()
        direction *= radius * self._uniform(1)[0] ** (1 / self.dimension) / np.linalg.norm(direction)
        return direction * min(1.0, radius / self._length(direction))

    def _project(self, point: Array) -> Array:
        return point * min(1.0, self.radius / max(self._length(point), np.finfo(float).tiny))

    def _length(self, point: Array) -> float:
        return float(np.linalg.norm(point, self.order))

    def _steepness(self, gradient: Array) -> float:
        return float(np.linalg.norm(gradient, dual_order(self.order)))


def nearest_point(normals: Array, offsets: Array, dimension: int) -> Array | None:
    """The point of `{x : normals @ x >= offsets}` nearest to the origin in l2; `None` if the set is empty.

    Least-distance programming as non-negative least squares (Lawson and Hanson 1974, chapter 23).

    >>> nearest_point(np.array([[1.0, 1.0]]), np.array([2.0]), 2).round(6).tolist()
    [1.0, 1.0]
    """
    if len(offsets) == 0 or bool((offsets <= 0).all()):
        return np.zeros(dimension)
    system = np.vstack([normals.T, offsets])
    target = np.zeros(dimension + 1)
    target[-1] = 1.0
    solution, residual = nnls(system, target)
    if residual < 1e-12:
        return None
    rest = system @ solution - target
    return -rest[:-1] / rest[-1]


def _same(one: Array, other: Array) -> bool:
    return bool(np.linalg.norm(one - other) <= SAME * np.linalg.norm(other))
