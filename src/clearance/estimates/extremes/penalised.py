"""Endpoints of maxima that are known to lie far below it: a penalised likelihood.

Block maxima of *uniform* samples in many dimensions never come near the endpoint: they look like Gumbel samples, the
likelihood is nearly flat in the shape, and its maximum jumps from one set of blocks to the next (from .9 to 3 times the
largest maximum). What is known beforehand is that the tail index `k = 1/c` is small but not zero. So the endpoint here
maximises

    log likelihood - rate * max(0, k - k0)    over k0 <= k <= 0.95:

an exponential prior on the tail index, cut off at `k0 = 1/12`, in the manner of Coles and Dixon (1999), whose penalty
grows in the other direction. The result is moved into the profile-likelihood interval where it lies outside, so that
enough data overrule the prior, and it is never more than half the largest maximum above it (both in
`extremes.endpoint`).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from clearance.estimates.extremes.profile_likelihood import fixed_shape
from clearance.estimates.extremes.weibull import log_likelihood

Array = NDArray[np.float64]

LARGEST_SHAPE = 12.0
"""The largest shape allowed, `1 / k0`: a choice. The skewness of such maxima, 0.71, differs from a Gumbel
distribution's, 1.14, by about one standard error of a hundred maxima, so that samples of this size tell no larger
shapes apart."""

LARGEST_TAIL_INDEX = 0.95
"""The largest tail index: just below 1, because the most likely endpoint at a given shape needs a shape above 1."""

SHAPE_GRID: Array = 1 / np.linspace(1 / LARGEST_SHAPE, LARGEST_TAIL_INDEX, 40)
"""Shapes at which the penalised likelihood is evaluated, even in the tail index: 40 keep neighbours within 0.023 of
each other, and a parabola through the best three refines the maximum."""

LARGEST_EXCESS = 0.5
"""The most by which an estimate under the prior exceeds the largest maximum, as a share of it: 1.5 times the largest,
the same bound as for the penalised estimate without a prior."""


def penalised_distance(gaps: Array, rate: float) -> tuple[Array, Array, NDArray[np.bool_]]:
    """Penalised most likely endpoint of each row of standard gaps (see `extremes.profile_likelihood`).

    Maximises `log L(t(k), 1/k) - rate (k - k0)` over `k0 <= k <= 0.95`, `t(k)` the most likely distance at shape `1/k`
    (after Coles and Dixon 1999; see the module's text).

    Args:
        gaps: Standard gaps, `(rows, blocks)`.
        rate: Of the exponential prior on the tail index.

    Returns:
        Distance above the largest maximum in ranges, shape, and whether the shape is the largest allowed: then the
        data ask for a longer tail than that, and do not identify the endpoint. Each `(rows,)`.

    >>> gaps = np.linspace(0, 1, 20)[None] ** 2
    >>> (free, _, _), (held, _, _) = penalised_distance(gaps, 0.0), penalised_distance(gaps, 100.0)
    >>> bool(free[0] < held[0])  # a smaller tail index has its endpoint further away
    True
    """
    indices = 1 / SHAPE_GRID
    values = np.stack([_best(gaps, np.full(len(gaps), shape))[1] for shape in SHAPE_GRID]) - rate * indices[:, None]
    best = values.argmax(0)
    index = np.where(best > 0, _parabola(indices, values, best), indices[0])
    shape = 1 / index
    return _best(gaps, shape)[0], shape, best == 0


def _best(gaps: Array, shape: Array) -> tuple[Array, Array]:
    """Most likely distance and its log-likelihood when the shape is given."""
    distance = fixed_shape(gaps, shape)
    return distance, log_likelihood(np.log(gaps + distance[:, None]), shape)


def _parabola(grid: Array, values: Array, best: NDArray[np.intp]) -> Array:
    """Vertex of the parabola through the best point of an even grid and its neighbours, per column."""
    rows, middle = np.arange(values.shape[1]), np.clip(best, 1, len(grid) - 2)
    left, centre, right = (values[middle + step, rows] for step in (-1, 0, 1))
    second = left - 2 * centre + right
    offset = np.where(second < 0, 0.5 * (left - right) / np.where(second < 0, second, -1.0), 0.0)
    return grid[middle] + np.clip(offset, -1, 1) * (grid[1] - grid[0])
