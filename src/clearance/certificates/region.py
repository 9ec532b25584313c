"""The set that a proof is about, an `l_p` ball cut by the bounds, and the smallest value of linear functions on it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from clearance.certificates.rows import Rows
from clearance.geometry.lowest import lowest_on_ball
from clearance.geometry.norms import dual_norm, last_norm, vector_norm

SPLITS = 1
"""Splits tried for `1 < p < inf` with bounds. Any is sound; two more gained .0005 on MNIST networks."""


@dataclass(frozen=True)
class Region:
    """`{x + d : ||d||_p <= radius, low <= d <= high}` for each input of a batch.

    Source: Hölder's inequality, and weak duality where the bounds cut the ball.

    Attributes:
        center: `x`, `(batch, *input)`.
        radius: `(batch,)`.
        norm: `p`.
        bounds: Smallest and largest value of an input, each of the shape of `x`; `None` for none.
    """

    center: Tensor
    radius: Tensor
    norm: float
    bounds: tuple[Tensor, Tensor] | None

    def box(self) -> tuple[Tensor, Tensor]:
        """The smallest box around the region, as absolute values `(batch, *input)`."""
        size = self.radius.reshape(-1, *[1] * (self.center.ndim - 1))
        low, high = self.center - size, self.center + size
        if self.bounds is None:
            return low, high
        return torch.maximum(low, self.bounds[0]), torch.minimum(high, self.bounds[1])

    def lowest(self, rows: Rows, *, splits: int = SPLITS) -> Tensor:
        """The smallest value of `<a, x>` on the region, or a lower bound of it, for each row `a`.

        Without bounds it is `<a, x0> - r ||a||_q` (Hölder). With bounds it is exact for `p = 1` and `p = inf`; for
        other `p` it is the best of a few dual bounds: for every split `a = b + c`,

            min <a, d> >= -r ||b||_q + sum_i min(c_i low_i, c_i high_i).

        Source: this project (weak duality; Hölder's inequality for the first term).

        Args:
            rows: Coefficients of the input.
            splits: For `1 < p < inf` with bounds, how many splits are tried.

        Returns:
            `(batch, rows)`.
        """
        if math.isinf(self.norm):
            middle, reach = self._middle_and_reach
            return rows.dot(middle) - rows.replaced(rows.values.abs()).dot(reach)
        low, high = self.box()
        at_center, flat = rows.dot(self.center), rows.values.flatten(2)
        if self.bounds is None:
            return at_center - self.radius[:, None] * last_norm(flat, dual_norm(self.norm))
        down, up = (rows.place(end - self.center).flatten(2) for end in (low, high))
        return at_center + lowest_on_ball(flat, self.radius, down, up, self.norm, splits=splits)

    def lowest_and_where(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """As `lowest`, and where each row is smallest: all rows of a batch of one input, or one row of each.

        That place is the derivative of the smallest value with respect to the coefficients (envelope theorem); for
        `p = inf` it is the corner of the box on the falling side of each coordinate.

        Args:
            rows: Coefficients, `(n, *input)`.

        Returns:
            Values `(n,)` and points `(n, *input)`; where a value is a bound only, a point near the region.
        """
        if math.isinf(self.norm):
            middle, reach = self._middle_and_reach
            point = torch.addcmul(middle, rows.sign(), reach, value=-1)
            return (rows * point).flatten(1).sum(1), point
        leaf = rows.detach().requires_grad_(True)
        with torch.enable_grad():
            least = self.lowest(Rows(leaf[None] if len(self.center) == 1 else leaf[:, None])).flatten()
            (point,) = torch.autograd.grad(least.sum(), leaf)
        return least.detach(), point

    @cached_property
    def _middle_and_reach(self) -> tuple[Tensor, Tensor]:
        """Centre and half the width of `box`."""
        low, high = self.box()
        return (low + high) / 2, (high - low) / 2

    def covered(self) -> Tensor:
        """The radius at which the ball holds everything within the bounds: `max ||y - x||_p` over `low <= y <= high`.

        Returns:
            `(batch,)`, infinite without bounds.
        """
        if self.bounds is None:
            return torch.full_like(self.radius, math.inf)
        farthest = torch.maximum(self.center - self.bounds[0], self.bounds[1] - self.center)
        return vector_norm(farthest, self.norm)
