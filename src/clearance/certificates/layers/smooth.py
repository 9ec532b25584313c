"""Functions of one number that need not be monotone: linear functions above and below them.

A function is a list of pieces, split at its kinks and where its second derivative changes sign, so that on each piece
it is convex, concave or linear. Then for any coefficient `s` the largest `f(x) - s x` on `[l, u]` is bounded piece by
piece, whatever the point `t` of the piece at which a tangent is taken:

    convex or linear    at an end of the piece
    concave             f(x) - s x <= f(t) - s t + (f'(t) - s) (x - t), largest at an end of the piece

The second is exact where `f'(t) = s`. So the point `t`, and the coefficients that are tried, decide on tightness only;
no root and no extremum is taken for exact. With `s = 0` the same bounds are the interval of `f`. For the function
below, the same with the signs changed.

The coefficient is the one of the least concave function above `f` (its concave envelope) at the middle of the interval,
which encloses the least area: from the chord of the interval on, the point that is farthest above the line takes the
place of the end on its side of the middle (Newton's method for the ratio of two functions, Dinkelbach 1967, where one
end stays). Source: this project; for two pieces the lines are those of Zhang et al. (2018), section 3.2.

A breakpoint without a closed form is known to `BREAKPOINT_ERROR`, where `f''` is at most that times its derivative: a
tangent is wrong by the third power of it, far below the rounding that is allowed for.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from clearance.certificates.layers.activations import NARROW_INTERVAL, ActivationBounds, leaves_tangent
from clearance.certificates.operations import Interval, Linearised, refuse

BREAKPOINT_ERROR = 1e-14
"""How far a breakpoint without a closed form may lie from the true one."""
LINE_STEPS = 8
"""Steps towards the best coefficient; they decide on tightness only and converge faster than linearly."""
ROUNDINGS = 16
"""Units of rounding of the parts of a bound that are given away: each part has a few operations."""
TABLE_POINTS = 2049
"""Points of a table of derivatives, by which the point of a given derivative is looked up; tightness only."""

Map = Callable[[Tensor], Tensor]
"""A function of each entry of a tensor."""


@dataclass(frozen=True)
class Piece:
    """A function between two points, where it is convex, concave or linear; both ends belong to it.

    Attributes:
        low: Its lower end; may be `-inf`.
        high: Its upper end; may be `inf`.
        function: `f` on the piece.
        derivative: `f'` on the piece, at its ends the one-sided one.
        curvature: The sign of `f''`: 1, -1, or 0 where it is linear.
        contact: From `s` to a point where `f' = s`, as near as it is known; any number where there is none.
    """

    low: float
    high: float
    function: Map
    derivative: Map
    curvature: int = 0
    contact: Map = torch.zeros_like


@dataclass(frozen=True)
class Smooth:
    """A function of one number, element by element, as pieces.

    Source: this project; see the module.

    Attributes:
        name: What to call it.
        function: `f`.
        derivative: `f'`; at a kink, any number.
        pieces: Its pieces in order; the last end of one is the first of the next.
        largest_derivative: The largest `|f'|`, a Lipschitz constant; infinite where there is none.
        values: The least and the largest value of `f` anywhere.
        domain: Where it is defined, an open interval; intervals that are not within have no bounds.
        entrywise: It works entry by entry.
    """

    name: str
    function: Map
    derivative: Map
    pieces: Sequence[Piece]
    largest_derivative: float = math.inf
    values: tuple[float, float] = (-math.inf, math.inf)
    domain: tuple[float, float] = (-math.inf, math.inf)
    entrywise: bool = True

    def apply(self, *inputs: Tensor) -> Tensor:
        """`f(x)`, `(batch, *shape)` to the same."""
        return self.function(inputs[0])

    def interval(self, lows: Sequence[Tensor], highs: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Lower and upper bounds of `f` on `[l, u]`, rounded outwards; infinite outside the domain."""
        inside, low, high = self._within(lows[0], highs[0])
        flat = torch.zeros_like(low)
        least, most = -Excess(self, low, high, -1)(flat)[0], Excess(self, low, high, 1)(flat)[0]
        least, most = least.clamp(*self.values), most.clamp(*self.values)
        return torch.where(inside, least, -torch.inf), torch.where(inside, most, torch.inf)

    def relax(self, low: Tensor, high: Tensor) -> ActivationBounds:
        """The linear functions below and above with the least area between them and `f`; see the module.

        Args:
            low: `l`, `(batch, *shape)`.
            high: `u`, `(batch, *shape)`.

        Returns:
            The bounds; outside the domain the constants `-inf` and `inf`, by which nothing is proved.
        """
        inside, low, high = self._within(low, high)
        below, below_offset = self._line(low, high, -1)
        above, above_offset = self._line(low, high, 1)
        return ActivationBounds(
            torch.where(inside, -below, 0.0),
            torch.where(inside, -below_offset, -torch.inf),
            torch.where(inside, above, 0.0),
            torch.where(inside, above_offset, torch.inf),
        )

    def linearise(self, at: Tensor) -> Linearised:
        """The tangent at `z0`: `f(z) = f(z0) + s (z - z0) + rho`, `s = f'(z0)`, `rho` the extremes of `f(z) - s z`."""
        tangent = self.derivative(at).nan_to_num(0.0, 0.0, 0.0)
        at_zero = self.function(at) - tangent * at

        def remainder(box: Interval) -> Interval:
            inside, low, high = self._within(*box)
            least = -Excess(self, low, high, -1)(-tangent)[0] - at_zero
            most = Excess(self, low, high, 1)(tangent)[0] - at_zero
            curved = self.undecided(*box) | leaves_tangent(self.function, tangent, box) | ~inside
            least, most = torch.where(curved, least, 0.0), torch.where(curved, most, 0.0)
            return torch.where(inside, least, -torch.inf), torch.where(inside, most, torch.inf)

        return Linearised(lambda columns: tangent * columns, remainder)

    def undecided(self, low: Tensor, high: Tensor) -> Tensor:
        """Intervals that are not within a piece on which the function is linear."""
        found = low < high
        for piece in self.pieces:
            if piece.curvature == 0:
                found = found & ~((low >= piece.low) & (high <= piece.high))
        return found

    def lipschitz(self, norm: float) -> Sequence[float]:  # noqa: ARG002
        """The largest `|f'|`, for every norm (mean value theorem).

        Raises:
            NotSupportedError: If it is infinite.
        """
        if math.isinf(self.largest_derivative):
            refuse(f"operator-norms: {self.name} has no Lipschitz constant")
        return (self.largest_derivative,)

    def _within(self, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Which intervals lie within the domain, and the intervals, with `[1, 1]` in the place of the others."""
        inside = (low > self.domain[0]) & (high < self.domain[1])
        return inside, torch.where(inside, low, 1.0), torch.where(inside, high, 1.0)

    def _line(self, low: Tensor, high: Tensor, sign: int) -> tuple[Tensor, Tensor]:
        """Coefficient and offset of the lowest line above `sign f` at the middle of `[l, u]`, of those tried."""
        excess, middle = Excess(self, low, high, sign), low / 2 + high / 2
        local = sign * self.derivative(middle)
        best, offset = torch.zeros_like(low), torch.full_like(low, torch.inf)
        tried, left, right = local, low, high
        at_left, at_right = sign * self.function(left), sign * self.function(right)
        for _ in range(LINE_STEPS + 1):
            value, at = excess(tried)
            better = value + tried * middle < offset + best * middle
            best, offset = torch.where(better, tried, best), torch.where(better, value, offset)
            if tried is not local:
                found = value + tried * at
                at_left, at_right = torch.where(at < middle, found, at_left), torch.where(at > middle, found, at_right)
                left, right = torch.where(at < middle, at, left), torch.where(at > middle, at, right)
            narrow = right - left <= NARROW_INTERVAL * (1 + middle.abs())
            tried = torch.where(narrow, local, (at_right - at_left) / torch.where(narrow, 1.0, right - left))
        return best, offset


class Excess:
    """How far `sign f` rises above lines of given coefficients on `[l, u]`.

    Source: a tangent of a concave function lies above it, and a convex function is largest at an end; see the module.

    Args:
        curve: `f`.
        low: `l`, `(batch, *shape)`, within its domain.
        high: `u`, `(batch, *shape)`.
        sign: 1 or -1.
    """

    def __init__(self, curve: Smooth, low: Tensor, high: Tensor, sign: int) -> None:
        self.sign = sign
        self.parts = [ActivePiece(piece, low, high, sign) for piece in curve.pieces]
        self.reach = torch.maximum(low.abs(), high.abs())
        self.unit = ROUNDINGS * torch.finfo(low.dtype).eps
        self.scale = curve.largest_derivative if math.isfinite(curve.largest_derivative) else 0.0

    def __call__(self, slope: Tensor) -> tuple[Tensor, Tensor]:
        """An upper bound of `max sign f(x) - s x`, moved up by its rounding, and about where it is.

        Args:
            slope: `s`, `(batch, *shape)`.

        Returns:
            Both `(batch, *shape)`.
        """
        most = at = torch.full_like(slope, -torch.inf)
        size = (slope.abs() + self.scale) * self.reach
        for part in self.parts:
            for value, point, parts in part.highest(slope, self.reach):
                value = torch.where(part.active, value + self.unit * (size + parts), -torch.inf)  # noqa: PLW2901
                at = torch.where(value > most, point, at)
                most = torch.maximum(most, value)
        return most, at


class ActivePiece:
    """What of a piece lies in `[l, u]`: `[a, b]`, if it is active."""

    def __init__(self, piece: Piece, low: Tensor, high: Tensor, sign: int) -> None:
        self.piece, self.sign = piece, sign
        self.active = (low <= piece.high) & (high >= piece.low)
        self.a, self.b = low.clamp(piece.low, piece.high), high.clamp(piece.low, piece.high)
        self.ends = [(sign * piece.function(x), x) for x in (self.a, self.b)]

    def highest(self, slope: Tensor, reach: Tensor) -> Sequence[tuple[Tensor, Tensor, Tensor]]:
        """Values of which the largest bounds `sign f(x) - s x` on `[a, b]`, where, and the size of their terms."""
        if self.sign * self.piece.curvature >= 0:
            return [(value - slope * x, x, value.abs()) for value, x in self.ends]
        point = self.piece.contact(self.sign * slope + 0.0)  # -0 becomes 0
        point = torch.where(point.isnan(), self.a, torch.minimum(torch.maximum(point, self.a), self.b))
        value, rate = self.sign * self.piece.function(point), self.sign * self.piece.derivative(point)
        rise = torch.maximum((rate - slope) * (self.a - point), (rate - slope) * (self.b - point))
        return [(value - slope * point + rise, point, value.abs() + rate.abs() * reach)]


def tabulated(derivative: Map, low: float, high: float) -> Map:
    """Where a monotone derivative has a given value: a table, and one step of regula falsi between its points.

    Args:
        derivative: `f'`.
        low: Lower end of the table.
        high: Upper end.

    Returns:
        From `s` to a point of `[low, high]` where `f'` is about `s`.
    """
    points = torch.linspace(low, high, TABLE_POINTS, dtype=torch.float64)
    rates = derivative(points)
    if rates[0] > rates[-1]:
        points, rates = points.flip(0), rates.flip(0)
    rates = rates.cummax(0).values  # equal up to rounding where it hardly changes

    def contact(slope: Tensor) -> Tensor:
        x, y = points.to(slope), rates.to(slope)
        place = torch.searchsorted(y, slope.contiguous()).clamp(1, TABLE_POINTS - 1)
        left, right, low_rate, high_rate = x[place - 1], x[place], y[place - 1], y[place]
        first = _between(left, right, low_rate, high_rate, slope)
        rate = derivative(first)
        over = rate > slope
        left, low_rate = torch.where(over, left, first), torch.where(over, low_rate, rate)
        right, high_rate = torch.where(over, first, right), torch.where(over, rate, high_rate)
        return _between(left, right, low_rate, high_rate, slope)

    return contact


def _between(left: Tensor, right: Tensor, low: Tensor, high: Tensor, slope: Tensor) -> Tensor:
    """Where the line through two points has the value `s`, between them."""
    width = high - low
    share = torch.where(width > 0, (slope - low) / torch.where(width > 0, width, 1.0), 0.5)
    return left + share.clamp(0.0, 1.0) * (right - left)
