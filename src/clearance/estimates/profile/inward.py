"""How near the input each step of the profile begins: the steepest points met, brought inward by bisection."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from clearance.estimates.evidence import MarginProblem
from clearance.estimates.profile.pool import Pool, Values
from clearance.geometry.balls import sample_shifts
from clearance.geometry.norms import expand
from clearance.model.seeds import make_generator

Places = NDArray[np.int64]
BISECTIONS = 5
"""Distances that are tried for a steep point."""
MOST_RISES = 16
"""Steps of the profile that are brought inward after one round, those with the most to gain."""
SIDEWAYS, MOST_SIDEWAYS = 16, 3
"""Trials beside the point brought straight in, at each distance: the first number over the number of coordinates, at
most the second. In a few dimensions they come into the corner of a region that is nearest to the input."""
SHARE_OF_ROUND = 0.1
"""Most gradients that this takes after a round, as a share of the round's."""
SHORT_ROUND = 500
"""A round of fewer gradients needs them all."""
SAME_FALL = 1e-3
"""A point is as steep as another if its fall is less by at most this share; a step is a rise by more than it."""


def inward_gradients(coordinates: int, round_gradients: float) -> int:
    """Gradients that `bring_inward` may take after a round of so many. Source: this project.

    >>> inward_gradients(784, 2000), inward_gradients(4, 2000)
    (80, 200)
    """
    if round_gradients < SHORT_ROUND:
        return 0
    return min(BISECTIONS * MOST_RISES * _trials_of(coordinates), int(SHARE_OF_ROUND * round_gradients))


def bring_inward(pool: Pool, limit: float, gradients: int) -> None:
    """Bisect how near the input the steps of the profile begin.

    A point whose gradient is steeper than that of every nearer point makes the profile rise at its own distance; the
    region that it lies in may begin nearer. It is projected into smaller and smaller balls as long as the gradient
    there is as steep. Every trial goes into the pool. Source: this project.

    Args:
        pool: The evidence.
        limit: Points up to this distance.
        gradients: How many it may take.
    """
    problem, count = pool.problem, _trials_of(pool.problem.x0.numel())
    distance, fall = pool.column("distance"), pool.column("fall")
    places, before = _steps(pool, distance, fall, limit, gradients // (BISECTIONS * count))
    if not len(places):
        return
    generator = make_generator(problem.x0.device, problem.seed, "inward", problem.key, pool.samples)
    points = pool.points(places.tolist())
    columns = distance[before], distance[places], fall[places]
    inner, outer, falls = (torch.from_numpy(column).to(problem.x0) for column in columns)
    for _ in range(BISECTIONS):
        middle = (inner + outer) / 2
        about = [points, *(_about(problem, points, (outer - inner) / 2, generator) for _ in range(count - 1))]
        trials = problem.into_ball(torch.cat(about), middle.repeat(count))
        steep = (pool.visit(trials).falls.reshape(count, -1) >= (1 - SAME_FALL) * falls).to(middle)
        found, which = steep.max(0)  # the first of them: straight in, if that is as steep
        chosen = trials.reshape(count, *points.shape)[which, torch.arange(len(points), device=which.device)]
        points = torch.where(expand(found > 0, points), chosen, points)
        inner, outer = torch.where(found > 0, inner, middle), torch.where(found > 0, middle, outer)


def _trials_of(coordinates: int) -> int:
    """Trials at each distance: straight in, and in a few dimensions beside it."""
    return 1 + min(MOST_SIDEWAYS, SIDEWAYS // coordinates)


def _about(problem: MarginProblem, points: Tensor, width: Tensor, generator: torch.Generator) -> Tensor:
    """A uniform point about each."""
    shifts = sample_shifts(problem.x0, len(points), norm=problem.norm, radius=1.0, generator=generator)
    return points + expand(width, shifts) * shifts


def _steps(pool: Pool, distance: Values, fall: Values, limit: float, most: int) -> tuple[Places, Places]:
    """Places of some points where the profile rises most, and of the point of the step before each.

    A step can gain its rise times the distance to the step before.
    """
    order = np.argsort(distance, kind="stable")
    order = order[distance[order] <= limit]
    highest = np.maximum.accumulate(fall[order])
    rises = np.flatnonzero(highest[1:] > (1 + SAME_FALL) * highest[:-1]) + 1
    places, before = order[rises], np.concatenate([order[:1], order[rises]])[:-1]
    gain = (fall[places] - highest[rises - 1]) * (distance[places] - distance[before])
    usable = np.flatnonzero(pool.kept(places) & (gain > 0))
    chosen = np.sort(usable[np.argsort(-gain[usable], kind="stable")[:most]])
    return places[chosen], before[chosen]
