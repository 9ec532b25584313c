"""The point of a polyhedron nearest to the origin, as non-negative least squares (Lawson and Hanson 1974, chapter 23).

With any multipliers `m >= 0`

    min {||d||_2 : G d >= h} >= h^T m / ||G^T m||_2,

with equality for the best ones.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy import optimize

Array = NDArray[np.float64]

ROUNDING = 1e-10
"""A multiplier proves that a polyhedron is empty only by more than this share of its own terms."""


def least_distance(normals: Array, offsets: Array) -> tuple[float, Array | None]:
    """A proved lower bound of `min {||d||_2 : G d >= h}`, and the solver's own point.

    Args:
        normals: `G`, `(rows, size)`.
        offsets: `h`, `(rows,)`.

    Returns:
        The bound, infinite where the polyhedron is empty, and the point, if there is one.

    >>> least_distance(np.array([[3.0, 4.0]]), np.array([5.0]))
    (1.0, array([0.6, 0.8]))
    """
    if (offsets <= 0).all():
        return 0.0, np.zeros(normals.shape[1])
    scale = np.maximum(np.linalg.norm(normals, axis=1), np.abs(offsets))
    keep = scale > 0
    normals, offsets = normals[keep] / scale[keep, None], offsets[keep] / scale[keep]
    system = np.vstack([normals.T, offsets])
    wanted = np.append(np.zeros(normals.shape[1]), 1.0)
    try:
        multipliers, _ = optimize.nnls(system, wanted, maxiter=50 * len(offsets))
    except RuntimeError:  # it ran out of iterations: nothing is proved
        return 0.0, None
    gain, pull = float(offsets @ multipliers), normals.T @ multipliers
    terms = float(np.abs(offsets) @ multipliers)
    if gain <= ROUNDING * terms:
        return 0.0, None
    length = float(np.linalg.norm(pull))
    if length <= ROUNDING * terms:
        return math.inf, None
    return gain / length, pull / (1.0 - gain) if gain < 1 else None
