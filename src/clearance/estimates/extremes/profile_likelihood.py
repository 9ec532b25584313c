"""Profile likelihood of the reverse Weibull endpoint, for many samples at once.

Everything here is in *standard gaps*: one row for each sample of
maxima `y`, `u = (max(y) - y) / (max(y) - min(y))`, so that 0 is the largest observation and 1 the smallest.
A candidate endpoint lies at a *distance* `t > 0` above the largest observation, in the same unit, and `x = t + u` has a
two-parameter Weibull distribution with shape `c` and scale `b`.

For a fixed `t` shape and scale have their most likely values (`extremes.weibull`). What is left is the *profile*, a
function of `t` alone. All logarithms of likelihoods are per row, for the whole sample.

The shape is held at 1 or more: below 1 the density, and with it the likelihood, is unbounded as the endpoint falls to
the largest observation (Smith 1985). With that restriction the profile has a finite value at `t = 0`
(an exponential distribution of the gaps), and as `t` grows without bound it tends to the Gumbel likelihood.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clearance.estimates.extremes.weibull import NEWTON_TOLERANCE, row_mean, solve_shape

Array = NDArray[np.float64]

SMALLEST_DISTANCE = 1e-9
"""Left end of the brackets of roots. A distance of a billionth of the range is less than the rounding of block maxima
that are computed in single precision."""

FARTHEST_MODE = 1e6
"""The largest distance looked at for a given shape `c`. The most likely one was below `c / 2` for all samples tried,
and shapes up to 12 are in use."""

_ROOT_STEPS = 80
"""Steps of a root search at most: bisection alone narrows the widest bracket, of 35 in `log t`, to `NEWTON_TOLERANCE`
in 29, and Newton's method takes some 5."""


@dataclass(frozen=True, slots=True)
class Point:
    """The profile log-likelihood `L` at one distance `t`, per row; every field has shape `(rows,)`.

    Attributes:
        value: `L`.
        gradient: `dL / d log t`.
        curvature: `d²L / (d log t)²`.
        shape: the most likely shape `c` there.
    """

    value: Array
    gradient: Array
    curvature: Array
    shape: Array


def evaluate(gaps: Array, distance: Array, start: Array) -> Point:
    """The profile and its derivatives at one distance for each row.

    `dL/dt = n ((c - 1) mean(1/x) - c E[1/x])`, `E` the mean under weights `x**c`; the second derivative is that of the
    profile, `L_tt - L_tc**2 / L_cc` (`L_tt` alone where the shape is held at 1). Source: this project, by
    differentiating the likelihood of `extremes.weibull`; the first derivative is `dL/dt` at fixed shape because the
    shape is most likely.

    Args:
        gaps: standard gaps, shape `(rows, blocks)`.
        distance: `t > 0`, shape `(rows,)`.
        start: first guess of the shape, shape `(rows,)`.

    Returns:
        The point of the profile, fields of shape `(rows,)`.

    >>> gaps = np.array([[0.0, 0.5, 1.0]])
    >>> at, ahead = (evaluate(gaps, np.array([t]), np.ones(1)) for t in (1.0, np.exp(1e-4)))
    >>> bool(np.isclose((ahead.value - at.value) / 1e-4, at.gradient, rtol=1e-2))
    True
    """
    values = gaps + distance[:, None]
    logs = np.log(values)
    shape = np.maximum(solve_shape(logs, start), 1.0)
    return _derivatives(values, logs, distance, shape, shape > 1)


def _derivatives(values: Array, logs: Array, distance: Array, shape: Array, free: NDArray[np.bool_]) -> Point:
    """Value and derivatives in `log t` at a given shape; `free` marks rows whose shape follows the distance."""
    count, centre, peak = values.shape[1], row_mean(logs), logs.max(1)
    inverse = 1 / values
    weights = np.exp(shape[:, None] * (logs - peak[:, None]))
    total = np.einsum("ij->i", weights)
    value = count * (np.log(shape) - np.log(total / count) - shape * peak + (shape - 1) * centre - 1)
    weights /= total[:, None]
    log_mean = np.einsum("ij,ij->i", weights, logs)
    log_variance = np.maximum(np.einsum("ij,ij,ij->i", weights, logs, logs) - log_mean**2, 0)
    weights *= inverse
    first, plain = np.einsum("ij->i", weights), row_mean(inverse)
    cross = np.einsum("ij,ij->i", weights, logs) - log_mean * first
    second = np.einsum("ij,ij->i", weights, inverse)
    gradient = (shape - 1) * plain - shape * first
    curvature = shape**2 * first**2 - shape * (shape - 1) * second - (shape - 1) * row_mean(inverse**2)
    mixed = np.where(free, plain - first - shape * cross, 0.0)
    curvature += mixed**2 / (1 / shape**2 + log_variance)
    return Point(value, count * gradient * distance, count * (curvature * distance + gradient) * distance, shape)


