"""Points of another class near one input: upper bounds of the distance that branch and bound proves from below.

From the points where linear bounds are smallest, a few steps of Frank and Wolfe (1956) lower the margin in a ball: each
goes towards the point of the ball at which the linearised margin is smallest. Where the network itself has a margin of
zero or less, the segment to the input is halved to the place where it is zero.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from clearance.certificates.graph import Graph
from clearance.certificates.linear_zero import lowest_points
from clearance.certificates.region import Region
from clearance.geometry.norms import vector_norm

DESCENT_RATES = (1.0, 1.0, 0.5, 0.33, 0.25)
"""How far each step goes: the whole way first, because the margin is smallest at a corner where it is nearly linear."""
MOST_RADII = 30
"""Radii of the descent at most."""
WIDER_BALL = 1.3
"""By what the ball grows where no point of another class is found in it."""
SMALLER_BALL = 0.98
"""Share of a point's distance that is tried next."""
CROSSED = (1.0, 1 + 1e-7, 1 + 1e-3)
"""Lengths of a step that are tried, in units of its own: a solver's point may end just short of the boundary."""
LAST_PART = 0.1
"""Share of the way in which the place where the margin is zero is looked for, if it is positive before."""
CROSSING_STEPS, HALVED_EVERY = 30, 3
"""Steps to that place at most: of regula falsi, five are usual where the margin is piecewise linear. Every so many
halve the way that is left, and all do where the margin is 0 behind the place, as where logits are cut off."""
SAME_PLACE = 1e-8
"""Share of the way to which the place is known well enough."""


@dataclass
class NearestPoint:
    """The nearest point met so far at which a margin of one input is zero or less.

    Source: this project; the steps of Frank and Wolfe (1956).

    Attributes:
        graph: The network, in float64.
        region: A ball around the input that holds every point of interest, of a batch of one.
        distance: How far the point is; infinite where none has been met.
        target: Number of the margin that is zero or less there.
        point: The point, `(1, *input)`.
    """

    graph: Graph
    region: Region
    distance: float = math.inf
    target: int = -1
    point: Tensor = field(default_factory=lambda: torch.zeros(0))

    def descend(self, rows: Tensor, targets: Tensor, radius: float, stop: Callable[[], bool] = lambda: False) -> None:
        """Look in balls around the input, larger ones until there is a point and then smaller ones.

        Args:
            rows: The margins' coefficients of the logits, `(n, classes)`.
            targets: Their numbers, `(n,)`.
            radius: Radius of the first ball.
            stop: Says when to stop.
        """
        points = self.region.center.expand(len(rows), *self.region.center.shape[1:])
        for _ in range(MOST_RADII):
            before = self.distance
            self.look_near(points, rows, targets, radius)
            if stop() or (math.isfinite(self.distance) and self.distance >= before * SMALLER_BALL):
                break
            wider = min(WIDER_BALL * radius, float(self.region.radius))
            if math.isinf(self.distance) and wider <= radius:
                break
            radius = wider if math.isinf(self.distance) else SMALLER_BALL * self.distance

    def look_near(self, points: Tensor, rows: Tensor, targets: Tensor, radius: float) -> None:
        """Lower the margins from some points, in one ball.

        Args:
            points: Where to start, `(n, *input)`.
            rows: Each one's coefficients of the logits, `(n, classes)`.
            targets: Their numbers, `(n,)`.
            radius: Radius of the ball.
        """
        for rate in DESCENT_RATES:
            leaf = points.detach().requires_grad_(True)
            with torch.enable_grad():
                (gradient,) = torch.autograd.grad((self.graph(leaf) * rows).sum(), leaf)
            lowest = lowest_points(self.region, gradient, torch.full_like(rows[:, 0], radius))
            points = points + rate * (self._within(lowest) - points)
            self.consider(points, rows, targets)

    def consider(self, points: Tensor, rows: Tensor, targets: Tensor) -> None:
        """Take the nearest point at which the margin is zero or less, on the way to some points or just beyond.

        Args:
            points: `(n, *input)`.
            rows: Each one's coefficients of the logits, `(n, classes)`.
            targets: Their numbers, `(n,)`.
        """
        center, shape = self.region.center, (-1, *[1] * (points.ndim - 1))
        tried = torch.cat([self._within(center + share * (points - center)) for share in CROSSED])
        rows, targets = rows.repeat(len(CROSSED), 1), targets.repeat(len(CROSSED))
        near = vector_norm(tried - center, self.region.norm) < CROSSED[-1] * self.distance
        reached = near & ((self.graph(tried) * rows).sum(1) <= 0)
        if not bool(reached.any()):
            return
        step, rows, targets = tried[reached] - center, rows[reached], targets[reached]

        def margin(share: Tensor) -> Tensor:
            return (self.graph(center + share.reshape(shape) * step) * rows).sum(1)

        outer = _crossing(margin, torch.ones_like(rows[:, 0]))
        distance, place = vector_norm(outer.reshape(shape) * step, self.region.norm).min(0)
        if float(distance) < self.distance:
            self.distance, self.target = float(distance), int(targets[place])
            self.point = center + outer[place] * step[[int(place)]]

    def _within(self, points: Tensor) -> Tensor:
        if self.region.bounds is None:
            return points
        return torch.minimum(torch.maximum(points, self.region.bounds[0]), self.region.bounds[1])


def _crossing(margin: Callable[[Tensor], Tensor], outer: Tensor) -> Tensor:
    """Where a margin that is zero or less at `outer` becomes so, from just behind that place, by regula falsi.

    Where the same end moves twice, the other's value is halved (Illinois; Dowell and Jarratt 1971).
    """
    below, inner = margin(outer), (1 - LAST_PART) * outer
    above = margin(inner)
    near = above > 0
    inner, above = torch.where(near, inner, 0.0), torch.where(near, above, margin(torch.zeros_like(outer)))
    side = torch.zeros_like(outer)
    for step in range(CROSSING_STEPS):
        if bool((outer - inner <= SAME_PLACE).all()):
            break
        share = (above / (above - below)).nan_to_num(0.5).clamp(0.0, 1.0)
        if step % HALVED_EVERY == HALVED_EVERY - 1:
            share = torch.full_like(share, 0.5)
        middle = inner + (outer - inner) * torch.where(below == 0, 0.5, share)
        value = margin(middle)
        behind = value <= 0
        above = torch.where(behind, torch.where(side < 0, above / 2, above), value)
        below = torch.where(behind, value, torch.where(side > 0, below / 2, below))
        inner, outer = torch.where(behind, inner, middle), torch.where(behind, middle, outer)
        side = torch.where(behind, -1.0, 1.0)
    beyond = (outer + SAME_PLACE).clamp_max(1.0)  # where rounding does not decide
    return torch.where(margin(beyond) <= 0, beyond, outer)
