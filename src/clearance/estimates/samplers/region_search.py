"""Region search: the steepest linear regions of a network of few inputs, each followed to its point nearest the input.

A piecewise linear network takes its largest gradient on a whole linear region, which in few dimensions may reach into
the ball with a sliver that no random point ever meets. It is easily met in a wider ball, and then followed inwards: the
region is a polyhedron, and where a segment leaves it through one of its faces the gradient jumps along that face's
normal (the unit whose sign changes adds or takes away a multiple of its own gradient). So one bisection of a segment
yields one exact half-space. Project the input onto the half-spaces known so far, ask whether that point still has the
region's gradient, and if not, bisect the segment to it for the next half-space. The projection's distance is at every
step a lower bound of the region's: as soon as it exceeds the ball's radius, the region is given up.

A network that is not piecewise linear shows itself at the first bisection, whose gradients never agree; then the rest
of the block goes into random steps around the steepest point.

Source: this project; it rests on the activation regions of a ReLU network being polyhedra on which its gradient is
constant (Weng, Zhang, Chen, Yi, Su, Gao, Hsieh and Daniel 2018, theorem D.1 and its proof, for one hidden layer).
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
Queries = Generator[Array, Array, None]
"""Yields a point, `(dimension,)`, relative to the input, and is sent the margin's gradient there, `(dimension,)`."""

PRESAMPLING_SHARE = 0.4
"""Share of the evaluations that look for steep regions; the rest follow them, at a bisection for each half-space."""
PRESAMPLING_WIDTH = 2.5
"""Pre-sampling draws from a ball that is between 1 and this many times as wide, log-uniform: a region that only touches
the ball fills more of a wider one, but of a much wider one no region fills much."""
FACE_BISECTIONS = 14
"""Bisections of a segment for one half-space, to 1/16,384 of its length."""
SAME_GRADIENT = 1e-4
"""Relative difference of two gradients of one linear region: above the rounding of float32 networks."""
SHORTEST_REGION = 1e-3
"""A region that ends within this share of the way to the input is taken for none: the gradient changes everywhere."""
SHORTEST_STEP = 0.01
"""Smallest width of a random step, in radii; the largest is 1, log-uniform between."""
REGION_INSIDE = 1e-9
"""A point of a region search counts as in the ball up to this share of its radius, that of float64's own rounding."""


@dataclass
class RegionSearch:
    """One block's search, around the origin.

    Source: this project; the steps are in the module's text.

    Attributes:
        dimension: How many inputs.
        radius: Radius of the ball.
        norm: The norm `p`.
        budget: Gradient evaluations.
        generator: The block's random stream, on the CPU.
        left: Evaluations that are left.
        best: The largest dual norm met in the ball.
        best_point: Where, `(dimension,)`.
    """

    dimension: int
    radius: float
    norm: float
    budget: int
    generator: torch.Generator

    def __post_init__(self) -> None:
        """Nothing is spent and nothing is known."""
        self.left, self.best, self.best_point = self.budget, 0.0, np.zeros(self.dimension)

    def queries(self) -> Queries:
        """Pre-sampling in a wider ball, then the steepest regions met there, followed inwards, then random steps.

        Yields:
            Points, `(dimension,)`, exactly `budget` of them; each wants the gradient there sent back.
        """
        width = self.radius * PRESAMPLING_WIDTH ** self._uniform(1)[0]
        met: list[tuple[float, Array, Array]] = []
        for _ in range(max(1, round(PRESAMPLING_SHARE * self.budget))):
            point = self._in_ball(width if met else self.radius)  # the first in the ball, so that a maximum is known
            gradient = yield from self._ask(point)
            met.append((self._dual_norm(gradient), point, gradient))
        tried: list[Array] = []
        for norm, point, gradient in sorted(met, key=lambda one: -one[0]):
            if norm <= self.best * (1 + SAME_GRADIENT) or any(_same(gradient, other) for other in tried):
                continue
            tried.append(gradient)
            if self.left <= FACE_BISECTIONS or not (yield from self._approach(point, gradient)):
                break
        while self.left > 0:
            step = self._in_ball(self.radius * SHORTEST_STEP ** self._uniform(1)[0])
            yield from self._ask(self._project(self.best_point + step))

    def _ask(self, point: Array) -> Generator[Array, Array, Array]:
        """The gradient at a point, which counts if it lies in the ball.

        Yields:
            The point.
        """
        gradient = yield point
        self.left -= 1
        norm = self._dual_norm(gradient)
        if norm > self.best and self._length(point) <= self.radius * (1 + REGION_INSIDE):
            self.best, self.best_point = norm, point
        return gradient

    def _approach(self, inner: Array, gradient: Array) -> Generator[Array, Array, bool]:
        """Move towards the input within one linear region; false if it is none.

        Yields:
            Points.
        """
        normals, offsets = list[Array](), list[float]()
        while self.left > FACE_BISECTIONS:
            goal = nearest_point(np.array(normals), np.array(offsets), self.dimension)
            if goal is None or self._length(goal) > self.radius:
                return True
            beyond = yield from self._ask(goal)
            if _same(beyond, gradient):
                return True
            share, beyond = yield from self._bisect(inner, goal, gradient, beyond)
            if share < SHORTEST_REGION and not normals:
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
        """How far the region reaches towards the goal, and the gradient just beyond its end.

        Yields:
            Points.
        """
        low, high = 0.0, 1.0
        for _ in range(min(FACE_BISECTIONS, self.left)):
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

    def _dual_norm(self, gradient: Array) -> float:
        return _norm(gradient, dual_norm(self.norm))


def _norm(values: Array, norm: float) -> float:
    """`||v||_p`; no power of a large `p` over- or underflows."""
    largest = float(np.abs(values).max())
    return largest * float(np.linalg.norm(values / largest, norm)) if 0 < largest < np.inf else largest


def nearest_point(normals: Array, offsets: Array, dimension: int) -> Array | None:
    """The point of `{x : normals @ x >= offsets}` nearest to the origin in l2.

    Source: least-distance programming, Lawson and Hanson 1974, chapter 23 (`geometry.least_distance`).

    Args:
        normals: `(faces, dimension)`.
        offsets: `(faces,)`; none of them: the whole space.
        dimension: Of the space.

    Returns:
        The point `(dimension,)`; `None` if the set is empty.

    >>> nearest_point(np.array([[1.0, 1.0]]), np.array([2.0]), 2).round(6).tolist()
    [1.0, 1.0]
    """
    return least_distance(normals, offsets)[1] if len(offsets) else np.zeros(dimension)


def _same(one: Array, other: Array) -> bool:
    return bool(np.linalg.norm(one - other) <= SAME_GRADIENT * np.linalg.norm(other))
