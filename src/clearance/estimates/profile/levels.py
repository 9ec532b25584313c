"""What a pool of evidence says at each level: the profile in two readings, with intervals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clearance.estimates.profile.longer_search import longer_search_values
from clearance.estimates.profile.pool import EvidenceReader, Pool
from clearance.estimates.profile.readings import Numbers, profile_radius, spent_at
from clearance.estimates.status import CLIFF_FACTOR

REACHES = 20
"""Most times that the directions are cut to those valid as far as the radius itself; each gives no smaller radius."""
GROWN_ENOUGH = 1e-5
"""Growth of the radius, as a share of it, at which that ends."""
TOP_OF_BLOCK = 3
"""Points of a block, the steepest by their signs, whose value is looked at for its maximum."""
INSIDE_LEVEL = 1e-6
"""A point counts as in a ball up to this share of its radius, besides the rounding of the point itself."""
CLIFF_SHARE = 1 / 16
"""At a cliff the interval's lower end takes the rise to begin nearer by this share of the bracket."""


@dataclass(frozen=True)
class Reading:
    """One reading of the evidence: the largest fall at each level, the radius that follows, and its interval.

    Source: this project.

    Attributes:
        radius: Where the integral of `values` reaches the margin, in input units.
        interval: `(low, high)`: `high` is the radius itself, from what was met; `low` that of `upper`.
        values: `L` over feasible directions, or the radial slope, at each level.
        upper: What 25 times the blocks would find there (`longer_search_values`).
    """

    radius: float
    interval: tuple[float, float]
    values: tuple[float, ...]
    upper: tuple[float, ...]


@dataclass(frozen=True)
class ProfileReadings:
    """Both readings of one pool. Source: this project.

    Attributes:
        levels: The levels, rising, in input units; the last is the nearest witness's distance where one is known.
        norm: The reading by the largest norm of the gradient over feasible directions: the Lipschitz profile.
        radial: The reading by the largest radial slope, never with a smaller radius.
        rise: The last value of the Lipschitz profile over the first; infinite where the first is 0.
        excess: The largest fall of the margin that was met, over what the profile allows there, less rounding.
        exceeded_at: The place in the pool of the point where it was met.
        maxima: The block maxima of the last level, of the norm over feasible directions.
    """

    levels: tuple[float, ...]
    norm: Reading
    radial: Reading
    rise: float
    excess: float
    exceeded_at: int
    maxima: tuple[float, ...]


def read_levels(pool: Pool, levels: Numbers, level_of: NDArray[np.int64], inner_radii: Numbers) -> ProfileReadings:
    """The profile of a pool at some levels.

    Source: this project; the room at the radius itself as `geometry.feasible` has it.

    Args:
        pool: The evidence; the first point visited is the input.
        levels: Rising radii, `(levels,)`.
        level_of: The level of each block whose maxima may be used, in the order of their numbers; -1 for others.
        inner_radii: Where the shell of each block begins: the radius of the level before its own.

    Returns:
        The readings.
    """
    bins = _bins(pool, levels)
    members = [np.flatnonzero(bins == place) for place in range(len(levels))]
    reader = pool.reader()
    signs = values = reader.largest_supports(members)
    if pool.problem.directions.bounded:
        reader, values = _reach_out(reader, values, members, levels, pool.margin)
    rise = float(values[-1] / values[0]) if values[0] > 0 else np.inf
    cliff = rise > CLIFF_FACTOR
    maxima = _block_maxima(pool, reader, inner_radii, level_of, len(levels), radial=False)
    by_norm = _reading(pool, levels, values, maxima, rising=True, cliff=cliff)
    slopes = reader.largest_radials(members)
    slopes[0] = max(slopes[0], float(reader.support(np.array([0]))[0]))
    rays = _block_maxima(pool, reader, inner_radii, level_of, len(levels), radial=True)
    by_slope = _reading(pool, levels, slopes, rays, rising=False, cliff=cliff)
    last = tuple(maxima[-1][maxima[-1] > 0].tolist())
    excess, place = _excess(pool, levels, signs)
    return ProfileReadings(tuple(levels.tolist()), by_norm, by_slope, rise, excess, place, last)


