"""The highest point of the profile likelihood of the endpoint, and the interval of endpoints near it in likelihood.

Everything is in standard gaps and distances, many samples at once: see `extremes.profile_likelihood`. The profile is
evaluated on a logarithmic grid; its maximum and its crossings of a level are then found by Newton's method inside
brackets.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clearance.estimates.extremes.profile_likelihood import SMALLEST_DISTANCE, Point, evaluate, gumbel_limit, solve
from clearance.estimates.extremes.weibull import row_mean, shape_step, solve_shape

Array = NDArray[np.float64]

DISTANCES: Array = np.geomspace(1e-5, 1e2, 24)
"""Where the profile is evaluated first: from a distance at which it has all but its value at 0 to one at which it has
all but its Gumbel limit, seven decades in steps of a factor of 2."""

REGULAR_SHAPE = 2.0
"""From this shape on the likelihood ratio has its usual chi-square limit; below it the likelihood is not regular (Smith
1985)."""


@dataclass(frozen=True, slots=True)
class Maximum:
    """Where the profile is highest, per row; every field has shape `(rows,)`.

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


def maximise(gaps: Array, drop: tuple[float, float] | None = None) -> Maximum:
    """Highest point of the profile `L(t)` and the distances with `L(t) >= max L - drop`, per row.

    The maximum is over `t = 0` (where `L = -n (log mean(u) + 1)`, exponential gaps), the interior, and the Gumbel
    limit. The interval inverts the likelihood ratio test (Coles 2001, section 2.6.6).

    Args:
        gaps: standard gaps, shape `(rows, blocks)`.
        drop: half the critical value of the likelihood ratio, where the fitted shape is at least `REGULAR_SHAPE` and
            where it is below. None leaves the interval out: `(0, infinity)`.

    Returns:
        The maximum and the ends of the interval of distances, fields of shape `(rows,)`.
    """
    values, shapes = scan(gaps)
    best = values.argmax(0)
    rows = np.arange(len(gaps))
    interior = best < len(DISTANCES) - 1
    distance, peak = _peak(gaps, np.where(interior, best, len(DISTANCES) - 2), shapes)
    _, limit = gumbel_limit(gaps)
    boundary = -gaps.shape[1] * (np.log(row_mean(gaps)) + 1)
    top = np.where(interior, peak.value, values[-1])
    highest = np.maximum(np.maximum(top, limit), boundary)
    unbounded = (limit >= highest) | ((top >= highest) & ~interior)
    at_zero = ~unbounded & (boundary >= highest)
    anchor = np.where(interior & ~at_zero & ~unbounded, distance, np.where(at_zero, 0.0, np.inf))
    shape = np.where(at_zero, 1.0, np.where(unbounded, np.inf, peak.shape))
    if drop is None:
        return Maximum(anchor, shape, highest, np.zeros(len(gaps)), np.full(len(gaps), np.inf))
    level = highest - np.where(shape < REGULAR_SHAPE, drop[1], drop[0])
    inside = np.concatenate([boundary[None] >= level, values >= level, limit[None] >= level])
    lower, upper = _ends(gaps, shapes[np.minimum(best, len(DISTANCES) - 2), rows], level, inside, anchor)
    return Maximum(anchor, shape, highest, lower, upper)


def _peak(gaps: Array, best: NDArray[np.intp], shapes: Array) -> tuple[Array, Point]:
    """The interior maximum next to grid point `best`, by Newton's method on the derivative of the profile."""
    guess = np.maximum(shapes[best, np.arange(len(gaps))], 1.0)
    found: list[Point] = []

    def gradient(log_distance: Array) -> tuple[Array, Array]:
        found[:] = [evaluate(gaps, np.exp(log_distance), found[0].shape if found else guess)]
        return found[0].gradient, found[0].curvature

    edges = np.log(np.concatenate([[SMALLEST_DISTANCE], DISTANCES]))
    root = solve(gradient, edges[best], edges[best + 2], edges[best + 1])
    return np.exp(root), evaluate(gaps, np.exp(root), found[0].shape)


def _ends(gaps: Array, guess: Array, level: Array, inside: NDArray[np.bool_], anchor: Array) -> tuple[Array, Array]:
    """Outermost crossings of a level; `inside` tells it on 0, the grid and infinity, `anchor` is a point inside."""
    knots = np.concatenate([[SMALLEST_DISTANCE], DISTANCES, [np.inf]])
    left = np.minimum(np.where(inside, knots[:, None], np.inf).min(0), np.where(anchor > 0, anchor, SMALLEST_DISTANCE))
    right = np.maximum(np.where(inside, knots[:, None], 0.0).max(0), np.where(np.isfinite(anchor), anchor, 0.0))
    below = knots[np.maximum(np.searchsorted(knots, left, side="left") - 1, 0)]
    above = knots[np.minimum(np.searchsorted(knots, right, side="right"), len(DISTANCES))]
    lower, upper = np.zeros(len(gaps)), np.full(len(gaps), np.inf)
    low, high = ~inside[0], ~(inside[-1] | inside[-2])
    lower[low] = _crossing(gaps[low], guess[low], level[low], below[low], left[low], rising=True)
    upper[high] = _crossing(gaps[high], guess[high], level[high], right[high], above[high], rising=False)
    return lower, upper


def _crossing(gaps: Array, guess: Array, level: Array, low: Array, high: Array, *, rising: bool) -> Array:
    """Distance between `low` and `high` at which the profile crosses a level, rising or falling, per row."""
    sign, shape = (-1.0 if rising else 1.0), np.maximum(guess, 1.0)
    low, high = np.log(low), np.log(np.minimum(high, DISTANCES[-1]))
    if not len(gaps):
        return low

    def excess(log_distance: Array) -> tuple[Array, Array]:
        nonlocal shape
        point = evaluate(gaps, np.exp(log_distance), shape)
        shape = point.shape
        return sign * (point.value - level), sign * point.gradient

    return np.exp(solve(excess, low, high, (low + high) / 2))


def scan(gaps: Array) -> tuple[Array, Array]:
    """Profile log-likelihood and (unrestricted) shape at `DISTANCES`.

    Source: this project. The shape at one distance starts Newton's method at the next; two steps, and for the value
        half
    the decrement of the second, are enough here: neighbouring values are compared, and the maximum is refined later.

    Args:
        gaps: standard gaps, shape `(rows, blocks)`.

    Returns:
        Log-likelihoods and shapes, each of shape `(distances, rows)`.
    """
    count, average = gaps.shape[1], row_mean(gaps)
    values, shapes = np.empty((len(DISTANCES), len(gaps))), np.empty((len(DISTANCES), len(gaps)))
    logs = np.log(gaps + DISTANCES[0])
    shape = solve_shape(logs)
    growth = np.ones_like(shape)
    for index, distance in enumerate(DISTANCES):
        logs = np.log(gaps + distance)
        centre, peak, before = row_mean(logs), np.log1p(distance) + np.zeros(len(gaps)), shape
        start, _, _ = shape_step(logs, peak, centre, shape * growth)
        shape, gain, level = shape_step(logs, peak, centre, start)
        free = np.log(start) - np.log(level) - start * peak + (start - 1) * centre - 1 + gain
        values[index] = count * np.where(shape > 1, free, -np.log(average + distance) - 1)
        shapes[index] = shape
        growth = np.clip(shape / before, 0.25, 4.0)
    return values, shapes
