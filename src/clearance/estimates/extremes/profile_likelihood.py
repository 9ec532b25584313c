"""Profile likelihood of the reverse Weibull endpoint, for many samples at once.

The numerical half of `extremes.reverse_weibull`. Everything here is in *standard gaps*: one row for each sample of
maxima `y`, `u = (max(y) - y) / (max(y) - min(y))`, so that 0 is the largest observation and 1 the smallest.
A candidate endpoint lies at a *distance* `t > 0` above the largest observation, in the same unit, and `x = t + u` has a
two-parameter Weibull distribution with shape `c` and scale `b`.

For a fixed `t` the scale is `b**c = mean(x**c)` and the shape solves one monotone equation,
`1/c + mean(log x) = sum(x**c log x) / sum(x**c)` (Johnson, Kotz and Balakrishnan 1994, chapter 21); Newton's method in
`log c` solves it in a few steps. What is left is a function of `t` alone: it is scanned on a logarithmic grid, and its
maximum and its crossings of a level are found by Newton's method inside brackets. All logarithms of likelihoods are per
row, for the whole sample.

The shape is held at 1 or more: below 1 the density, and with it the likelihood, is unbounded as the endpoint falls to
the largest observation (Smith 1985). With that restriction the profile has a finite value at `t = 0`
(an exponential distribution of the gaps), and as `t` grows without bound it tends to the Gumbel likelihood.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

GRID: Array = np.geomspace(1e-5, 1e2, 24)
FLOOR = 1e-9
REGULAR = 2.0
LIMIT = float(GRID[-1])
_SHAPE_STEPS = 60
_ROOT_STEPS = 80
_TOLERANCE = 1e-7  # of the last Newton step: what is left after it is of the order of its square


@dataclass(frozen=True, slots=True)
class Point:
    """The profile log-likelihood at one distance, per row: its value, two derivatives in `log t`, and the shape."""

    value: Array
    slope: Array
    curvature: Array
    shape: Array


@dataclass(frozen=True, slots=True)
class Maximum:
    """Where the profile is highest, per row.

    Attributes:
        distance: `t` of the highest interior maximum; 0 where the boundary `t = 0` is higher; infinite where the
            likelihood is higher still in the Gumbel limit or rises to the end of the grid.
        shape: shape at `distance`; infinite with it.
        value: log-likelihood there.
        lower: smallest distance whose log-likelihood is within the given drop of `value`; may be 0.
        upper: largest such distance; infinite where the Gumbel limit is within the drop.
    """

    distance: Array
    shape: Array
    value: Array
    lower: Array
    upper: Array


def mean(values: Array) -> Array:
    """Mean of each row, shape `(rows,)`."""
    return np.einsum("ij->i", values) / values.shape[1]


def shape_step(logs: Array, peak: Array, centre: Array, shape: Array) -> tuple[Array, Array, Array]:
    """One Newton step, in `log c`, for the shape; also the log-likelihood gained and the mean weight before it.

    With weights `w = exp(c (l - peak))` the score is `1/c + mean(l) - sum(w l)/sum(w)`, which falls in `c`.

    Args:
        logs: `l = log x`, shape `(rows, blocks)`.
        peak: largest `l` of each row.
        centre: mean `l` of each row.
        shape: current `c`.

    Returns:
        The new shape, half the Newton decrement (the log-likelihood per observation still to be gained from the old
        shape, to third order), and `mean(w)` at the old shape.
    """
    weights = np.exp(shape[:, None] * (logs - peak[:, None]))
    total = np.einsum("ij->i", weights)
    first = np.einsum("ij,ij->i", weights, logs) / total
    weights *= logs
    second = np.einsum("ij,ij->i", weights, logs) / total
    score = 1 / shape + centre - first
    information = 1 / shape**2 + np.maximum(second - first**2, 0)
    step = np.clip(score / (information * shape), -1.5, 1.5)
    return shape * np.exp(step), score**2 / (2 * information), total / logs.shape[1]


def solve_shape(logs: Array, start: Array | None = None) -> Array:
    """Maximum-likelihood shape of a two-parameter Weibull sample given its logarithms, shape `(rows,)`.

    Starts where the standard deviation of the logarithms is that of a Weibull variable, `pi / (sqrt(6) c)`.
    """
    centre, peak = mean(logs), logs.max(1)
    shape = np.pi / np.sqrt(6) / np.maximum(logs.std(1), 1e-300) if start is None else start
    for _ in range(_SHAPE_STEPS):
        previous = shape
        shape, _, _ = shape_step(logs, peak, centre, shape)
        if np.all(np.abs(shape - previous) <= _TOLERANCE * shape):
            break
    return shape


def log_likelihood(logs: Array, shape: Array) -> Array:
    """Weibull log-likelihood with the scale profiled out, `n (log c - log mean(x**c) + (c - 1) mean(log x) - 1)`."""
    peak = logs.max(1)
    level = np.log(mean(np.exp(shape[:, None] * (logs - peak[:, None])))) + shape * peak
    return logs.shape[1] * (np.log(shape) - level + (shape - 1) * mean(logs) - 1)


def evaluate(gaps: Array, distance: Array, start: Array) -> Point:
    """The profile and its derivatives at one distance for each row.

    `dL/dt = n ((c - 1) mean(1/x) - c E[1/x])`, `E` the mean under weights `x**c`; the second derivative is that of the
    profile, `L_tt - L_tc**2 / L_cc` (`L_tt` alone where the shape is held at 1).

    Args:
        gaps: standard gaps, shape `(rows, blocks)`.
        distance: `t`, shape `(rows,)`.
        start: first guess of the shape, shape `(rows,)`.

    Returns:
        The point of the profile.
    """
    values = gaps + distance[:, None]
    logs = np.log(values)
    shape = np.maximum(solve_shape(logs, start), 1.0)
    return _derivatives(values, logs, distance, shape, shape > 1)


def _derivatives(values: Array, logs: Array, distance: Array, shape: Array, free: NDArray[np.bool_]) -> Point:
    """Value and derivatives in `log t` at a given shape; `free` marks rows whose shape follows the distance."""
    count, centre, peak = values.shape[1], mean(logs), logs.max(1)
    inverse = 1 / values
    weights = np.exp(shape[:, None] * (logs - peak[:, None]))
    total = np.einsum("ij->i", weights)
    value = count * (np.log(shape) - np.log(total / count) - shape * peak + (shape - 1) * centre - 1)
    weights /= total[:, None]
    log_mean = np.einsum("ij,ij->i", weights, logs)
    log_variance = np.maximum(np.einsum("ij,ij,ij->i", weights, logs, logs) - log_mean**2, 0)
    weights *= inverse
    first, plain = np.einsum("ij->i", weights), mean(inverse)
    cross = np.einsum("ij,ij->i", weights, logs) - log_mean * first
    second = np.einsum("ij,ij->i", weights, inverse)
    slope = (shape - 1) * plain - shape * first
    bend = shape**2 * first**2 - shape * (shape - 1) * second - (shape - 1) * mean(inverse**2)
    mixed = np.where(free, plain - first - shape * cross, 0.0)
    bend += mixed**2 / (1 / shape**2 + log_variance)
    return Point(value, count * slope * distance, count * (bend * distance + slope) * distance, shape)


def scan(gaps: Array) -> tuple[Array, Array]:
    """Profile log-likelihood and (unrestricted) shape on `GRID`, each of shape `(grid, rows)`.

    The shape at one distance starts Newton's method at the next; two steps and the second's decrement are enough here.
    """
    count, average = gaps.shape[1], mean(gaps)
    values, shapes = np.empty((len(GRID), len(gaps))), np.empty((len(GRID), len(gaps)))
    logs = np.log(gaps + GRID[0])
    shape = solve_shape(logs)
    growth = np.ones_like(shape)
    for index, distance in enumerate(GRID):
        logs = np.log(gaps + distance)
        centre, peak, before = mean(logs), np.log1p(distance) + np.zeros(len(gaps)), shape
        start, _, _ = shape_step(logs, peak, centre, shape * growth)
        shape, gain, level = shape_step(logs, peak, centre, start)
        free = np.log(start) - np.log(level) - start * peak + (start - 1) * centre - 1 + gain
        values[index] = count * np.where(shape > 1, free, -np.log(average + distance) - 1)
        shapes[index] = shape
        growth = np.clip(shape / before, 0.25, 4.0)
    return values, shapes


def solve(function: Callable[[Array], tuple[Array, Array]], low: Array, high: Array, start: Array) -> Array:
    """Root of a function that is positive at `low` and negative at `high`: Newton's method, bisection where it leaves.

    All arguments and results have shape `(rows,)`; the function maps points to values and derivatives.
    """
    point = start
    for _ in range(_ROOT_STEPS):
        value, derivative = function(point)
        low, high = np.where(value > 0, point, low), np.where(value > 0, high, point)
        step = -value / np.where(derivative < 0, derivative, -1.0)
        following = point + step
        inside = (derivative < 0) & (following > low) & (following < high)
        following = np.where(inside | (value == 0), np.where(value == 0, point, following), (low + high) / 2)
        done = np.abs(following - point) <= _TOLERANCE
        point = following
        if done.all():
            break
    return point


def gumbel_limit(gaps: Array) -> tuple[Array, Array]:
    """Rate `k` and log-likelihood of the limit `t -> infinity`, the Gumbel distribution of the maxima.

    `c log(1 + u/t) -> k u` with `k = c/t`, so the rate solves the shape's equation with `u` for `log x`.
    """
    rate = solve_shape(gaps)
    level = np.log(mean(np.exp(rate[:, None] * (gaps - 1)))) + rate
    return rate, gaps.shape[1] * (np.log(rate) - level + rate * mean(gaps) - 1)


def fixed_shape(gaps: Array, shape: float | Array) -> Array:
    """Most likely distance when the shape is given (above 1), shape `(rows,)`: always exists and is finite."""
    given = np.broadcast_to(np.asarray(shape, dtype=np.float64), len(gaps))

    def slope(log_distance: Array) -> tuple[Array, Array]:
        distance = np.exp(log_distance)
        values = gaps + distance[:, None]
        point = _derivatives(values, np.log(values), distance, given, given < 0)
        return point.slope, point.curvature

    low, high = np.full(len(gaps), np.log(FLOOR)), np.full(len(gaps), np.log(1e6))
    return np.exp(solve(slope, low, high, np.zeros(len(gaps))))


def maximise(gaps: Array, drop: tuple[float, float] | None = None) -> Maximum:
    """Highest point of the profile and the distances within a drop of it in log-likelihood, per row.

    Args:
        gaps: standard gaps, shape `(rows, blocks)`.
        drop: half the critical value of the likelihood ratio, where the fitted shape is at least 2 and where it is
            below (the likelihood is not regular there: Smith 1985). None leaves the interval out: `(0, infinity)`.

    Returns:
        The maximum and the ends of the interval of distances.
    """
    values, shapes = scan(gaps)
    best = values.argmax(0)
    rows = np.arange(len(gaps))
    interior = best < len(GRID) - 1
    distance, peak = _peak(gaps, np.where(interior, best, len(GRID) - 2), shapes)
    _, limit = gumbel_limit(gaps)
    boundary = -gaps.shape[1] * (np.log(mean(gaps)) + 1)
    top = np.where(interior, peak.value, values[-1])
    highest = np.maximum(np.maximum(top, limit), boundary)
    lost = (limit >= highest) | ((top >= highest) & ~interior)
    at_zero = ~lost & (boundary >= highest)
    anchor = np.where(interior & ~at_zero & ~lost, distance, np.where(at_zero, 0.0, np.inf))
    shape = np.where(at_zero, 1.0, np.where(lost, np.inf, peak.shape))
    if drop is None:
        return Maximum(anchor, shape, highest, np.zeros(len(gaps)), np.full(len(gaps), np.inf))
    level = highest - np.where(shape < REGULAR, drop[1], drop[0])
    inside = np.concatenate([boundary[None] >= level, values >= level, limit[None] >= level])
    lower, upper = _ends(gaps, shapes[np.minimum(best, len(GRID) - 2), rows], level, inside, anchor)
    return Maximum(anchor, shape, highest, lower, upper)


def _peak(gaps: Array, best: NDArray[np.intp], shapes: Array) -> tuple[Array, Point]:
    """The interior maximum next to grid point `best`, by Newton's method on the slope of the profile."""
    guess = np.maximum(shapes[best, np.arange(len(gaps))], 1.0)
    found: list[Point] = []

    def slope(log_distance: Array) -> tuple[Array, Array]:
        found[:] = [evaluate(gaps, np.exp(log_distance), found[0].shape if found else guess)]
        return found[0].slope, found[0].curvature

    edges = np.log(np.concatenate([[FLOOR], GRID]))
    root = solve(slope, edges[best], edges[best + 2], edges[best + 1])
    return np.exp(root), evaluate(gaps, np.exp(root), found[0].shape)


