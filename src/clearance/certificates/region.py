"""The set that a proof is about, an `l_p` ball cut by the bounds, and the smallest value of linear functions on it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

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

    def lowest(self, coefficients: Tensor, *, splits: int = SPLITS) -> Tensor:
        """The smallest value of `<a, x>` on the region, or a lower bound of it, for each row.

        Without bounds it is `<a, x0> - r ||a||_q` (Hölder). With bounds it is exact for `p = 1` and `p = inf`; for
        other `p` it is the best of a few dual bounds: for every split `a = b + c`,

            min <a, d> >= -r ||b||_q + sum_i min(c_i low_i, c_i high_i).

        Source: this project (weak duality; Hölder's inequality for the first term).

        Args:
            coefficients: `a`, `(batch or 1, rows, *input)`.
            splits: For `1 < p < inf` with bounds, how many splits are tried.

        Returns:
            `(batch, rows)`.
        """
        rows, center = coefficients.flatten(2), self.center.flatten(1)
        at_center = (rows @ center[:, :, None])[..., 0] if len(rows) > 1 else center @ rows[0].T
        low, high = (end.flatten(1) - center for end in self.box())
        if math.isinf(self.norm):
            middle, half = (low + high) / 2, (high - low) / 2
            if len(rows) == 1:
                return at_center + middle @ rows[0].T - half @ rows[0].abs().T
            return at_center + (rows @ middle[:, :, None] - rows.abs() @ half[:, :, None])[..., 0]
        if self.bounds is None:
            length = last_norm(rows, dual_norm(self.norm))
            return at_center - self.radius[:, None] * length
        low, high = low[:, None], high[:, None]
        if self.norm == 1:
            return at_center + self._greedy(rows, low, high)
        return at_center + self._split(rows, low, high, splits)

    def covered(self) -> Tensor:
        """The radius at which the ball holds everything within the bounds: `max ||y - x||_p` over `low <= y <= high`.

        Returns:
            `(batch,)`, infinite without bounds.
        """
        if self.bounds is None:
            return torch.full_like(self.radius, math.inf)
        farthest = torch.maximum(self.center - self.bounds[0], self.bounds[1] - self.center)
        return vector_norm(farthest, self.norm)

    def _greedy(self, rows: Tensor, low: Tensor, high: Tensor) -> Tensor:
        """`p = 1`: spend the radius on the largest coefficients first, each as far as its bound."""
        rows = rows.expand(len(self.center), -1, -1)
        room = torch.where(rows > 0, -low, high)
        size, ranking = rows.abs().sort(2, descending=True)
        room = room.gather(2, ranking)
        before = room.cumsum(2) - room
        spent = torch.minimum(room, (self.radius[:, None, None] - before).clamp_min(0.0))
        return -(size * spent).sum(2)

    def _split(self, rows: Tensor, low: Tensor, high: Tensor, splits: int) -> Tensor:
        """`1 < p < inf`: from the minimiser `d(t) = clip(-sign(a) (t |a|)^(1/(p-1)))` of the Lagrangian at `1/t`.

        Its multipliers give `b = -sign(d) |d|^(p-1) / t`, which is `a` where nothing was clipped; `t` grows until
        `||d(t)||` is the radius.
        """
        power, dual, radius = self.norm - 1, dual_norm(self.norm), self.radius[:, None]
        length = last_norm(rows, dual).clamp_min(torch.finfo(rows.dtype).tiny)
        lowest = torch.maximum(-radius * length, torch.minimum(rows * low, rows * high).sum(2))
        scale = radius**power / length  # ||d(t)||_p = radius where nothing is clipped
        raised = rows.sign() * rows.abs() ** (1 / power) if power != 1 else rows
        for _ in range(splits):
            t = scale[..., None]
            step = torch.minimum(torch.maximum(-raised * t ** (1 / power), low), high)
            kept = -step.sign() * step.abs() ** power / t if power != 1 else -step / t
            rest = rows - kept
            value = -radius * last_norm(kept, dual)
            value = value + torch.minimum(rest * low, rest * high).sum(2)
            lowest = torch.maximum(lowest, torch.where(value.isfinite(), value, -math.inf))
            reached = last_norm(step, self.norm).clamp_min(torch.finfo(rows.dtype).tiny)
            scale = scale * (radius / reached) ** power
        return lowest