def solve(function: Callable[[Array], tuple[Array, Array]], low: Array, high: Array, start: Array) -> Array:
    """Root of a function that is positive at `low` and negative at `high`, one in each row.

    Newton's method, with a bisection wherever its step would leave the bracket or the function does not fall
    (safeguarded
    Newton: Press, Teukolsky, Vetterling and Flannery 2007, section 9.4).

    Args:
        function: Maps points `(rows,)` to values and derivatives, each `(rows,)`.
        low: Left ends, shape `(rows,)`.
        high: Right ends, shape `(rows,)`.
        start: First points, between them, shape `(rows,)`.

    Returns:
        Roots to about `NEWTON_TOLERANCE**2`, shape `(rows,)`.

    >>> root = solve(lambda x: (2 - x**2, -2 * x), np.zeros(1), np.full(1, 2.0), np.ones(1))
    >>> round(float(root[0]), 9)
    1.414213562
    """
    point = start
    for _ in range(_ROOT_STEPS):
        value, derivative = function(point)
        low, high = np.where(value > 0, point, low), np.where(value > 0, high, point)
        step = -value / np.where(derivative < 0, derivative, -1.0)
        following = point + step
        inside = (derivative < 0) & (following > low) & (following < high)
        following = np.where(inside | (value == 0), np.where(value == 0, point, following), (low + high) / 2)
        done = np.abs(following - point) <= NEWTON_TOLERANCE
        point = following
        if done.all():
            break
    return point


def gumbel_limit(gaps: Array) -> tuple[Array, Array]:
    """Rate `k` and log-likelihood of the limit `t -> infinity`, the Gumbel distribution of the maxima.

    `c log(1 + u/t) -> k u` with `k = c/t`, so the rate solves the shape's equation with `u` for `log x`: with `k = 1/b`
    it is the Gumbel likelihood equation (Johnson, Kotz and Balakrishnan 1995, chapter 22).

    Args:
        gaps: standard gaps, shape `(rows, blocks)`.

    Returns:
        `k` and the log-likelihood of each whole row, in standard gaps; each of shape `(rows,)`.
    """
    rate = solve_shape(gaps)
    level = np.log(row_mean(np.exp(rate[:, None] * (gaps - 1)))) + rate
    return rate, gaps.shape[1] * (np.log(rate) - level + rate * row_mean(gaps) - 1)


def fixed_shape(gaps: Array, shape: float | Array) -> Array:
    """Most likely distance when the shape is given: the root `t` of `(c - 1) mean(1/x) = c E[1/x]`, `x = t + u`.

    Source: this project, from `evaluate`'s derivative. For a shape above 1 it exists: the likelihood falls to minus
    infinity as `t` goes to 0 and rises from there, and it falls again once `t` exceeds some multiple of `c`.

    Args:
        gaps: standard gaps, shape `(rows, blocks)`.
        shape: `c > 1`, one for all rows or of shape `(rows,)`.

    Returns:
        `t`, shape `(rows,)`.
    """
    given = np.broadcast_to(np.asarray(shape, dtype=np.float64), len(gaps))

    def gradient(log_distance: Array) -> tuple[Array, Array]:
        distance = np.exp(log_distance)
        values = gaps + distance[:, None]
        point = _derivatives(values, np.log(values), distance, given, given < 0)
        return point.gradient, point.curvature

    low, high = np.full(len(gaps), np.log(SMALLEST_DISTANCE)), np.full(len(gaps), np.log(FARTHEST_MODE))
    return np.exp(solve(gradient, low, high, np.zeros(len(gaps))))
