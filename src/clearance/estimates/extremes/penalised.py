"""Endpoints of maxima that are known to lie far below it: a penalised likelihood.

Block maxima of *uniform* samples in many dimensions never come near the endpoint: they look like Gumbel samples, the
likelihood is nearly flat in the shape, and its maximum jumps from one set of blocks to the next (from .9 to 3 times the
largest maximum). What is known beforehand is that the tail index `k = 1/c` is small but not zero. So the endpoint here
maximises `log likelihood - rate * max(0, k - k0)` over `k0 <= k <= 1`: an exponential prior on the tail index, cut off
at `k0 = 1/12`, in the manner of Coles and Dixon (1999), whose penalty grows in the other direction. It is moved into
the profile-likelihood interval where it lies outside, so that enough data overrule it, and it is never more than half
the largest maximum above it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from clearance.estimates.extremes.profile_likelihood import fixed_shape, log_likelihood

Array = NDArray[np.float64]

LARGEST_SHAPE = 12.0
SHAPES: Array = 1 / np.linspace(1 / LARGEST_SHAPE, 0.95, 40)
MOST_ABOVE = 0.5


def penalised_distance(gaps: Array, rate: float) -> tuple[Array, Array, NDArray[np.bool_]]:
    """Penalised most likely endpoint of each row of standard gaps (see `extremes.profile_likelihood`).

    Args:
        gaps: Standard gaps, `(rows, blocks)`.
        rate: Of the exponential prior on the tail index.

    Returns:
        Distance above the largest maximum in ranges, shape, and whether the shape is the largest allowed: then the
        data ask for a longer tail than that, and do not identify the endpoint. Each `(rows,)`.
    """
    indices = 1 / SHAPES
    values = np.stack([_best(gaps, np.full(len(gaps), shape))[1] for shape in SHAPES]) - rate * indices[:, None]
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
    bend = left - 2 * centre + right
    offset = np.where(bend < 0, 0.5 * (left - right) / np.where(bend < 0, bend, -1.0), 0.0)
    return grid[middle] + np.clip(offset, -1, 1) * (grid[1] - grid[0])
