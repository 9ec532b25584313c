"""Points of an `l_p` ball cut by the bounds: random ones, and those where a linear function is least.

They test a proof and are no part of one: a point that is not the least one costs nothing but sharpness. Source: this
project; on the sphere a linear function is least where Hölder's inequality is an equality (`geometry.norms.steepest`).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from clearance.geometry.norms import expand, steepest, vector_norm

DIRECTIONS = 16
"""Random directions of each kind."""
SCALES = (1.0, 1.0, 0.9, 1.0, 0.5, 1.0, 0.1, 0.01)
"""Distances of the points, as shares of the radius, in turn: half of them on the sphere."""
SPARSE = (1, 1, 2, 1, 4, 1, 8, 2)
"""Entries that a sparse direction changes, in turn."""
FILLINGS = 8
"""How often a shift that the bounds cut short is lengthened in the entries that have room."""


@dataclass(frozen=True)
class CutBall:
    """`{x + d : ||d||_p <= radius, low <= x + d <= high}` around one input.

    Attributes:
        center: `x`, `(1, *input)`, float64.
        radius: Positive and finite.
        norm: `p`.
        bounds: `(low, high)`, each of the shape of `center`, or `None`.
    """

    center: Tensor
    radius: float
    norm: float
    bounds: tuple[Tensor, Tensor] | None

    def clip(self, shifts: Tensor) -> Tensor:
        """Shifts `(batch, *input)` brought into the bounds, entry by entry: their norms do not grow."""
        if self.bounds is None:
            return shifts
        low, high = (end - self.center for end in self.bounds)
        return torch.minimum(torch.maximum(shifts, low), high)

    def feasible(self, direction: Tensor) -> Tensor:
        """The entries of directions `(batch, *input)` along which the bounds leave room at all, others 0."""
        if self.bounds is None:
            return direction
        low, high = self.bounds
        blocked = ((direction < 0) & (self.center <= low)) | ((direction > 0) & (self.center >= high))
        return torch.where(blocked, 0.0, direction)

    def reach(self, directions: Tensor, radii: Tensor) -> Tensor:
        """The points at these distances along directions, those that the bounds cut short lengthened elsewhere.

        Args:
            directions: `(batch, *input)`.
            radii: `(batch,)`.

        Returns:
            `(batch, *input)`, within the bounds and the radii.
        """
        shifts = directions
        for _ in range(1 if self.bounds is None else FILLINGS):
            length = vector_norm(shifts, self.norm)
            shifts = self.clip(shifts * expand(torch.where(length > 0, radii / length, 0.0), shifts))
        return self.center + shifts


def random_points(ball: CutBall, draw: torch.Generator) -> Tensor:
    """Points in dense, in corner and in sparse directions, at distances from near the input to the sphere.

    Args:
        ball: The ball.
        draw: Where the randomness comes from, on the CPU.

    Returns:
        `(3 * DIRECTIONS, *input)`, float64.
    """
    shape, like = (DIRECTIONS, *ball.center.shape[1:]), ball.center
    dense = torch.randn(shape, generator=draw, dtype=torch.float64)
    corners = torch.randn(shape, generator=draw, dtype=torch.float64).sign()
    free = torch.ones_like(dense) if ball.bounds is None else (ball.bounds[1] > ball.bounds[0]).cpu().double()
    order = (torch.rand(shape, generator=draw, dtype=torch.float64) * free).flatten(1).argsort(1, descending=True)
    signs = torch.randn(shape, generator=draw, dtype=torch.float64).sign().flatten(1)
    few = torch.zeros_like(signs)
    for row in range(DIRECTIONS):
        places = order[row, : SPARSE[row % len(SPARSE)]]
        few[row, places] = signs[row, places]
    directions = torch.cat([dense, corners, few.reshape(shape)]).to(like.device)
    directions = torch.where(ball.feasible(directions) == directions, directions, -directions)
    scales = torch.tensor(SCALES, dtype=torch.float64, device=like.device)
    return ball.reach(directions, ball.radius * scales.repeat(3 * DIRECTIONS // len(SCALES)))


def lowest_in_ball(ball: CutBall, gradient: Tensor) -> Tensor:
    """Points of the ball where linear functions are (nearly) least.

    Without bounds `x - r steepest(a)`. Within bounds `p = 1` spends the radius on the largest entries first, each as
    far as its bound; other `p` lengthen what the bounds cut short in the entries that have room.

    Args:
        ball: The ball.
        gradient: `a`, `(batch, *input)`.

    Returns:
        `(batch, *input)`.

    >>> ball = CutBall(torch.zeros(1, 2).double(), 1.0, 2.0, None)
    >>> lowest_in_ball(ball, torch.tensor([[3.0, 4.0]]).double())
    tensor([[-0.6000, -0.8000]], dtype=torch.float64)
    """
    downhill = ball.feasible(-gradient)
    if ball.norm == 1 and ball.bounds is not None:
        return ball.center + _spend(ball, downhill)
    radii = torch.full_like(gradient.flatten(1)[:, 0], ball.radius)
    return ball.reach(steepest(downhill, ball.norm), radii)


def _spend(ball: CutBall, downhill: Tensor) -> Tensor:
    """`p = 1`: the shift that spends the radius on the largest entries first."""
    room = ball.clip(downhill.sign() * ball.radius).abs().flatten(1)
    order = downhill.flatten(1).abs().argsort(1, descending=True)
    sorted_room = room.gather(1, order)
    before = sorted_room.cumsum(1) - sorted_room
    spent = torch.minimum(sorted_room, (ball.radius - before).clamp_min(0.0))
    return (torch.zeros_like(room).scatter(1, order, spent)).reshape(downhill.shape) * downhill.sign()
