"""Linear bounds of a ReLU layer whose inputs lie in a box, and in a ball around what they are at the network's input.

CROWN's offset of a layer is a sum over its units of what each loses on its own interval. But on an l2 ball of inputs
few units can be near the ends of their intervals at once. With `z0` what the layer takes at the network's input and `D`
a bound of `||z - z0||_2`, `<c, f(z)> >= <g, z> + h` holds for every multiplier `m >= 0` with

    h = sum_i min over [l_i, u_i] of (c_i f(z_i) - g_i z_i + m (z_i - z0_i)^2 / 2)  -  m D^2 / 2

(weak duality): one parabola on each side of the kink, whose smallest value has a closed form. `m = 0` is CROWN's own
offset; without the interval it is that of SDP-CROWN (Chiu, Chen, Zhang and Zhang 2025, theorem 4.1). Any `g` is valid.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from clearance.certificates.rows import Rows

MULTIPLIER_STEPS = 4
"""Steps of the search for the best multiplier of a row: the offset is concave in it, and flat near its largest."""
MOST_CHANGE = 8.0
"""By what a multiplier grows or shrinks in one of them, at most."""
LEAST_MULTIPLIER = 1e-3
"""Share of the first multiplier that the search tries which it leaves an ascent to begin at where 0 is best."""
OFFSET_ROUNDING = 8.0
"""Units of rounding of `sum |c_i| max(|l_i|, |u_i|)` that an offset gives away."""


@dataclass(frozen=True)
class DeviationBounds:
    """Bounds of `f(z)`, `f` of two pieces with a kink at 0, for `l <= z <= u` and `||z - z0||_2 <= D`.

    Source: this project; SDP-CROWN (Chiu et al. 2025) for the ball without the box.

    Attributes:
        low: `l`, `(batch, *shape)`.
        high: `u`, `(batch, *shape)`.
        center: `z0`, `(batch, *shape)`, within `[l, u]`.
        deviation: `D`, `(batch,)`, of the entries whose interval holds the kink; the others lose nothing.
        left: The derivative left of 0; right of it, it is 1.
        below: `g / c` for positive `c`, `(batch, *shape)`.
        above: The same for negative `c`.
    """

    low: Tensor
    high: Tensor
    center: Tensor
    deviation: Tensor
    left: float
    below: Tensor
    above: Tensor

    def bound_backward(self, rows: Rows) -> tuple[Sequence[Rows], Tensor]:
        """`g`, and the largest `h` of a few multipliers, `(batch, rows)`."""
        through = rows.replaced(rows.values * self.coefficients(rows))
        return (through,), self.best(rows, through)[0]

    def coefficients(self, rows: Rows) -> Tensor:
        """`g / c`, of the shape of the rows' values."""
        return torch.where(rows.values > 0, rows.place(self.below), rows.place(self.above))

    def best(self, rows: Rows, through: Rows) -> tuple[Tensor, Tensor]:
        """The largest `h` of a few multipliers, and its own or a small one from which gradients lead on.

        Args:
            rows: `c`.
            through: `g`.

        Returns:
            Both, `(batch, rows)`.
        """
        parabolas = self._parabolas(rows, through)
        multiplier = parabolas.first()
        best = LEAST_MULTIPLIER * multiplier
        highest, _ = parabolas.lowest(torch.zeros_like(multiplier))
        for _ in range(MULTIPLIER_STEPS):
            offset, moved = parabolas.lowest(multiplier)
            best = torch.where(offset > highest, torch.maximum(multiplier, best), best)
            highest = torch.maximum(highest, offset)
            change = (moved / parabolas.reach).sqrt().clamp(1 / MOST_CHANGE, MOST_CHANGE)
            multiplier = multiplier * change
        return highest - self._room(rows), best

    def at(self, rows: Rows, through: Rows, multiplier: Tensor) -> Tensor:
        """`h` for given multipliers, `(batch, rows)` each."""
        return self._parabolas(rows, through).lowest(multiplier)[0] - self._room(rows)

    def _room(self, rows: Rows) -> Tensor:
        """What rounding may take from `h`."""
        size = torch.maximum(self.low.abs(), self.high.abs())
        return OFFSET_ROUNDING * torch.finfo(size.dtype).eps * rows.replaced(rows.values.abs()).dot(size)

    def _reach(self) -> Tensor:
        numbers = torch.finfo(self.low.dtype)
        return self.deviation.square().clamp(numbers.tiny, numbers.max)

    def _parabolas(self, rows: Rows, through: Rows) -> _Parabolas:
        pieces = [
            (rows.values - through.values, rows.place(self.low.clamp_min(0.0)), rows.place(self.high.clamp_min(0.0))),
            (
                self.left * rows.values - through.values,
                rows.place(self.low.clamp_max(0.0)),
                rows.place(self.high.clamp_max(0.0)),
            ),
        ]
        return _Parabolas(rows, pieces, rows.place(self.center), self._reach()[:, None])


@dataclass(frozen=True)
class _Parabolas:
    """The parabolas `slope z + m (z - z0)^2 / 2` on both sides of the kink.

    Attributes:
        rows: Whose places the terms stand at.
        pieces: For each side its `slope` and the ends of the interval there.
        center: `z0`.
        reach: `D^2`, `(batch, 1)`.
    """

    rows: Rows
    pieces: list[tuple[Tensor, Tensor, Tensor]]
    center: Tensor
    reach: Tensor

    def first(self) -> Tensor:
        """A multiplier with which the lowest points lie about `D` from `z0`, `(batch, rows)`."""
        (right, _, _), (left, _, _) = self.pieces
        steep = self.rows.summed(torch.minimum(right.square(), left.square()))
        return (steep / self.reach).sqrt().clamp_min(torch.finfo(steep.dtype).tiny ** 0.25)

    def lowest(self, multiplier: Tensor) -> tuple[Tensor, Tensor]:
        """`h` without its rounding, and `sum (z - z0)^2` at the lowest points, `(batch, rows)` each."""
        each = multiplier.reshape(*multiplier.shape, *[1] * (self.center.ndim - 2))
        (least, away), other = (self._side(each, *piece) for piece in self.pieces)
        away = torch.where(other[0] < least, other[1], away)
        least = torch.minimum(least, other[0])
        return self.rows.summed(least) - multiplier * self.reach / 2, self.rows.summed(away)

    def _side(self, multiplier: Tensor, slope: Tensor, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
        """The smallest value on one side of the kink, and how far from `z0` it is taken, squared."""
        least = torch.finfo(slope.dtype).tiny ** 0.25  # so that no derivative overflows
        z = torch.minimum(torch.maximum(self.center - slope / multiplier.clamp_min(least), low), high)
        away = (z - self.center).square()
        return slope * z + multiplier / 2 * away, away
