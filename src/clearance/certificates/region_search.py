"""The exact `l_2` distance to one target: best-first search over the signs of the units.

A state fixes the signs of the first units, one after the other. Given them, the pre-activations so far are affine in
the displacement `d`, and the margins lie below an affine function of it (each unit without a sign between its two
linear bounds, as in CROWN). So the points of a state that reach the target lie in a polyhedron `G d >= h`. With any
multipliers `m >= 0`

    min {||d||_2 : G d >= h} >= h^T m / ||G^T m||_2,

with equality for the best ones, which non-negative least squares finds (Lawson and Hanson 1974, chapter 23). The state
with the smallest bound is split next; when it has no unit without a sign left, its bound is the distance. Jordan, Lewis
and Dimakis (2019) search regions in the same order.
"""

from __future__ import annotations

import heapq
import itertools
import math
import time
from dataclasses import dataclass

import numpy as np

from clearance.certificates.encoding import Array, Encoding
from clearance.certificates.integer_program import Answer
from clearance.geometry.least_distance import least_distance


@dataclass(frozen=True)
class _State:
    """Signs of the first units: their values `z` as affine functions of `d`, and the half-spaces that they imply."""

    values: Array
    normals: Array
    offsets: Array


def nearest_by_regions(
    network: Encoding, ahead: Array, *, radius: float, box: tuple[Array, Array] | None, seconds: float
) -> Answer:
    """The smallest `||d||_2` at which `ahead` rows of logits are nonnegative.

    Args:
        network: The network inside the ball.
        ahead: Rows of coefficients of the logits that must all be >= 0, `(rows, classes)`.
        radius: The ball's radius: what lies outside is not looked at.
        box: Smallest and largest displacement of each entry; `None` for no bounds.
        seconds: Time limit.

    Returns:
        Bounds of the distance; `lower` is infinite where the ball is proved to hold no such point.
    """
    deadline, count = time.perf_counter() + seconds, itertools.count()
    size = network.size
    start = _State(np.zeros((0, size + 1)), np.zeros((0, size)), np.zeros(0))
    first, _ = _bound(network, start, ahead, box)
    waiting: list[tuple[float, int, _State]] = [(first, next(count), start)]
    while waiting:
        lower, _, state = heapq.heappop(waiting)
        if lower > radius:
            break
        if len(state.values) == len(network.offsets):
            point = _bound(network, state, ahead, box)[1]
            return Answer(lower, math.inf if point is None else float(np.linalg.norm(point)), True, point)
        if time.perf_counter() > deadline:
            return Answer(lower, math.inf, finished=False)
        for child in _split(network, state):
            bound, _ = _bound(network, child, ahead, box)
            if bound <= radius:
                heapq.heappush(waiting, (max(lower, bound), next(count), child))
    return Answer(math.inf, math.inf, finished=True)


def _split(network: Encoding, state: _State) -> list[_State]:
    """The two states that fix the next unit's sign."""
    place, size = len(state.values), network.size
    row = network.units[place]
    before = np.append(row[:size], network.offsets[place]) + row[size : size + place] @ state.values
    children = []
    for sign, coefficient in ((1.0, 1.0), (-1.0, network.left_coefficients[place])):
        children.append(
            _State(
                np.vstack([state.values, coefficient * before]),
                np.vstack([state.normals, sign * before[:size]]),
                np.append(state.offsets, -sign * before[size]),
            )
        )
    return children


def _bound(
    network: Encoding, state: _State, ahead: Array, box: tuple[Array, Array] | None
) -> tuple[float, Array | None]:
    """A lower bound of the distance in a state, and the point that attains it."""
    goal = _highest(network, state, ahead)
    normals, offsets = [state.normals, goal[:, :-1]], [state.offsets, -goal[:, -1]]
    if box is not None:
        one = np.eye(network.size)
        normals += [one, -one]
        offsets += [box[0], -box[1]]
    return least_distance(np.vstack(normals), np.concatenate(offsets))


def _highest(network: Encoding, state: _State, ahead: Array) -> Array:
    """Affine functions of `d` above the rows of logits, `(rows, size + 1)`, by linear bounds of the other units."""
    size, fixed = network.size, len(state.values)
    rows, constant = ahead @ network.logits, ahead @ network.biases
    for j in range(len(network.offsets) - 1, fixed - 1, -1):
        weight = rows[:, size + j]
        low, high, left = network.low[j], network.high[j], network.left_coefficients[j]
        chord = (high - left * low) / (high - low)
        below = 1.0 if high > -low else left
        coefficient = np.where(weight > 0, chord, below)
        constant = constant + weight * coefficient * network.offsets[j] + np.maximum(weight, 0.0) * (left - chord) * low
        rows = rows + (weight * coefficient)[:, None] * network.units[j]
    above = rows[:, size : size + fixed] @ state.values
    return np.column_stack([rows[:, :size], constant]) + above
