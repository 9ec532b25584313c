"""The radius that a profile gives: where the integral of an upper step function reaches the margin."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]


def profile_radius(levels: Numbers, values: Numbers, margin: float) -> float:
    """`R` with `∫_0^R L(s) ds = g`, for the step function `L = values[k]` on `(levels[k-1], levels[k]]`.

    For any direction `g(x0 + r u) = g(x0) + ∫_0^r <∇g(x0 + s u), u> ds`, and the integrand is at least `-L(s)`: no
    point nearer than `R` has `g <= 0`. Source: this project (mean value theorem; the local Lipschitz constant of Weng
    et al. 2018, corollary 3.2.2, for every radius at once). A constant gives `g / L`, a line the second-order radius
    (Weng et al. 2018, "On Extensions of CLEVER", theorem 3.1).

    Args:
        levels: Rising radii, `(levels,)`.
        values: The largest fall met up to each, `(levels,)`.
        margin: `g(x0) > 0`.

    Returns:
        The radius; the last level where the integral never reaches the margin.

    >>> profile_radius(np.array([1.0, 2.0]), np.array([1.0, 4.0]), 3.0)
    1.5
    """
    spent = last = 0.0
    for level, value in zip(levels.tolist(), values.tolist(), strict=True):
        spending = value * (level - last)
        if spent + spending >= margin:
            return last + (margin - spent) / value if value > 0 else last
        spent, last = spent + spending, level
    return last


def spent_at(levels: Numbers, values: Numbers, distances: Numbers) -> Numbers:
    """`∫_0^s L` at some distances: how far the margin can have fallen there. Past the last level its value goes on.

    Source: as `profile_radius`.

    >>> spent_at(np.array([1.0, 2.0]), np.array([1.0, 4.0]), np.array([0.5, 1.5]))
    array([0.5, 3. ])
    """
    starts = np.concatenate([[0.0], levels[:-1]])
    spent = np.concatenate([[0.0], np.cumsum(values * (levels - starts))])[:-1]
    place = np.clip(np.searchsorted(levels, distances), 0, len(levels) - 1)
    return spent[place] + values[place] * (distances - starts[place])
