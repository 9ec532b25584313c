"""The point of a polyhedron nearest to the origin, as non-negative least squares (Lawson and Hanson 1974, chapter 23).

With any multipliers `m >= 0` for which `h^T m > 0`

    min {||d||_2 : G d >= h} >= h^T m / ||G^T m||_2

(because `h^T m <= m^T G d <= ||G^T m||_2 ||d||_2` for each such `d`, by the Cauchy-Schwarz inequality), with equality
for the best ones. So whatever multipliers a solver returns prove a bound.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy import optimize

Array = NDArray[np.float64]

MULTIPLIER_ROUNDING = 1e-10
"""A sum of multipliers counts as 0 up to this share of the sum of its terms' sizes: far above the rounding of sums of
thousands of doubles, 1e-13, so that neither a bound nor an empty polyhedron is proved by rounding."""

ITERATIONS_PER_ROW = 50
"""Iterations of the solver at most, for each row of the polyhedron: many times SciPy's default of 3, because a solver
that gives up proves nothing."""


def least_distance(normals: Array, offsets: Array) -> tuple[float, Array | None]:
    """A proved lower bound of `min {||d||_2 : G d >= h}`, and the solver's own point.

    The multipliers `m` minimise `||G^T m||² + (1 - h^T m)²`; the bound is `h^T m / ||G^T m||` and the point
    `G^T m / (1 - h^T m)` (Lawson and Hanson 1974, chapter 23, algorithm LDP). The bound keeps its digits; the point of
    a polyhedron at distance `D` has a relative error of the order of `1 + D²` roundings.

    Args:
        normals: `G`, `(rows, size)`.
        offsets: `h`, `(rows,)`.

    Returns:
        The bound, infinite where the polyhedron is empty, and the point `(size,)`, if there is one. Where the solver
        runs out of iterations: 0 and no point.

    >>> bound, point = least_distance(np.array([[3.0, 4.0]]), np.array([5.0]))
    >>> round(bound, 9), point.round(9).tolist()
    (1.0, [0.6, 0.8])
    """
    if (offsets <= 0).all():
        return 0.0, np.zeros(normals.shape[1])
    scale = np.maximum(np.linalg.norm(normals, axis=1), np.abs(offsets))
    keep = scale > 0
    normals, offsets = normals[keep] / scale[keep, None], offsets[keep] / scale[keep]
    system = np.vstack([normals.T, offsets])
    wanted = np.append(np.zeros(normals.shape[1]), 1.0)
    try:
        multipliers, _ = optimize.nnls(system, wanted, maxiter=ITERATIONS_PER_ROW * len(offsets))
    except RuntimeError:  # it ran out of iterations: nothing is proved
        return 0.0, None
    gain, pull = float(offsets @ multipliers), normals.T @ multipliers
    terms = float(np.abs(offsets) @ multipliers)
    if gain <= MULTIPLIER_ROUNDING * terms:
        return 0.0, None
    length = float(np.linalg.norm(pull))
    if length <= MULTIPLIER_ROUNDING * terms:
        return math.inf, None
    return gain / length, pull / (1.0 - gain) if gain < 1 else None