def _reach_out(
    reader: EvidenceReader, values: Numbers, members: list[NDArray[np.int64]], levels: Numbers, margin: float
) -> tuple[EvidenceReader, Numbers]:
    """The directions cut to those valid as far as the radius itself, again and again while that makes it larger."""
    radius = profile_radius(levels, values, margin)
    for _ in range(REACHES):
        closer = reader.at(radius)
        narrowed = closer.largest_supports(members)
        before, radius = radius, profile_radius(levels, narrowed, margin)
        if radius <= before:
            break
        reader, values = closer, narrowed
        if radius <= before * (1 + GROWN_ENOUGH):
            break
    return reader, values


def _bins(pool: Pool, levels: Numbers) -> NDArray[np.int64]:
    """Which level each point first belongs to: `levels[k-1] < distance <= levels[k]`."""
    edges = levels * (1 + INSIDE_LEVEL) + pool.slack()
    return np.searchsorted(edges, pool.column("distance"))


def _reading(pool: Pool, levels: Numbers, values: Numbers, maxima: Numbers, *, rising: bool, cliff: bool) -> Reading:
    """The radius of the values met, and that of what a longer search would meet."""
    upper, margin = values, pool.margin
    if maxima.shape[1] > 1:
        upper = longer_search_values(maxima, values, pool.problem.norm)
    if cliff:
        ahead = round(CLIFF_SHARE * len(levels)) or 1
        upper = np.maximum(upper, np.concatenate([upper[ahead:], np.full(ahead, upper[-1])]))
    if rising:
        upper = np.maximum.accumulate(upper)
    radius = profile_radius(levels, values, margin)
    low = min(profile_radius(levels, upper, margin), radius)
    return Reading(radius, (low, radius), tuple(values.tolist()), tuple(upper.tolist()))


def _block_maxima(
    pool: Pool,
    reader: EvidenceReader,
    inner_radii: Numbers,
    level_of: NDArray[np.int64],
    count: int,
    *,
    radial: bool,
) -> Numbers:
    """The maxima of each level's blocks, `(levels, blocks)`: of the norm in its ball, or of the slope in its shell.

    Levels with fewer blocks than others are filled up with zeros, which no spacing from the top meets.
    """
    blocks = pool.column("block").astype(np.int64)
    own = np.where(blocks >= 0, np.append(level_of, -1)[np.minimum(blocks, len(level_of))], -1)
    near = pool.column("distance") > inner_radii[np.minimum(blocks, len(level_of) - 1)] if radial else True
    usable = np.flatnonzero((own >= 0) & near)
    bound = reader.slope if radial else reader.fall
    ranked = usable[np.lexsort((-bound[usable], blocks[usable]))]
    first = np.searchsorted(blocks[ranked], blocks[ranked])
    ranked = ranked[np.arange(len(ranked)) - first < TOP_OF_BLOCK]
    ahead = np.append(True, blocks[ranked][1:] != blocks[ranked][:-1])[: len(ranked)]
    best = np.zeros(len(level_of))
    for some in (ahead, ~ahead):
        # Those behind the first of a block only where their bounds leave room for more than what it has.
        places = ranked[some & (bound[ranked] > best[blocks[ranked]])]
        if len(places):
            np.maximum.at(best, blocks[places], reader.radial(places) if radial else reader.support(places))
    rows = [best[level_of == place] for place in range(count)]
    table = np.zeros((count, max(map(len, rows))))
    for row, found in zip(table, rows, strict=True):
        row[: len(found)] = found
    return table


def _excess(pool: Pool, levels: Numbers, signs: Numbers) -> tuple[float, int]:
    """The largest `(g(x0) - g(x)) / ∫_0^s L` of the points within the last level, `L` by the signs alone; and where."""
    distance, margins = pool.column("distance"), pool.column("margin")
    inside = (distance > 0) & (distance <= levels[-1] * (1 + INSIDE_LEVEL) + pool.slack()) & np.isfinite(margins)
    if not inside.any():
        return 0.0, 0
    fallen = pool.margin - margins[inside] - pool.noise()
    spent = spent_at(levels, signs, np.minimum(distance[inside], levels[-1]))
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):  # infinite where no gradient allows a fall
        over = np.where(fallen > 0, fallen / spent, 0.0)
    largest = int(over.argmax())
    return float(over[largest]), int(np.flatnonzero(inside)[largest])
