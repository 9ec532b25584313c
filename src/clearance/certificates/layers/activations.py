"""Activations: functions of one number that never decrease, and linear functions above and below them.

For any coefficient `s`, `f(x) - s x` on `[l, u]` is extremal at an end, at a kink, or where `f'(x) = s`: those points
are known in closed form, so the highest `s x + b` below `f`, and the lowest above it, are exact for every `s`. Which
coefficients are tried is a matter of tightness only, never of soundness: each side keeps the function that is best at
the middle of the interval, which is the one with the least area between it and `f`. For ReLU these are CROWN's own
choices (Zhang et al. 2018, section 3.2 and 3.3: the chord above, coefficient 0 or 1 below, whichever encloses less).
The other choices: this project.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from clearance.certificates.operations import Interval, Linearised, NotSupportedError
from clearance.certificates.rows import Rows

NARROW_INTERVAL = 1e-7
"""Relative width of an interval below which a chord's coefficient is all rounding and the derivative is taken."""
TANGENT_HALVINGS = 30
"""Halvings of the search for a tangent point, to 1e-9 of the interval; it decides on tightness only."""


@dataclass(frozen=True)
class ActivationBounds:
    """`lower x + lower_offset <= f(x) <= upper x + upper_offset`, each `(batch, *shape)`."""

    lower: Tensor
    lower_offset: Tensor
    upper: Tensor
    upper_offset: Tensor

    def bound_backward(self, rows: Rows) -> tuple[Sequence[Rows], Tensor]:
        """Positive coefficients take the lower function, negative ones the upper (Zhang et al. 2018, theorem 3.2)."""
        values, place = rows.values, rows.place
        positive = values > 0
        through = values * torch.where(positive, place(self.lower), place(self.upper))
        offset = values * torch.where(positive, place(self.lower_offset), place(self.upper_offset))
        return (rows.replaced(through),), rows.summed(offset)


