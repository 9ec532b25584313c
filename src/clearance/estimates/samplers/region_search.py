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

from clearance.geometry.least_distance import least_distance
from clearance.geometry.norms import dual_norm

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
SHORTEST = 1e-3
"""A piece that ends within this share of the way to the input is taken for none: the gradient changes everywhere."""
NARROWEST = 0.01
"""Smallest width of a random step, in radii; the largest is 1, log-uniform between."""


@dataclass
class Hunt:
    """One block's search, around the origin.

    Attributes:
        dimension: How many inputs.
        radius: Radius of the ball.
        norm: The norm `p`.
        budget: Gradient evaluations.
        generator: The block's random stream, on the CPU.
        left: Evaluations that are left.
        best: The largest dual norm met in the ball, and where.
    """

    dimension: int
    radius: float
    norm: float
    budget: int
    generator: torch.Generator

    def __post_init__(self) -> None:
        """Nothing is spent and nothing is known."""
        self.left, self.best, self.best_point = self.budget, 0.0, np.zeros(self.dimension)

    def walk(self) -> Walk:
        """Scouts in a wider ball, then walks from the steepest regions they met, then random steps.

        Yields:
            Points, `(dimension,)`, exactly `budget` of them; each wants the gradient there sent back.
        """
        width = self.radius * WIDEST ** self._uniform(1)[0]
        met: list[tuple[float, Array, Array]] = []
        for _ in range(max(1, round(SCOUT_SHARE * self.budget))):
            point = self._in_ball(width if met else self.radius)  # the first in the ball, so that a maximum is known
            gradient = yield from self._ask(point)
            met.append((self._steepness(gradient), point, gradient))
        tried: list[Array] = []
        for norm, point, gradient in sorted(met, key=lambda one: -one[0]):
            if norm <= self.best * (1 + SAME) or any(_same(gradient, other) for other in tried):
                continue
            tried.append(gradient)
            if self.left <= HALVINGS or not (yield from self._approach(point, gradient)):
                break
        while self.left > 0:
            step = self._in_ball(self.radius * NARROWEST ** self._uniform(1)[0])
            yield from self._ask(self._project(self.best_point + step))

    def _ask(self, point: Array) -> Generator[Array, Array, Array]:
        """The gradient at a point, which counts if it lies in the ball.

        Yields:
            The point.
        """
        gradient = yield point
        self.left -= 1
        norm = self._steepness(gradient)
        if norm > self.best and self._length(point) <= self.radius * (1 + 1e-9):
            self.best, self.best_point = norm, point
        return gradient

    def _approach(self, inner: Array, gradient: Array) -> Generator[Array, Array, bool]:
        """Walk towards the input within one linear piece; false if it is none.

        Yields:
            Points.
        """
        normals, offsets = list[Array](), list[float]()
        while self.left > HALVINGS:
            goal = nearest_point(np.array(normals), np.array(offsets), self.dimension)
            if goal is None or self._length(goal) > self.radius:
                return True
            beyond = yield from self._ask(goal)
            if _same(beyond, gradient):
                return True
            share, beyond = yield from self._bisect(inner, goal, gradient, beyond)
            if share < SHORTEST and not normals:
                return False
            inner = inner + share * (goal - inner)
            normal = gradient - beyond
            normal *= np.sign(normal @ (inner - goal)) / max(np.linalg.norm(normal), np.finfo(float).tiny)
            normals.append(normal)
            offsets.append(float(normal @ inner))
        return True

    def _bisect(
        self, inner: Array, goal: Array, gradient: Array, beyond: Array
    ) -> Generator[Array, Array, tuple[float, Array]]:
        """How far the piece reaches towards the goal, and the gradient just beyond its end.

        Yields:
            Points.
        """
        low, high = 0.0, 1.0
        for _ in range(min(HALVINGS, self.left)):
            middle = 0.5 * (low + high)
            seen = yield from self._ask(inner + middle * (goal - inner))
            if _same(seen, gradient):
                low = middle
            else:
                high, beyond = middle, seen
        return low, beyond

    def _uniform(self, count: int) -> Array:
        return torch.rand(count, generator=self.generator, dtype=torch.float64, device="cpu").numpy()

    def _in_ball(self, radius: float) -> Array:
        """A uniform point of the l2 ball brought into the l_p ball of the same radius (a box for p = inf)."""
        if np.isinf(self.norm):
            return radius * (2 * self._uniform(self.dimension) - 1)
        direction = torch.randn(self.dimension, generator=self.generator, dtype=torch.float64, device="cpu").numpy()
        direction *= radius * self._uniform(1)[0] ** (1 / self.dimension) / np.linalg.norm(direction)
        return direction * min(1.0, radius / max(self._length(direction), np.finfo(float).tiny))

    def _project(self, point: Array) -> Array:
        return point * min(1.0, self.radius / max(self._length(point), np.finfo(float).tiny))

    def _length(self, point: Array) -> float:
        return _norm(point, self.norm)

    def _steepness(self, gradient: Array) -> float:
        return _norm(gradient, dual_norm(self.norm))


def _norm(values: Array, norm: float) -> float:
    """`||v||_p`; no power of a large `p` over- or underflows."""
    largest = float(np.abs(values).max())
    return largest * float(np.linalg.norm(values / largest, norm)) if 0 < largest < np.inf else largest


def nearest_point(normals: Array, offsets: Array, dimension: int) -> Array | None:
    """The point of `{x : normals @ x >= offsets}` nearest to the origin in l2; `None` if the set is empty.

    >>> nearest_point(np.array([[1.0, 1.0]]), np.array([2.0]), 2).round(6).tolist()
    [1.0, 1.0]
    """
    return least_distance(normals, offsets)[1] if len(offsets) else np.zeros(dimension)


def _same(one: Array, other: Array) -> bool:
    return bool(np.linalg.norm(one - other) <= SAME * np.linalg.norm(other))
