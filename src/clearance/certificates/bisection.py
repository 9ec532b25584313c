"""The largest radius that a test proves, for many inputs at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

MOST_TRIALS = 80
"""Radii tried at most: enough for a bracket of 1e-10 (34 halvings) after a first radius that was 1e12 too large (20
quarterings); it ends a search that rounding keeps from converging."""
NOTHING_PROVED = 1e-12
"""A radius this much smaller than the first one tried counts as nothing proved."""


@dataclass(frozen=True)
class ProvenRadius:
    """Where a test stops proving.

    Source: bisection; a bound that holds on a ball holds on every smaller one.

    Attributes:
        proven: The largest radius proved, `(batch,)`; infinite where the whole region within the bounds is proved.
        limiting: Place of the row that was lowest at the smallest radius that was not proved, `(batch,)`.
        timed_out: Whether the search was stopped before the bracket was narrow, `(batch,)`.
    """

    proven: Tensor
    limiting: Tensor
    timed_out: Tensor


def largest_proven(
    lowest: Callable[[Tensor], Tensor],
    start: Tensor,
    limit: Tensor,
    *,
    tolerance: float,
    stop: Callable[[], bool] = lambda: False,
) -> ProvenRadius:
    """Double or quarter the radius until one is proved and one is not, then halve the bracket.

    It needs a test that proves every radius below one that it proves (monotone); where it is not, the radius is proved
    all the same, only not the largest. Source: this project (bisection).

    Args:
        lowest: From radii `(batch,)` to `(batch, rows)`: a radius is proved where every row is positive.
        start: First radii, positive and finite, `(batch,)`.
        limit: Radii at which the ball holds everything: what is proved there is proved at any radius, `(batch,)`.
        tolerance: Relative width of a bracket that is narrow enough.
        stop: Says when to stop.

    Returns:
        The radii that were proved, 0 where none was, and for which of them the search was stopped.

    >>> found = largest_proven(lambda r: 3 - r[:, None], torch.ones(1), torch.full((1,), 100.0), tolerance=1e-3)
    >>> 2.99 < float(found.proven) <= 3
    True
    """
    proven, failed = torch.zeros_like(start), torch.full_like(start, torch.inf)
    limiting = torch.zeros_like(start, dtype=torch.long)
    radius, unfinished = torch.minimum(start, limit), torch.zeros_like(start, dtype=torch.bool)
    for _ in range(MOST_TRIALS):
        least, place = lowest(radius).min(1)
        holds = least > 0
        reached = torch.where(radius >= limit, torch.inf, radius)
        proven = torch.where(holds, torch.maximum(proven, reached), proven)
        lower = ~holds & (radius < failed)
        failed, limiting = torch.where(lower, radius, failed), torch.where(lower, place, limiting)
        done = (failed <= proven * (1 + tolerance)) | proven.isinf() | (failed < NOTHING_PROVED * start)
        if bool(done.all()):
            break
        if stop():
            unfinished = ~done
            break
        between = torch.where(proven > 0, (proven + failed) / 2, failed / 4)
        radius = torch.where(failed.isinf(), torch.minimum(2 * proven, limit), between)
        radius = torch.where(done, proven.where(proven.isfinite(), limit), radius)
    return ProvenRadius(proven, limiting, unfinished)
