"""Directions in which a valid input can move, and how fast a linear function can fall along one of them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from clearance.geometry.lowest import lowest_on_ball
from clearance.geometry.norms import dual_norm, expand, steepest, vector_norm

SUPPORT_NUMBERS = 2**17
"""Numbers of the gradients whose support functions are computed together: they stay in the processor's cache, which
halves the time of a thousand gradients."""


@dataclass(frozen=True)
class FeasibleDirections:
    """The directions `u` with `||u||_p <= 1` and `low <= x0 + reach u <= high`, for one input `x0`.

    A segment from `x0` to a valid input at distance `r >= reach` has such a direction, because the box is convex. So of
    a gradient `w` only its support function counts, `h(w) = max {<-w, u>}` over these directions: the fastest fall that
    a valid input can meet. Without bounds it is the dual norm `||w||_q`. It falls as `reach` grows, and for `reach = 0`
    only the signs are left: `u_i >= 0` where `x0_i` is at its lowest value. Source: this project.

    Attributes:
        down: How far each coordinate may fall, `(*input)`, >= 0; infinite without bounds.
        up: How far each may rise, likewise.
        norm: The norm `p`.
        bounded: Whether there are bounds at all.
    """

    down: Tensor
    up: Tensor
    norm: float
    bounded: bool

    def support(self, gradients: Tensor, reach: float = 0.0) -> Tensor:
        """`h(w)` of each gradient.

        For `p = 1` and `p = inf` in closed form, else by the multiplier of the norm (`geometry.lowest`). Source: this
        project; Hölder's inequality without bounds.

        Args:
            gradients: `w`, `(batch, *input)`.
            reach: How far from `x0` the directions have to stay valid, >= 0.

        Returns:
            `(batch,)`, >= 0.

        >>> square = FeasibleDirections(torch.tensor([0.0, 1.0]), torch.tensor([1.0, 1.0]), math.inf, True)
        >>> square.support(torch.tensor([[3.0, 4.0], [-3.0, 4.0]]))  # the first coordinate cannot fall
        tensor([4., 7.])
        """
        if not self.bounded:
            return vector_norm(gradients, dual_norm(self.norm))
        if reach == 0:
            return vector_norm(self.open(gradients), dual_norm(self.norm))
        low, high = (-self.down / reach).clamp_min(-1.0), (self.up / reach).clamp_max(1.0)
        if math.isinf(self.norm):
            flat = gradients.flatten(1)
            return flat.clamp_min(0) @ -low.flatten() + flat.clamp_max(0) @ -high.flatten()
        one = torch.ones(1, dtype=gradients.dtype, device=gradients.device)
        low, high = low.reshape(1, 1, -1), high.reshape(1, 1, -1)
        parts = gradients.flatten(1)[None].split(max(1, SUPPORT_NUMBERS // low.numel()), dim=1)
        return -torch.cat([lowest_on_ball(part, one, low, high, self.norm, splits=None)[0] for part in parts])

    def open(self, gradients: Tensor) -> Tensor:
        """The gradients without the coordinates that cannot move downhill: 0 where there is no room at all."""
        if not self.bounded:
            return gradients
        return gradients.clamp(*self._open_signs)

    @cached_property
    def _open_signs(self) -> tuple[Tensor, Tensor]:
        """The least and the largest gradients that have room to move downhill: `-+inf`, or 0 where there is no room."""
        none = torch.zeros_like(self.down)
        return none.masked_fill(self.up > 0, -math.inf), none.masked_fill(self.down > 0, math.inf)

    def downhill(self, gradients: Tensor) -> Tensor:
        """A direction of unit norm, open at `x0`, along which each linear function falls fastest, `(batch, *input)`.

        Source: Hölder's equality.
        """
        return -steepest(self.open(gradients), self.norm)


def feasible_directions(
    x0: Tensor, bounds: tuple[Tensor, Tensor] | None, norm: float, feasible: bool = True
) -> FeasibleDirections:
    """The feasible directions of one input.

    Source: this project.

    Args:
        x0: The input, `(*input)`, within the bounds.
        bounds: Lowest and highest valid values, broadcastable to `x0`; `None` for none.
        norm: The norm `p`.
        feasible: False counts every direction, as if there were no bounds.

    Returns:
        The directions.
    """
    if bounds is None or not feasible:
        endless = torch.full_like(x0, math.inf)
        return FeasibleDirections(endless, endless, norm, bounded=False)
    low, high = bounds
    return FeasibleDirections((x0 - low).clamp_min(0), (high - x0).clamp_min(0), norm, bounded=True)


def onto_sphere(shifts: Tensor, norm: float, radius: Tensor) -> Tensor:
    """Each row scaled to the norm `radius`, `(batch,)`; a zero row stays zero. Source: this project.

    >>> onto_sphere(torch.tensor([[3.0, 4.0]]), 2.0, torch.tensor([10.0]))
    tensor([[6., 8.]])
    """
    limits, length = torch.finfo(shifts.dtype), vector_norm(shifts, norm)
    return shifts * expand((radius / length.clamp_min(limits.tiny)).clamp_max(limits.max), shifts)
