"""The exact distance in `l_1` or `l_inf` to one target, as a mixed-integer linear program (Tjeng, Xiao, Tedrake 2019).

Each unit `z = max(y, l y)` that can change sign on the ball gets a binary `b` and four inequalities with the bounds of
its pre-activation; everything is measured in units of the ball's radius, so that the solver's absolute tolerances are
relative ones. The answer is the solver's dual bound: proved, whether or not it finished.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import optimize

from clearance.certificates.encoding import Array, Encoding

SOLVER_TOLERANCE = 1e-6
"""What HiGHS may violate a constraint by, and what is taken off its bound, both in units of the radius."""


@dataclass(frozen=True)
class Answer:
    """What a solver says of the distance to one target within a ball.

    Attributes:
        lower: Proved lower bound; infinite where the ball is proved to hold no such point.
        upper: Length of the solver's own point, to be confirmed; infinite where there is none.
        finished: False where the time was up.
        point: That point, as a displacement `(size,)`.
    """

    lower: float
    upper: float
    finished: bool
    point: Array | None = None


def nearest_by_integer_program(
    network: Encoding, ahead: Array, *, radius: float, norm: float, box: tuple[Array, Array], seconds: float
) -> Answer:
    """The smallest `||d||_p` at which `ahead` rows of logits are nonnegative.

    Args:
        network: The network inside the ball.
        ahead: Rows of coefficients of the logits that must all be >= 0, `(rows, classes)`.
        radius: The ball's radius.
        norm: 1 or infinity.
        box: Smallest and largest displacement of each entry, `(size,)` each.
        seconds: Time limit.

    Returns:
        Bounds of the distance; `lower` is infinite where the ball is proved to hold no such point.
    """
    size, units = network.size, len(network.offsets)
    sizes = size if norm == 1 else 1
    width = size + sizes + 2 * units
    rows, limits = _distance_rows(size, sizes, width)
    more, upper = _unit_rows(network, radius, sizes, width)
    goal = np.zeros((len(ahead), width))
    effect = ahead @ network.logits
    goal[:, :size], goal[:, size + sizes : size + sizes + units] = -effect[:, :size] * radius, -effect[:, size:]
    total = np.zeros((1, width))
    total[0, size : size + sizes] = 1.0
    matrix = np.vstack([rows, more, goal, total])
    most: Any = np.concatenate([limits, upper, ahead @ network.biases, [1.0]])
    values = network.left_coefficients * network.low
    low: Any = np.concatenate([np.maximum(box[0] / radius, -1), np.zeros(sizes), values, np.zeros(units)])
    high: Any = np.concatenate([np.minimum(box[1] / radius, 1), np.ones(sizes), network.high, np.ones(units)])
    integral = np.concatenate([np.zeros(width - units), np.ones(units)])
    options = {"time_limit": max(seconds, 1e-3), "mip_rel_gap": SOLVER_TOLERANCE}
    solved = optimize.milp(
        total[0],
        constraints=optimize.LinearConstraint(matrix, -np.inf, most),
        bounds=optimize.Bounds(low, high),
        integrality=integral,
        options=options,
    )
    if solved.status == 2:
        return Answer(math.inf, math.inf, finished=True)
    found = math.inf if solved.x is None else float(solved.fun)
    dual = (
        solved.mip_dual_bound if units else found
    )  # without binaries it is a linear program: no bound but the optimum
    proved = max(0.0, float(dual) - SOLVER_TOLERANCE) if dual is not None and math.isfinite(dual) else 0.0
    point = None if solved.x is None else solved.x[:size] * radius
    return Answer(proved * radius, found * radius, finished=solved.status == 0, point=point)


def _distance_rows(size: int, sizes: int, width: int) -> tuple[Array, Array]:
    """`|d_i| <= s_i` (l_1) or `|d_i| <= s` (l_inf)."""
    rows = np.zeros((2 * size, width))
    one = np.eye(size)
    rows[:size, :size], rows[size:, :size] = one, -one
    rows[:, size : size + sizes] = -np.vstack([one, one]) if sizes == size else -1.0
    return rows, np.zeros(2 * size)


def _unit_rows(network: Encoding, radius: float, sizes: int, width: int) -> tuple[Array, Array]:
    """`z >= y`, `z >= l y`, `z <= y - (1 - l) low (1 - b)`, `z <= l y + (1 - l) high b`."""
    size, units = network.size, len(network.offsets)
    first, binary = size + sizes, size + sizes + units
    before = np.zeros((units, width))
    before[:, :size], before[:, first:binary] = network.units[:, :size] * radius, network.units[:, size:]
    value, switch = np.zeros((units, width)), np.zeros((units, width))
    value[:, first:binary], switch[:, binary:] = np.eye(units), np.eye(units)
    left, jump = network.left_coefficients[:, None], (1 - network.left_coefficients)[:, None]
    low, high = network.low[:, None], network.high[:, None]
    rows = [
        before - value,
        left * before - value,
        value - before - jump * low * switch,
        value - left * before - jump * high * switch,
    ]
    offsets = network.offsets
    limits = [
        -offsets,
        -network.left_coefficients * offsets,
        offsets - jump[:, 0] * network.low,
        network.left_coefficients * offsets,
    ]
    return np.vstack(rows), np.concatenate(limits)
