"""The Lipschitz profile of one input: how passes are shared out among rounds, and what the answer amounts to."""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from clearance.estimates.evidence import MarginProblem
from clearance.estimates.extremes import ReverseWeibullFit, fit_reverse_weibull
from clearance.estimates.fixed_point import farthest_valid
from clearance.estimates.profile.inward import bring_inward, inward_gradients
from clearance.estimates.profile.levels import ProfileReadings, Reading, read_levels
from clearance.estimates.profile.pool import Pool
from clearance.estimates.profile.score import ProfileScore
from clearance.estimates.profile.search import DEEP_START, SEGMENT_POINTS, Known, LevelSearch
from clearance.estimates.settings import Settings
from clearance.estimates.status import Status
from clearance.model.budgets import PASSES_PER_GRADIENT
from clearance.model.cost import Cost

LEVELS, MORE_LEVELS = 16, 32
"""Levels of a profile, and from `MANY_GRADIENTS` on: a step function of half as many gives radii that are 1 to 4 %
smaller from the same search, as long as each level is searched (`benchmarks/profiles.py levels`)."""
MANY_GRADIENTS = 6000
"""Gradients from which a profile has `MORE_LEVELS`."""
BLOCK_STEPS, LEAST_STEPS = 16, 4
"""Gradients of a block, and the fewest."""
MOST_BLOCKS = 4
"""Most blocks of a level in one round, 64 or 128 rows: later rounds begin where earlier ones met steep gradients."""
LEAST_BLOCKS = 2
"""Fewest blocks of a level: a spacing needs two."""
FIRST_ROUND = 0.25
"""Share of the blocks that look for a nearer witness before the others search its levels."""
SEVERAL_ROUNDS = 16
"""Blocks of a level from which there is such a round, where a witness is known already."""
FARTHER, LARGEST_GUESS = 2.0, 1e6
"""Where no witness is known the levels reach this many times the linear estimate, but no more than the second number
times what was visited, and so many times farther after each round that does not end within them."""
DEEP_START_SHARE = 3
"""A deep start is made where there are at least this many times the gradients that it takes."""
SAME_LEVELS = 0.02
"""Share by which a round's levels may differ from the last ones for its block maxima to count with theirs."""
WIDE = 0.5
"""Width of an interval, as a share of its upper end, from which the status says so."""
MOST_WALKS = 2
"""Segments that are walked where the margin has fallen more than the profile allows: the gradients that carry the fall
lie there, and a short search may have missed them."""
EXCEEDED = 1e-3
"""Share by which the margin must have fallen more than the profile allows to contradict it."""