def _ends(gaps: Array, guess: Array, level: Array, inside: NDArray[np.bool_], anchor: Array) -> tuple[Array, Array]:
    """Outermost crossings of a level; `inside` tells it on 0, the grid and infinity, `anchor` is a point inside."""
    knots = np.concatenate([[FLOOR], GRID, [np.inf]])
    left = np.minimum(np.where(inside, knots[:, None], np.inf).min(0), np.where(anchor > 0, anchor, FLOOR))
    right = np.maximum(np.where(inside, knots[:, None], 0.0).max(0), np.where(np.isfinite(anchor), anchor, 0.0))
    below = knots[np.maximum(np.searchsorted(knots, left, side="left") - 1, 0)]
    above = knots[np.minimum(np.searchsorted(knots, right, side="right"), len(GRID))]
    lower, upper = np.zeros(len(gaps)), np.full(len(gaps), np.inf)
    low, high = ~inside[0], ~(inside[-1] | inside[-2])
    lower[low] = _crossing(gaps[low], guess[low], level[low], below[low], left[low], rising=True)
    upper[high] = _crossing(gaps[high], guess[high], level[high], right[high], above[high], rising=False)
    return lower, upper


def _crossing(gaps: Array, guess: Array, level: Array, low: Array, high: Array, *, rising: bool) -> Array:
    """Distance between `low` and `high` at which the profile crosses a level, rising or falling, per row."""
    sign, shape = (-1.0 if rising else 1.0), np.maximum(guess, 1.0)
    low, high = np.log(low), np.log(np.minimum(high, LIMIT))
    if not len(gaps):
        return low

    def excess(log_distance: Array) -> tuple[Array, Array]:
        nonlocal shape
        point = evaluate(gaps, np.exp(log_distance), shape)
        shape = point.shape
        return sign * (point.value - level), sign * point.slope

    return np.exp(solve(excess, low, high, (low + high) / 2))