@dataclass(frozen=True)
class Activation:
    """A nondecreasing function, element by element.

    Attributes:
        name: What to call it.
        function: `f`.
        derivative: `f'`; at a kink, any value between the one-sided ones.
        extremes: For a coefficient `s`, the points where `f' = s`, and the kinks: where `f(x) - s x` may be extremal;
            infinite where there is none.
        candidates: For `l, u`, coefficients worth trying besides the chord's and the derivative in the middle.
        largest_derivative: The largest value of `f'`, a Lipschitz constant.
        convex: Whether the derivative never decreases.
        pieces: Derivatives left and right of 0, for a function of two pieces with `f(0) = 0`.
        error: How far the function as it is computed may lie below `f` (softplus is cut off).
        entrywise: It works entry by entry.
    """

    name: str
    function: Callable[[Tensor], Tensor]
    derivative: Callable[[Tensor], Tensor]
    extremes: Callable[[Tensor], Sequence[Tensor]]
    candidates: Callable[[Tensor, Tensor], Sequence[Tensor]]
    largest_derivative: float = 1.0
    convex: bool = False
    pieces: tuple[float, float] | None = None
    error: float = 0.0
    entrywise: bool = True

    def apply(self, *inputs: Tensor) -> Tensor:
        """`f(x)`, `(batch, *shape)` to the same."""
        return self.function(inputs[0])

    def interval(self, lows: Sequence[Tensor], highs: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """`f(l), f(u)`, as `f` never decreases (Gowal et al. 2018)."""
        return self.function(lows[0]) - self.error, self.function(highs[0])

    def relax(self, low: Tensor, high: Tensor) -> ActivationBounds:
        """The best linear function on each side over `[low, high]` among the coefficients tried; see the module.

        Args:
            low: `l`, `(batch, *shape)`.
            high: `u`, `(batch, *shape)`.

        Returns:
            The bounds.
        """
        middle, width = (low + high) / 2, high - low
        narrow = width <= NARROW_INTERVAL * (1 + middle.abs())
        rise = self.function(high) - self.function(low)
        local = self.derivative(middle)
        chord = torch.where(narrow, local, rise / torch.where(narrow, 1.0, width))
        lower, upper = self._offsets(chord, low, high)
        best = ActivationBounds(chord, lower, chord, upper)
        for tried in (local, *self.candidates(low, high)):
            lower, upper = self._offsets(tried, low, high)
            below = lower + tried * middle > best.lower_offset + best.lower * middle
            above = upper + tried * middle < best.upper_offset + best.upper * middle
            best = ActivationBounds(
                torch.where(below, tried, best.lower),
                torch.where(below, lower, best.lower_offset),
                torch.where(above, tried, best.upper),
                torch.where(above, upper, best.upper_offset),
            )
        return best

    def _offsets(self, coefficient: Tensor, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
        """Smallest and largest `f(x) - s x` on `[low, high]`, moved outwards by the rounding of their parts."""
        least = most = self.function(low) - coefficient * low
        for point in (high, *self.extremes(coefficient)):
            x = torch.minimum(torch.maximum(point, low), high)
            value = self.function(x) - coefficient * x
            least, most = torch.minimum(least, value), torch.maximum(most, value)
        size = coefficient.abs() * torch.maximum(low.abs(), high.abs())
        size = size + torch.maximum(self.function(low).abs(), self.function(high).abs())
        room = 4 * torch.finfo(low.dtype).eps * size
        return least - room - self.error, most + room

    def linearise(self, at: Tensor) -> Linearised:
        """The tangent at `z0`: `f(z) = f(z0) + s (z - z0) + rho`, `s = f'(z0)`, `rho` the extremes of `f(z) - s z`."""
        tangent = self.derivative(at)
        at_zero = self.function(at) - tangent * at

        def remainder(box: Interval) -> Interval:
            least, most = (end - at_zero for end in self._offsets(tangent, *box))
            curved = self.undecided(*box) | leaves_tangent(self.function, tangent, box)
            return torch.where(curved, least, 0.0), torch.where(curved, most, 0.0)

        return Linearised(lambda columns: tangent * columns, remainder)

    def undecided(self, low: Tensor, high: Tensor) -> Tensor:
        """Where the function is not one linear piece on the interval."""
        return (low < high) if self.pieces is None else (low < 0) & (high > 0)

    def lipschitz(self, norm: float) -> Sequence[float]:  # noqa: ARG002
        """The largest derivative, for every norm (mean value theorem)."""
        return (self.largest_derivative,)


def leaves_tangent(function: Callable[[Tensor], Tensor], tangent: Tensor, box: Interval) -> Tensor:
    """Whether a function that is linear on an interval has another slope there than the tangent, beyond rounding.

    At a kink the derivative is that of one side only, and the interval may lie on the other.
    """
    low, high = box
    ends = function(low), function(high)
    size = tangent.abs() * torch.maximum(low.abs(), high.abs()) + torch.maximum(ends[0].abs(), ends[1].abs())
    return (ends[1] - ends[0] - tangent * (high - low)).abs() > 4 * torch.finfo(low.dtype).eps * size


def relu() -> Activation:
    """ReLU, `f(x) = max(x, 0)`; kink at 0. Bounds: Zhang et al. (2018), section 3.3."""
    return leaky_relu(0.0)


def leaky_relu(negative_slope: float = 0.01) -> Activation:
    """LeakyReLU, `f(x) = max(x, a x)`; kink at 0.

    Args:
        negative_slope: `a`, the derivative left of 0, as torch calls it.

    Returns:
        The activation.

    Raises:
        NotSupportedError: If it is not in [0, 1]: the function would not be convex and nondecreasing.
    """
    if not 0 <= negative_slope <= 1:
        raise NotSupportedError(f"expected a negative_slope in [0, 1], got {negative_slope:g}")
    return Activation(
        name="LeakyReLU" if negative_slope else "ReLU",
        function=lambda x: torch.maximum(x, negative_slope * x),
        derivative=lambda x: torch.where(x > 0, 1.0, negative_slope).to(x),
        extremes=lambda s: (torch.zeros_like(s),),
        candidates=lambda low, _: (torch.full_like(low, negative_slope), torch.ones_like(low)),
        convex=True,
        pieces=(negative_slope, 1.0),
    )


def relu6() -> Activation:
    """ReLU6, `f(x) = min(max(x, 0), 6)`; kinks at 0 and 6."""
    return hardtanh(0.0, 6.0)


def hardtanh(min_val: float = -1.0, max_val: float = 1.0) -> Activation:
    """Hard tanh, `f(x) = min(max(x, min_val), max_val)`; kinks at both.

    Args:
        min_val: Smallest value.
        max_val: Largest value.

    Returns:
        The activation.

    Raises:
        NotSupportedError: If they are not two finite numbers in order.
    """
    if not -math.inf < min_val < max_val < math.inf:
        raise NotSupportedError(f"expected two finite numbers in order, got {min_val:g} and {max_val:g}")
    rise = max_val - min_val

    def candidates(left: Tensor, right: Tensor) -> Sequence[Tensor]:
        from_left = rise / (max_val - left.clamp_max(min_val))  # from (left, min_val) to the upper kink
        to_right = rise / (right.clamp_min(max_val) - min_val)
        return torch.zeros_like(left), torch.ones_like(left), from_left, to_right

    return Activation(
        name="bounded ReLU",
        function=lambda x: x.clamp(min_val, max_val),
        derivative=lambda x: ((x > min_val) & (x < max_val)).to(x),
        extremes=lambda s: (torch.full_like(s, min_val), torch.full_like(s, max_val)),
        candidates=candidates,
    )


def tanh() -> Activation:
    """The hyperbolic tangent; `f'(x) = 1 / cosh(x)^2 = s` at `x = +- artanh sqrt(1 - s)`."""

    def derivative(x: Tensor) -> Tensor:
        return 1 / x.cosh().square()

    def extremes(s: Tensor) -> Sequence[Tensor]:
        point = (1 - s).clamp(0.0, 1.0).sqrt().atanh()
        return point, -point

    return Activation(
        "tanh",
        torch.tanh,
        derivative,
        extremes,
        lambda low, high: _tangent_derivatives(torch.tanh, derivative, low, high),
    )


def sigmoid() -> Activation:
    """The logistic function; `f' = f (1 - f) = s` where `f = (1 +- sqrt(1 - 4 s)) / 2`."""

    def derivative(x: Tensor) -> Tensor:
        return x.sigmoid() * (-x).sigmoid()

    def extremes(s: Tensor) -> Sequence[Tensor]:
        point = 2 * (1 - 4 * s).clamp(0.0, 1.0).sqrt().atanh()  # logit((1 + r) / 2) = 2 artanh r
        return point, -point

    return Activation(
        "sigmoid",
        torch.sigmoid,
        derivative,
        extremes,
        lambda low, high: _tangent_derivatives(torch.sigmoid, derivative, low, high),
        largest_derivative=0.25,
    )


def softplus(beta: float = 1.0, threshold: float = 20.0) -> Activation:
    """Softplus, `f(x) = log(1 + exp(beta x)) / beta`; `f'(x) = s` at `x = logit(s) / beta`.

    torch cuts it off: it returns `x` where `beta x > threshold`, which is up to `exp(-threshold) / beta` too low
    (2e-9 at its default threshold).

    Args:
        beta: Sharpness, positive.
        threshold: Where torch cuts it off.

    Returns:
        The activation.

    Raises:
        NotSupportedError: If `beta` is not positive, or the cut is no matter of rounding.
    """
    if not (beta > 0 and threshold >= 20):
        raise NotSupportedError(f"expected beta > 0 and threshold >= 20, got {beta:g} and {threshold:g}")
    return Activation(
        name="softplus",
        function=lambda x: functional.softplus(beta * x, threshold=50.0) / beta,
        derivative=lambda x: (beta * x).sigmoid(),
        extremes=lambda s: (s.clamp(0.0, 1.0).logit() / beta,),
        candidates=lambda _low, _high: (),
        convex=True,
        error=math.exp(-threshold) / beta,
    )


def _tangent_derivatives(
    function: Callable[[Tensor], Tensor], derivative: Callable[[Tensor], Tensor], low: Tensor, high: Tensor
) -> Sequence[Tensor]:
    """Derivatives of the tangents that pass one end and touch beyond the inflection point, at 0."""
    return (
        derivative(_tangent_point(function, derivative, low.clamp_max(0.0), high.clamp_min(0.0))),
        derivative(_tangent_point(function, derivative, high.clamp_min(0.0), low.clamp_max(0.0))),
    )


def _tangent_point(
    function: Callable[[Tensor], Tensor], derivative: Callable[[Tensor], Tensor], end: Tensor, far: Tensor
) -> Tensor:
    """The point `d` between 0 and `far` whose tangent passes `(end, f(end))`; `far` itself where there is none."""
    near = torch.zeros_like(far)
    at_end = function(end)
    for _ in range(TANGENT_HALVINGS):
        d = (near + far) / 2
        beyond = (function(d) + derivative(d) * (end - d) - at_end) * (d - end).sign() >= 0
        near, far = torch.where(beyond, near, d), torch.where(beyond, d, far)
    return far