def estimate_profile(problem: MarginProblem, settings: Settings, known: Known, probabilities: bool) -> ProfileScore:
    """The estimate of one input by its Lipschitz profile.

    Source: this project; `profile.readings.profile_radius` has the formula.

    Args:
        problem: The input; with several targets the margin is that against the nearest of them.
        settings: What was asked for; its budget is the number of forward and backward passes.
        known: What is known of the input already.
        probabilities: Whether the outputs look like probabilities.

    Returns:
        The record, without its cost.
    """
    run = _ProfileRun(problem, known)
    return _judge(run, run.search_levels(settings.passes // PASSES_PER_GRADIENT), settings, probabilities)


def share_out(gradients: int, levels: int, *, several: bool, coordinates: int) -> list[tuple[int, int]]:
    """The rounds that a number of gradients pays for: blocks of each level, and gradients of each block.

    Source: this project.

    Args:
        gradients: How many.
        levels: How many levels there are.
        several: Whether a first round looks for nearer witnesses, however few blocks there are.
        coordinates: Of the input: each round ends with gradients that bring the profile's steps inward.

    Returns:
        At least one round.

    >>> share_out(2000, 16, several=False, coordinates=784), share_out(8000, 32, several=False, coordinates=784)
    ([(4, 14), (4, 14)], [(4, 15), (4, 15), (4, 15), (4, 15)])
    """
    blocks = max(gradients // (levels * BLOCK_STEPS), LEAST_BLOCKS)
    plan, left = list[tuple[int, int]](), gradients
    if blocks >= SEVERAL_ROUNDS or (several and blocks > LEAST_BLOCKS):
        plan.append((max(round(FIRST_ROUND * blocks), LEAST_BLOCKS), BLOCK_STEPS))
        searched = levels * math.prod(plan[0])
        left -= searched + inward_gradients(coordinates, searched)
        blocks = max(blocks - plan[0][0], LEAST_BLOCKS)
    parts = math.ceil(blocks / MOST_BLOCKS)
    each = math.ceil(blocks / parts)
    left -= parts * inward_gradients(coordinates, left / parts)
    return plan + [(each, max(left // (parts * each * levels), LEAST_STEPS))] * parts


class _ProfileRun:
    """The search of one input: how far its levels reach, and which blocks searched them."""

    def __init__(self, problem: MarginProblem, known: Known) -> None:
        self.pool, self.known = Pool(problem), known
        self.search = LevelSearch(self.pool, known)
        self.limit = farthest_valid(problem.model, problem.x0, problem.norm)
        self.farthest, self.count = math.inf, LEVELS
        self.ends: list[tuple[float, int]] = []

    def search_levels(self, gradients: int) -> ProfileReadings:
        """Look for a witness, then search all levels up to the nearest one known, in rounds."""
        self.count = MORE_LEVELS if gradients >= MANY_GRADIENTS else LEVELS
        meter = self.pool.problem.model.meter
        before = meter.backward
        self._begin(gradients)
        spare = gradients - (meter.backward - before) - SEGMENT_POINTS - 1
        first, known = self.pool.witness, len(self.known.witnesses) > 0
        coordinates = self.pool.problem.x0.numel()
        for blocks, steps in share_out(spare, self.count, several=not known, coordinates=coordinates):
            self._search_round(blocks, steps)
        self._walk_to_nearer(first)
        found = self.read()
        for _ in range(MOST_WALKS):
            point = None if found.excess <= 1 + EXCEEDED else self.pool.point(found.exceeded_at)
            if point is None:
                break
            self.search.walk(point[None])
            found = self.read()
        return found

    def _begin(self, gradients: int) -> None:
        pool = self.pool
        linear = pool.visit(pool.problem.x0[None]).falls
        self.search.walk(self.known.witnesses)
        best = pool.witness
        if gradients >= DEEP_START_SHARE * DEEP_START:
            self.search.deep_start()
        self._walk_to_nearer(best)
        smallest = torch.finfo(linear.dtype).tiny
        guess = FARTHER * pool.margin / float(linear.clamp_min(smallest))
        reached = float(pool.column("distance").max()) or 1.0
        self.farthest = min(self.limit, pool.nearest, guess if guess < LARGEST_GUESS * reached else reached)

    def _walk_to_nearer(self, before: Tensor | None) -> None:
        """Walk to the nearest witness, where it is another one than before."""
        if self.pool.witness is not None and self.pool.witness is not before:
            self.search.walk(self.pool.witness[None])

    def _search_round(self, blocks: int, steps: int) -> None:
        """One round; then the levels end at a nearer witness, or reach farther out where there is none."""
        self.ends.append((self.farthest, self.count * blocks))
        self.search.round(torch.from_numpy(self.levels()).to(self.pool.problem.x0), blocks, steps)
        allowed = inward_gradients(self.pool.problem.x0.numel(), blocks * steps * self.count)
        bring_inward(self.pool, self.farthest, allowed)
        if self.pool.witness is None and self.read().norm.radius >= self.farthest:
            self.farthest = min(self.limit, FARTHER * self.farthest)
        self.farthest = min(self.farthest, self.pool.nearest)

    def levels(self) -> NDArray[np.float64]:
        """Equal steps from the input to where the levels end."""
        return np.linspace(self.farthest / self.count, self.farthest, self.count, dtype=np.float64)

    def read(self) -> ProfileReadings:
        """What the pool says now; the maxima are those of blocks that searched about these levels."""
        fits = [abs(end - self.farthest) <= SAME_LEVELS * self.farthest for end, _ in self.ends]
        fits = [fit or (place == len(fits) - 1) for place, fit in enumerate(fits)]
        usable = np.repeat(fits, [count for _, count in self.ends])
        level_of = np.where(usable, self.search.level_of, -1)
        return read_levels(self.pool, self.levels(), level_of, np.array(self.search.inner_radii))


def _judge(run: _ProfileRun, found: ProfileReadings, settings: Settings, probabilities: bool) -> ProfileScore:
    """The record of a run, with the status that takes away the most."""
    pool, problem = run.pool, run.pool.problem
    shown = found.norm if settings.slope == "norm" else found.radial
    status = max(_standing(run, found, shown, probabilities), key=lambda status: status.severity)
    return ProfileScore(
        radius=shown.radius,
        interval=shown.interval,
        margin=pool.margin,
        fit=_fit(found.maxima, settings),
        predicted=problem.predicted,
        target=int(problem.targets[int(problem.margins.argmin())]),
        norm=problem.norm,
        sampler="profile",
        ball_radius=run.farthest,
        status=status,
        cost=Cost(),
        maxima=found.maxima,
        witness_distance=pool.nearest,
        clip=settings.clip,
        witness=pool.witness,
        slope=settings.slope,
        levels=found.levels,
        by_norm=found.norm,
        by_radial=found.radial,
        rise=found.rise,
        excess=found.excess,
        feasible=settings.feasible,
    )


def _standing(run: _ProfileRun, found: ProfileReadings, shown: Reading, probabilities: bool) -> set[Status]:
    """Every status that applies."""
    pool, applies, (low, radius) = run.pool, {Status.OK}, shown.interval
    if not pool.finite:
        applies.add(Status.NON_FINITE)
    if found.norm.values[-1] <= 0:
        applies.add(Status.MASKED if found.excess > 0 or pool.witness is not None else Status.NO_GRADIENT)
    elif found.excess > 1 + EXCEEDED or pool.nearest < radius * (1 - EXCEEDED):
        applies.add(Status.REFUTED)
    if radius >= run.farthest and pool.witness is None:
        applies.add(Status.AT_RADIUS)
    if low < (1 - WIDE) * radius:
        applies.add(Status.WIDE)
    if probabilities:
        applies.add(Status.PROBABILITIES)
    return applies


def _fit(maxima: tuple[float, ...], settings: Settings) -> ReverseWeibullFit | None:
    """The reverse Weibull fit to the block maxima of the last level: for the record, the radius does not use it."""
    if not maxima:
        return None
    return fit_reverse_weibull(maxima, level=settings.level, bootstrap=settings.bootstrap, seed=settings.seed)
